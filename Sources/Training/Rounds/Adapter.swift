internal import Architectures
internal import Elements
package import Models
package import Tensors

/// What one round adds to a frozen base: deltas of dense weights, active when the adapter is.
///
/// The adapter's weights are base + delta in 32-bit floats, one rounding per weight; a low-rank delta
/// is b a, summed in ascending rank by fused products from 0. Training and inference agree on this.
package final class Adapter: TrainedParameters {
    package enum Kind: Sendable, Hashable {
        /// Full-rank deltas of every dense weight (not of expert layers).
        case dense
        /// Low-rank deltas of every matrix, embedding and head (Hu et al., LoRA, 2106.09685).
        case lowRank(Int)
        /// Full-rank deltas of the embedding, the norms and the head alone.
        case small

        fileprivate var isLowRank: Bool { described == .lora }

        /// As a store calls it.
        var described: AdapterDescription.Kind {
            switch self {
            case .dense: .dense
            case .lowRank: .lora
            case .small: .small
            }
        }
    }

    package let base: TrainableModel
    package let kind: Kind
    package let usesExperts: Bool
    /// The adapter's own, in place of the base's; nil for none.
    package let experts: AdapterExperts?
    package let trainsExperts: Bool
    /// Base + delta, and the adapter's own experts.
    package let model: TrainableModel
    /// Hashed experts of its own, which are added to the base's; none beside other experts of its own.
    package let trainedRows: [RowTable]
    package let values: FloatMemory
    package let segments: [TrainedSegment]
    private let parts: [Part]

    /// How one tensor of the model follows from `values`.
    private enum Part {
        /// base + delta; the delta lies at the model's place.
        case delta(ParameterLayout.Entry, base: Range<Int>)
        /// base + b a: [rank, columns] and [rows, rank].
        case factors(ParameterLayout.Entry, base: Range<Int>, a: Range<Int>, b: Range<Int>)
        /// Of an expert layer: the values themselves.
        case own(ParameterLayout.Entry, Range<Int>)
        /// As in the base.
        case kept(ParameterLayout.Entry, base: Range<Int>)
    }

    /// An adapter that changes nothing yet: deltas are 0 (of low rank: b is 0, a is normal with
    /// deviation 1 / √columns), and its experts give 0 (v, down), their other weights random.
    ///
    /// - Parameters:
    ///   - base: Not changed.
    ///   - usesExperts: Whether the base's expert layers run while the adapter is active.
    ///   - experts: The adapter's own, with `usesExperts` false; they fit the base's layers.
    package init(
        on base: TrainableModel, kind: Kind, usesExperts: Bool, experts: AdapterExperts? = nil,
        seed: UInt64
    ) {
        self.base = base
        self.kind = kind
        self.experts = experts
        if case .neurons = experts { trainsExperts = true } else { trainsExperts = false }
        guard let experts, let config = try? experts.config(on: base.config) else {
            precondition(experts == nil, "experts that do not fit the base")
            self.usesExperts = usesExperts
            model = base.sharingExperts(addsRows: true)
            trainedRows = model.rows.map { $0[$0.count - 1] }
            (parts, values, segments) = Self.parts(kind, base, model, seed)
            apply()
            return
        }
        precondition(!usesExperts, "the base's experts and others in their place")
        self.usesExperts = true
        model = TrainableModel(config: config, seed: seed, rows: base.rows)
        trainedRows = []
        (parts, values, segments) = Self.parts(kind, base, model, seed)
        for case .own(let entry, let range) in parts where !entry.name.hasSuffix("down_proj.weight")
        {
            values[range].copy(model.weights[entry.range])
        }
        let width = config.hiddenSize
        for pool in model.experts {
            for row in stride(from: 1, to: pool.count / width, by: 2) {
                pool[row * width..<(row + 1) * width].fill(0)
            }
        }
        apply()
    }

    private static func parts(
        _ kind: Kind, _ base: TrainableModel, _ model: TrainableModel, _ seed: UInt64
    ) -> ([Part], FloatMemory, [TrainedSegment]) {
        let places = Dictionary(
            base.layout.entries.map { ($0.name, $0.range) }, uniquingKeysWith: { $1 })
        let isOwn = model.config != base.config
        var (parts, count) = ([Part](), 0)
        for entry in model.layout.entries {
            let place = places[entry.name]
            if entry.isOfExperts {
                if isOwn {
                    let range = !kind.isLowRank ? entry.range : count..<count + entry.range.count
                    parts.append(.own(entry, range))
                    count = range.upperBound
                } else if let place {
                    parts.append(.kept(entry, base: place))
                }
            } else if let place {
                switch kind {
                case .dense: parts.append(.delta(entry, base: place))
                case .small:
                    let isDelta = [.embedding, .norm, .head].contains(entry.role)
                    parts.append(isDelta ? .delta(entry, base: place) : .kept(entry, base: place))
                case .lowRank(let rank):
                    precondition(rank >= 1, "deltas of rank \(rank)")
                    guard entry.shape.count == 2 else {
                        parts.append(.kept(entry, base: place))
                        continue
                    }
                    let a = count..<count + rank * entry.shape[1]
                    let b = a.upperBound..<a.upperBound + entry.shape[0] * rank
                    parts.append(.factors(entry, base: place, a: a, b: b))
                    count = b.upperBound
                }
            }
        }
        let values = FloatMemory(count: kind.isLowRank ? count : model.layout.count)
        var noise = NormalNoise(seed: seed)
        var segments: [TrainedSegment] = []
        for part in parts {
            switch part {
            case .delta(let entry, _):
                segments.append(TrainedSegment(range: entry.range, decays: false))
            case .factors(let entry, _, let a, let b):
                noise.fill(values[a], deviation: 1 / Float(entry.shape[1]).squareRoot())
                segments.append(TrainedSegment(range: a.lowerBound..<b.upperBound, decays: false))
            case .own(_, let range): segments.append(TrainedSegment(range: range, decays: false))
            case .kept: continue
            }
        }
        return (parts, values, segments)
    }

    /// Goes on from an adapter that was trained before.
    ///
    /// - Parameter source: Has the adapter's tensors, by the names that ``tensors(named:)`` gives, and its
    ///   experts.
    /// - Throws: `.missingTensor` or `.badTensor`, naming it.
    package func load(_ name: String, from source: some WeightSource) throws {
        for tensor in stored(named: name) {
            guard let values = try source.floats(tensor.name) else {
                throw CambiumError(.missingTensor, "there is no tensor \(tensor.name)")
            }
            guard values.count == tensor.range.count else {
                throw CambiumError(
                    .badTensor,
                    "tensor \(tensor.name) has \(values.count) elements; the adapter has "
                        + "\(tensor.range.count)")
            }
            self.values[tensor.range].copy(values)
        }
        try loadExperts(name, from: source)
        apply()
    }

    private func loadExperts(_ name: String, from source: some WeightSource) throws {
        for (layer, table) in ownRows {
            try table.add(try source.experts(layer: layer, of: name), layer)
        }
        for (slot, layer) in (experts?.layers ?? []).enumerated() {
            let rows = try source.expertElements(layer, of: name)
            let own = expertRanges(layer)
            let size =
                own.isEmpty ? 2 * model.config.hiddenSize : own[0].reduce(0) { $0 + $1.count }
            guard rows.count == (experts?.count ?? 0) * size else {
                throw CambiumError(
                    .badTensor,
                    "the experts of adapter \(name) in layer \(layer) have \(rows.count) elements; "
                        + "the adapter's description says \((experts?.count ?? 0) * size)")
            }
            guard !own.isEmpty else {
                model.experts[slot].slice.copy(rows)
                continue
            }
            var next = 0
            for range in own.joined() {
                values[range].copy(Array(rows[next..<next + range.count]))
                next += range.count
            }
        }
    }

    /// Where the matrices of a layer's SwiGLU experts lie in `values`, expert by expert.
    private func expertRanges(_ layer: Int) -> [[Range<Int>]] {
        guard case .swiglu(let sizes, _) = experts else { return [] }
        let prefix = "model.layers.\(layer).mlp.experts."
        var found: [Range<Int>] = []
        for case .own(let entry, let range) in parts
        where entry.role == .expert && entry.name.hasPrefix(prefix) { found.append(range) }
        let each = found.count / sizes.experts
        return (0..<sizes.experts).map { Array(found[$0 * each..<($0 + 1) * each]) }
    }

    /// The names of the tensors that a store keeps of the adapter.
    package func tensorNames(_ name: String) -> [String] { stored(named: name).map(\.name) }

    private func stored(named name: String) -> [(name: String, shape: [Int], range: Range<Int>)] {
        parts.flatMap { part -> [(name: String, shape: [Int], range: Range<Int>)] in
            switch part {
            case .delta(let entry, _):
                return [(AdapterTensorName.prefix(of: name) + entry.name, entry.shape, entry.range)]
            case .factors(let entry, _, let a, let b):
                let tensor = AdapterTensorName.prefix(of: name) + entry.name
                let rank = a.count / entry.shape[1]
                return [
                    (tensor + ".a", [rank, entry.shape[1]], a),
                    (tensor + ".b", [entry.shape[0], rank], b),
                ]
            case .own(let entry, let range):
                guard entry.role != .expert else { return [] }
                return [(AdapterTensorName.prefix(of: name) + entry.name, entry.shape, range)]
            case .kept: return []
            }
        }
    }

    /// Parameters that the adapter adds.
    package var parameterCount: Int {
        segments.reduce(0) { $0 + $1.range.count }
            + trainedRows.reduce(0) { $0 + $1.ids.count * $1.width }
            + (trainsExperts ? model.experts.reduce(0) { $0 + $1.count } : 0)
    }

    package func convert(_ gradient: FloatSlice, into own: FloatSlice) {
        guard kind.isLowRank else { return own.copy(gradient) }
        for part in parts {
            switch part {
            case .factors(let entry, _, let aRange, let bRange):
                let (rows, columns) = (entry.shape[0], entry.shape[1])
                let rank = aRange.count / columns
                let whole = MatrixSlice(gradient[entry.range], rows: rows, columns: columns)
                let a = MatrixSlice(values[aRange], rows: rank, columns: columns)
                let b = MatrixSlice(values[bRange], rows: rows, columns: rank)
                multiply(
                    b.transposed, whole,
                    into: MatrixSlice(own[aRange], rows: rank, columns: columns))
                multiply(
                    whole, a.transposed,
                    into: MatrixSlice(own[bRange], rows: rows, columns: rank))
            case .own(let entry, let range): own[range].copy(gradient[entry.range])
            case .delta, .kept: continue
            }
        }
    }

    package func apply() {
        for part in parts {
            switch part {
            case .delta(let entry, let place):
                model.weights[entry.range].copy(base.weights[place])
                model.weights[entry.range].add(values[entry.range])
            case .factors(let entry, let place, let a, let b):
                model.weights[entry.range].copy(base.weights[place])
                model.weights[entry.range].add(product(entry, a, b).slice)
            case .own(let entry, let range): model.weights[entry.range].copy(values[range])
            case .kept(let entry, let place):
                model.weights[entry.range].copy(base.weights[place])
            }
        }
    }

    /// b a.
    private func product(
        _ entry: ParameterLayout.Entry, _ a: Range<Int>, _ b: Range<Int>
    ) -> FloatMemory {
        let (rows, columns) = (entry.shape[0], entry.shape[1])
        let rank = a.count / columns
        let delta = FloatMemory(count: rows * columns)
        for row in 0..<rows {
            let target = delta[row * columns..<(row + 1) * columns]
            for index in 0..<rank {
                let start = a.lowerBound + index * columns
                target.add(
                    values[start..<start + columns],
                    times: values.slice[b.lowerBound + row * rank + index])
            }
        }
        return delta
    }

    /// What a store keeps of the adapter: `cohorts.NAME.TENSOR` holds a full-rank delta or the router of
    /// its own experts, `cohorts.NAME.TENSOR.a` and `.b` a low-rank delta.
    package func tensors(named name: String) -> [NamedTensor] {
        stored(named: name).map {
            NamedTensor(name: $0.name, shape: $0.shape, values: values[$0.range].array)
        }
    }

    /// The adapter's own experts in a layer, each as a store keeps it: a neuron's rows u and v, or gate, up
    /// and down.
    package func experts(layer: Int) -> [[Float]] {
        guard let experts, let slot = experts.layers.firstIndex(of: layer) else { return [] }
        if case .swiglu = experts {
            return expertRanges(layer).map { $0.flatMap { values[$0].array } }
        }
        let (size, pool) = (2 * model.config.hiddenSize, model.experts[slot])
        return (0..<experts.count).map { pool[$0 * size..<($0 + 1) * size].array }
    }

    /// Whether the base's experts run while the adapter is active, which then must stay as they are.
    package var runsBaseExperts: Bool { usesExperts && experts == nil }

    /// Its hashed experts by layer.
    var ownRows: [Int: RowTable] {
        Dictionary(
            uniqueKeysWithValues: zip(
                trainedRows.isEmpty ? [] : model.config.hash?.layers ?? [], trainedRows))
    }

    /// What the tensor of U8 says that describes the adapter.
    ///
    /// - Parameters:
    ///   - base: The digest of the base's trunk.
    ///   - start: The adapter as which it began; nil for none.
    package func description(base: String, startedFrom start: String? = nil) -> AdapterDescription {
        AdapterDescription(
            kind: kind.described, usesExperts: runsBaseExperts,
            experts: experts, rows: ownRows.keys.sorted(), base: base,
            startedFrom: start)
    }
}
