internal import Architectures
internal import Elements
internal import Models
internal import Objects
internal import Snapshots

/// What is solved of one layer's experts and router: what any source changed, in the sources' own versions.
struct SolvedPool {
    /// What a tensor of a router is.
    enum Part {
        case matrix, bias, other

        init(_ name: String) {
            if ExpertNames.routersInLayer.contains(where: { name.hasSuffix("." + $0) }) {
                self = .matrix
            } else if name.hasSuffix(".bias") {
                self = .bias
            } else {
                self = .other
            }
        }
    }

    let layer: UInt32
    /// As a base has it.
    let pool: ExpertPool
    let experts: [Int]
    let rows: [Int]
    /// The router's tensors by the three-way rule, the mean where sides disagree.
    private(set) var router: [String: [UInt8]] = [:]
    private let bases: [MappedExperts]
    private let sides: [MappedExperts]
    private let trees: MergeTrees
    private let mean: MeanPolicy
    /// Where every version of an expert is kept.
    private(set) var kept: KeptVersions?

    /// - Parameter always: Whether layers count in which no source differs from another.
    /// - Returns: Nil where no source differs from another.
    /// - Throws: `unsupported` where the layer's experts or router have not the same form everywhere.
    init?(
        _ layer: UInt32, _ trees: MergeTrees, bases: [MappedSnapshot], sides: [MappedSnapshot],
        always: Bool = false
    ) throws {
        let name = ExpertPool.base
        let pools = (bases + sides).map { $0.tree.layers[layer]?.pools[name] }
        guard
            always && pools[0] != nil || Set(pools.map { $0?.experts }).count > 1
                || Set(pools.map { $0?.router }).count > 1
        else { return nil }
        guard !pools.contains(where: { $0?.routerKind == .hash }) else {
            throw CambiumError(
                .unsupported,
                "hashed rows in front of layer \(layer) differ, and --policy solve solves experts that routers pick, "
                    + "not rows; merge by another policy, such as mean or alternatives")
        }
        guard let pool = pools[0],
            pools.allSatisfy({
                $0?.count == pool.count && $0?.parts == pool.parts && $0?.kind == pool.kind
                    && $0?.routerKind == pool.routerKind
                    && $0?.router.mapValues(\.shape) == pool.router.mapValues(\.shape)
            }), pool.routerKind == .linear
        else {
            throw CambiumError(
                .unsupported,
                "layer \(layer) has not the same number and form of experts, below linear routers, in "
                    + "all that is merged; --policy solve keeps them as they are: merge what added or "
                    + "removed some by another policy first")
        }
        self.layer = layer
        self.pool = pool
        self.trees = trees
        mean = MeanPolicy(weights: [Double](repeating: 1, count: sides.count))
        self.bases = bases.compactMap { $0.experts(layer: layer, pool: name) }
        self.sides = sides.compactMap { $0.experts(layer: layer, pool: name) }
        var experts: [Int] = []
        for ordinal in 0..<Int(pool.count) {
            let ids = Set(try (self.bases + self.sides).map { try $0.id(ordinal) })
            if ids.count > 1 { experts.append(ordinal) }
        }
        self.experts = experts
        var rows: Set<Int> = []
        for (tensor, entry) in pool.router {
            var versions: [[UInt8]] = []
            for snapshot in bases + sides {
                guard let own = snapshot.tree.layers[layer]?.pools[name]?.router[tensor] else {
                    continue
                }
                versions.append(try snapshot.data(of: own.id))
            }
            let (merged, changed) = try Self.merged(
                versions, bases.count, entry, Int(pool.count), trees, mean, tensor, layer)
            router[tensor] = merged
            if Part(tensor) != .other { rows.formUnion(changed) }
        }
        self.rows = rows.sorted()
    }

    /// A router's tensor row by row, and the rows that are not the same everywhere.
    private static func merged(
        _ versions: [[UInt8]], _ baseCount: Int, _ entry: StoredTensor, _ count: Int,
        _ trees: MergeTrees, _ mean: MeanPolicy, _ tensor: String, _ layer: UInt32
    ) throws -> (bytes: [UInt8], changed: [Int]) {
        var bytes = versions[0]
        var changed: [Int] = []
        let size = bytes.count / max(count, 1)
        let parts = [
            TensorShape(entry.shape.type, [size * 8 / max(entry.shape.type.bitWidth, 1)])
        ]
        for row in 0..<count {
            let range = row * size..<(row + 1) * size
            let slices = versions.map { Array($0[range]) }
            guard Set(slices).count > 1 else { continue }
            changed.append(row)
            let entity = MergeEntity.routerRow(
                layer: layer, pool: ExpertPool.base, tensor: tensor, row: row)
            bytes.replaceSubrange(
                range,
                with: try threeWay(slices, baseCount, trees, mean, entity, parts) { $0 })
        }
        return (bytes, changed)
    }

    /// A value by the three-way rule, the mean of the sides that stand where they disagree.
    private static func threeWay<Value: Equatable>(
        _ values: [Value], _ baseCount: Int, _ trees: MergeTrees, _ mean: MeanPolicy,
        _ entity: MergeEntity, _ parts: [TensorShape], bytes: (Value) throws -> [UInt8]
    ) throws -> [UInt8] {
        let sides = Array(values[baseCount...])
        switch trees.decide(bases: Array(values[..<baseCount]), sides: sides) {
        case .settled(let value): return try bytes(value)
        case .conflict(let standing):
            var all: [ConflictValue] = []
            for side in standing {
                all.append(ConflictValue(side: side, bytes: try bytes(sides[side])))
            }
            guard
                let made = mean.resolve(entity, parts: parts, base: nil, values: all)?.bytes
            else {
                throw CambiumError(
                    .unsupported,
                    "\(entity) is of \(parts), of which nothing can be solved; --policy solve takes "
                        + "floats of 16 bits and more")
            }
            return made
        }
    }

    /// The versions of all experts.
    ///
    /// - Parameter order: Of bases and sides, by their content.
    func versions(order: [Int]) throws -> KeptVersions {
        try KeptVersions(experts, count: Int(pool.count), sources: bases + sides, order: order)
    }

    /// Makes room for every version of each expert, and so many slots behind the layer's own.
    ///
    /// Rows begin as those of the first base, or of the source that a version is of.
    mutating func keep(_ versions: KeptVersions, added: Int, snapshots: [MappedSnapshot]) throws {
        var kept = versions
        kept.fill(to: added, first: try bases[0].id(0))
        self.kept = kept
        for (tensor, entry) in pool.router {
            var bytes = try snapshots[0].data(of: entry.id)
            let size = bytes.count / max(Int(pool.count), 1)
            for version in kept.added {
                let own = snapshots[version.source].tree.layers[layer]?.pools[ExpertPool.base]?
                    .router[tensor]
                let rows = try snapshots[version.source].data(of: own?.id ?? entry.id)
                bytes += rows[version.expert * size..<(version.expert + 1) * size]
            }
            router[tensor] = bytes
        }
    }

    /// The shape of a router's tensor in the merged model.
    func shape(_ entry: StoredTensor) -> TensorShape {
        guard let kept else { return entry.shape }
        return TensorShape(
            entry.shape.type,
            [Int(pool.count) + kept.added.count] + entry.shape.dimensions.dropFirst())
    }

    /// The bytes of a slot where every version is kept.
    func slot(_ number: Int) throws -> [UInt8] {
        guard let kept, number >= Int(pool.count) else { return try bases[0].data(number) }
        let version = kept.added[number - Int(pool.count)]
        return try (bases + sides)[version.source].data(version.expert)
    }

    /// An expert's bytes in a source, checked against their name.
    ///
    /// - Parameter place: Among bases and then sides; nil for what the solution starts from.
    func version(_ expert: Int, _ place: Int?) throws -> [UInt8] {
        let all = bases + sides
        if let place { return try all[place].data(expert) }
        let ids = try all.map { try $0.id(expert) }
        return try Self.threeWay(
            ids, bases.count, trees, mean,
            .expert(layer: layer, pool: ExpertPool.base, ordinal: expert), pool.parts
        ) { id in
            guard let place = ids.firstIndex(of: id) else { return [] }
            return try all[place].data(expert)
        }
    }

    /// The stored type of the router's bias; of the matrix where there is none.
    var biasType: ElementType {
        let bias = pool.router.first { Part($0.key) == .bias } ?? pool.router.first
        return bias?.value.shape.type ?? .f32
    }

    /// Puts what was solved into a draft.
    func put(_ solved: SolvedLayer, into draft: inout CommitDraft) throws {
        let header = try ObjectHeader(pool.kind, pool.parts)
        var changes: [Int: ObjectID] = [:]
        for (ordinal, bytes) in solved.experts.sorted(by: { $0.key < $1.key }) {
            let expert =
                ordinal < Int(pool.count)
                ? ordinal : kept?.added[ordinal - Int(pool.count)].expert ?? 0
            changes[ordinal] = try draft.put(
                header, bytes.raw, after: bases[0].predecessor(expert))
        }
        for (index, version) in (kept?.added ?? []).enumerated() {
            let slot = Int(pool.count) + index
            if changes[slot] == nil { changes[slot] = version.id }
        }
        var merged = pool
        let array = try draft.putExperts(changing: pool.experts, changes)
        merged.experts = array.root
        merged.count = UInt64(array.count)
        for (tensor, bytes) in router {
            guard let entry = pool.router[tensor] else { continue }
            var bytes = bytes
            let own =
                Part(tensor) == .matrix ? solved.rows : Part(tensor) == .bias ? solved.biases : [:]
            let shape = shape(entry)
            let size = bytes.count / max(shape.dimensions.first ?? 1, 1)
            for (row, values) in own {
                bytes.replaceSubrange(row * size..<(row + 1) * size, with: values)
            }
            merged.router[tensor] = try draft.putTensor(
                shape, bytes.raw, after: shape == entry.shape ? entry : nil)
        }
        draft.tree.layers[layer]?.pools[ExpertPool.base] = merged
    }
}
