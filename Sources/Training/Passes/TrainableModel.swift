package import Architectures
internal import Elements
internal import Models
package import Tensors

/// The weights of a peer-lm model in memory that training may change.
///
/// Not to be changed by two threads at a time.
package final class TrainableModel: Sendable {
    package let layout: ParameterLayout
    /// All dense tensors, by `layout`.
    package let weights: FloatMemory
    /// One for each of the config's PEER layers: [experts, 2, hidden], an expert's rows u and v.
    package let experts: [FloatMemory]
    /// Hashed experts: for each of the config's layers the tables whose rows are added, the base's first.
    package let rows: [[RowTable]]

    package var config: PeerConfig { layout.config }

    private init(
        layout: ParameterLayout, experts: [FloatMemory]? = nil, rows: [[RowTable]]? = nil
    ) {
        self.layout = layout
        weights = FloatMemory(count: layout.count)
        let (count, width) = (layout.config.expertCount, layout.config.hiddenSize)
        self.experts =
            experts
            ?? layout.config.peerLayers.map { _ in FloatMemory(count: count * 2 * width) }
        let hash = layout.config.hash
        self.rows =
            rows
            ?? (hash?.layers ?? []).map { _ in
                [RowTable(count: hash?.expertCount ?? 1, width: width)]
            }
        precondition(self.rows.count == hash?.layers.count ?? 0, "rows of another config")
    }

    /// Random weights, distributed as the PyTorch reference initialises its own: projections with
    /// variance 1 / inputs, those that write to the residual also / (2 layers); embedding 0.5; head
    /// 0.02; sub-keys 1 / √half; u 1 / √hidden; v 0.04; queries uniform in ±1 / √hidden (the default
    /// of a linear layer); norms 1.
    ///
    /// Hashed experts are zeros.
    ///
    /// - Parameter rows: Tables to have in their place; nil for new ones.
    package convenience init(config: PeerConfig, seed: UInt64, rows: [[RowTable]]? = nil) {
        self.init(layout: ParameterLayout(config), rows: rows)
        var noise = NormalNoise(seed: seed)
        for entry in layout.entries {
            let slice = weights[entry.range]
            let inputs = Float(entry.shape.last ?? 1)
            switch entry.role {
            case .norm: slice.fill(1)
            case .bias: slice.fill(0)
            case .embedding: noise.fill(slice, deviation: 0.5)
            case .head: noise.fill(slice, deviation: 0.02)
            case .subKeys: noise.fill(slice, deviation: 1 / inputs.squareRoot())
            case .query:
                var generator = SplitMix64(seed: seed ^ UInt64(entry.range.lowerBound))
                slice.withMutableSpan { span in
                    for index in span.indices {
                        span[index] =
                            Float(2 * generator.nextUnit() - 1) / inputs.squareRoot()
                    }
                }
            case .router: noise.fill(slice, deviation: 1 / inputs.squareRoot())
            case .matrix, .expert:
                let writes =
                    entry.name.hasSuffix("o_proj.weight")
                    || entry.name.hasSuffix("down_proj.weight")
                let layers = writes ? Float(2 * config.layerCount) : 1
                noise.fill(slice, deviation: 1 / (inputs * layers).squareRoot())
            }
        }
        let width = config.hiddenSize
        for pool in experts {
            for row in 0..<pool.count / width {
                noise.fill(
                    pool[row * width..<(row + 1) * width],
                    deviation: row % 2 == 0 ? 1 / Float(width).squareRoot() : 0.04)
            }
        }
    }

    /// The weights of a checkpoint.
    ///
    /// - Parameter tensor: Gives a tensor's elements by its name, row-major; nil when there is none.
    /// - Throws: `.missingTensor` or `.badTensor`, naming it; what `tensor` throws.
    package convenience init(config: PeerConfig, tensor: (String) throws -> [Float]?) throws {
        self.init(layout: ParameterLayout(config))
        func find(_ name: String, _ count: Int) throws -> [Float] {
            guard let values = try tensor(name) else {
                throw CambiumError(.missingTensor, "the checkpoint has no tensor \(name)")
            }
            guard values.count == count else {
                throw CambiumError(
                    .badTensor,
                    "tensor \(name) has \(values.count) elements; the config asks for \(count)")
            }
            return values
        }
        for entry in layout.entries {
            weights[entry.range].copy(try find(entry.name, entry.range.count))
        }
        let width = config.hiddenSize
        for (slot, layer) in config.peerLayers.enumerated() {
            let pool = experts[slot]
            let names = Self.expertNames(layer)
            for (side, name) in [names.down, names.up].enumerated() {
                let rows = try find(name, pool.count / 2)
                pool.slice.withMutableSpan { span in
                    for expert in 0..<rows.count / width {
                        for column in 0..<width {
                            span[(2 * expert + side) * width + column] =
                                rows[expert * width + column]
                        }
                    }
                }
            }
        }
    }

    /// A copy to train further.
    ///
    /// - Complexity: Of hashed experts it copies the rows that are there.
    package func copy() -> TrainableModel {
        let result = TrainableModel(layout: layout, rows: rows.map { $0.map { $0.copy() } })
        result.weights.slice.copy(weights.slice)
        for (to, from) in zip(result.experts, experts) { to.slice.copy(from.slice) }
        return result
    }

    /// A model with dense weights of its own, and these experts.
    ///
    /// - Parameter addsRows: Whether it has rows of its own that are added to the shared ones.
    func sharingExperts(addsRows: Bool = false) -> TrainableModel {
        let result = TrainableModel(
            layout: layout, experts: experts, rows: addsRows ? withOwnRows : rows)
        result.weights.slice.copy(weights.slice)
        return result
    }

    /// A model with the same weights, but hashed experts that follow from its own.
    ///
    /// - Parameter change: Gives a layer's tables in place of those it had.
    package func changingRows(_ change: ([RowTable]) -> [RowTable]) -> TrainableModel {
        let result = TrainableModel(layout: layout, experts: experts, rows: rows.map(change))
        result.weights.slice.copy(weights.slice)
        return result
    }

    /// The tables, and one more behind those of each layer, whose sums go on from the last one's.
    var withOwnRows: [[RowTable]] {
        rows.map { tables in
            let last = tables[tables.count - 1]
            return tables + [RowTable(count: last.count, width: last.width, over: last)]
        }
    }

    /// Every tensor but hashed experts' by its name in a checkpoint, with its shape.
    package func tensors() -> [NamedTensor] {
        var result = layout.entries.map {
            NamedTensor(name: $0.name, shape: $0.shape, values: weights[$0.range].array)
        }
        let width = config.hiddenSize
        for (slot, layer) in config.peerLayers.enumerated() {
            let pool = experts[slot].slice.array
            let names = Self.expertNames(layer)
            let count = pool.count / (2 * width)
            for (side, name) in [names.down, names.up].enumerated() {
                var values: [Float] = []
                values.reserveCapacity(count * width)
                for expert in 0..<count {
                    let start = (2 * expert + side) * width
                    values.append(contentsOf: pool[start..<start + width])
                }
                result.append(NamedTensor(name: name, shape: [count, width], values: values))
            }
        }
        return result
    }

    /// Weights that a forward pass can use: all dense ones, and the experts.
    ///
    /// Of hashed experts those that are there.
    package var parameterCount: Int {
        let rows = rows.joined().reduce(0) { $0 + $1.ids.count * $1.width }
        return layout.count + experts.reduce(rows) { $0 + $1.count }
    }

    static func expertNames(_ layer: Int) -> (down: String, up: String) {
        let name = "model.layers.\(layer)."
        return (name + PeerNames.down, name + PeerNames.up)
    }
}

/// A tensor of 32-bit floats with the name it has in a checkpoint.
package struct NamedTensor: Sendable {
    package let name: String
    package let shape: [Int]
    /// Row-major.
    package let values: [Float]

    package init(name: String, shape: [Int], values: [Float]) {
        self.name = name
        self.shape = shape
        self.values = values
    }
}
