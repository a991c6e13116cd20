package import Architectures
internal import Elements
package import Models
internal import Objects
internal import Snapshots
internal import Tensors

extension TrainableModel {
    /// A copy of a model's weights, widened to 32-bit floats, to train it or adapters on it.
    ///
    /// - Parameters:
    ///   - config: Of the model, or `withoutExperts` for adapters that skip them: then no expert is read.
    /// - Throws: `.missingTensor`, `.badTensor`; what the source throws.
    package convenience init(config: PeerConfig, source: some WeightSource) throws {
        try config.checkRows(tables: config.hash?.layers.count ?? 0)
        var pools: [String: [Float]] = [:]
        for layer in config.peerLayers {
            let names = Self.expertNames(layer)
            let (down, up) = try source.rows(layer, width: config.hiddenSize)
            pools[names.down] = down
            pools[names.up] = up
        }
        for layer in config.linearLayers { pools.merge(try source.matrices(layer)) { $1 } }
        try self.init(config: config) { name in
            if let rows = pools[name] { rows } else { try source.floats(name) }
        }
        for (slot, layer) in (config.hash?.layers ?? []).enumerated() {
            for table in try source.rows(layer: layer) {
                try rows[slot][0].add(table, layer)
            }
        }
    }
}

extension TrainableModel {
    /// Refuses to train hashed rows of codes, which would be floats then.
    ///
    /// - Throws: `.unsupported`.
    static func checkRows(of tree: Tree, pool name: String) throws {
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            guard let pool = layer.pools[name], pool.kind == .row, pool.parts.count > 1 else {
                continue
            }
            throw CambiumError(
                .unsupported,
                "the hashed rows of '\(name)' in front of layer \(number) are quantised (\(pool.parts)), and training "
                    + "writes floats: train on the commit before that, and quantise afterwards (cambium rows quantize)"
            )
        }
    }
}

extension PeerConfig {
    /// Refuses hashed rows that there is no address space for, before anything is read.
    ///
    /// - Parameter tables: How many of a layer's size are needed at a time.
    /// - Throws: `.limit`.
    func checkRows(tables: Int) throws {
        guard let hash, tables > 0 else { return }
        try RowTable.check(tables, count: hash.expertCount, width: hiddenSize)
    }
}

extension RowTable {
    /// Adds the rows of a layer that are stored, of any form; those of zeros are absent.
    ///
    /// - Throws: `.badTensor` for rows of other sizes.
    func add(_ stored: any ExpertTable, _ layer: Int) throws {
        guard stored.count == count, let form = RowForm(stored.parts, width: width) else {
            throw CambiumError(
                .badTensor,
                "the hashed rows of layer \(layer) are \(stored.count) of \(stored.parts); the model has "
                    + "\(count) of \(width) elements")
        }
        let ordinals = (0..<UInt32(count)).map { $0 }
        try stored.visit(ordinals.span) { index, row in
            if row.isZero { return }
            let id = UInt32(index)
            var values = self[id] ?? [Float](repeating: 0, count: width)
            var span = values.mutableSpan
            Kernels.addRow(row, form, into: &span)
            set(id, values, sum: sum(of: id))
        }
    }
}

extension WeightSource {
    /// A tensor's elements as floats; nil when there is none of the name.
    func floats(_ name: String) throws -> [Float]? {
        do {
            let found = try tensor(name)
            return try widened(name, found.shape, found.bytes.bytes)
        } catch let error as CambiumError {
            guard error.code != .missingTensor else { return nil }
            throw error
        }
    }

    /// All elements of a pool's experts in a layer, expert by expert.
    func expertElements(_ layer: Int, of pool: String) throws -> [Float] {
        let table = try experts(layer: layer, of: pool)
        guard let type = table.parts.first?.type, table.parts.allSatisfy({ $0.type == type })
        else {
            throw CambiumError(
                .badTensor,
                "experts of pool \(pool) in layer \(layer) are \(table.parts), not of one type"
            )
        }
        var elements = 0
        for part in table.parts { elements += part.dimensions.reduce(1, *) }
        let shape = TensorShape(type, [elements])
        var result: [Float] = []
        result.reserveCapacity(table.count * elements)
        let ordinals = (0..<table.count).map { UInt32($0) }
        try table.visit(ordinals.span) { _, expert in
            result += try widened("experts of pool \(pool)", shape, expert)
        }
        return result
    }

    /// The rows u and v of a layer's experts, each [experts, width].
    fileprivate func rows(_ layer: Int, width: Int) throws -> (down: [Float], up: [Float]) {
        let table = try experts(layer: layer)
        guard let shape = table.neuronShape, shape.dimensions == [2, width] else {
            throw CambiumError(
                .badTensor, "experts of layer \(layer) are \(table.parts), not [2, \(width)]")
        }
        var (down, up): ([Float], [Float]) = ([], [])
        down.reserveCapacity(table.count * width)
        up.reserveCapacity(table.count * width)
        let ordinals = (0..<table.count).map { UInt32($0) }
        try table.visit(ordinals.span) { _, expert in
            let both = try widened("experts of layer \(layer)", shape, expert)
            down += both[..<width]
            up += both[width...]
        }
        return (down, up)
    }
}

extension WeightSource {
    /// The matrices of a layer's SwiGLU experts by their names in a checkpoint.
    fileprivate func matrices(_ layer: Int) throws -> [String: [Float]] {
        let table = try experts(layer: layer)
        guard table.parts.count == 3 else {
            throw CambiumError(
                .badTensor,
                "experts of layer \(layer) are \(table.parts), not gate, up and down")
        }
        var matrices: [String: [Float]] = [:]
        let ordinals = (0..<table.count).map { UInt32($0) }
        try table.visit(ordinals.span) { index, expert in
            var start = 0
            for (part, name) in zip(table.parts, ["gate", "up", "down"]) {
                let tensor = "model.layers.\(layer).mlp.experts.\(index).\(name)_proj.weight"
                let end = start + (part.byteCount ?? 0)
                matrices[tensor] = try widened(tensor, part, expert.extracting(start..<end))
                start = end
            }
        }
        return matrices
    }
}

/// Elements as floats; exact.
private func widened(_ name: String, _ shape: TensorShape, _ bytes: RawSpan) throws -> [Float] {
    guard [.f32, .f16, .bf16].contains(shape.type), bytes.byteCount == shape.byteCount else {
        let hint =
            shape.type == .i8
            ? ": it is quantised; train on the commit before that, and quantise afterwards" : ""
        throw CambiumError(
            .badTensor, "\(name) is \(shape); training reads F32, F16 and BF16\(hint)")
    }
    var values = FloatBuffer(count: shape.dimensions.reduce(1, *))
    var span = values.mutableSpan(0..<values.count)
    convertToFloat(bytes, type: shape.type, into: &span)
    return values.array(0..<values.count)
}
