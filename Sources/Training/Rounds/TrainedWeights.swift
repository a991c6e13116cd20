internal import Elements
internal import Models
internal import Objects
internal import Snapshots
internal import Tensors

/// A tensor that a round made, with its name in a checkpoint.
typealias NewTensor = (name: String, shape: TensorShape, bytes: [UInt8])

/// The experts of a layer that a round made, as a store keeps them.
struct TrainedPool {
    let layer: Int
    let pool: String
    let kind: ObjectKind
    let parts: [TensorShape]
    let routerKind: RouterKind
    /// Each one's parts, one behind the other.
    let experts: [[UInt8]]
}

extension CommitDraft {
    /// Puts the hashed rows of a layer that something trained; all others are absent.
    mutating func put(_ rows: RowTable, layer: Int, pool: String) throws {
        let ids = rows.ids.sorted()
        try putRows(
            ids.map { Int($0) }, ids.flatMap { (rows[$0] ?? []).littleEndianBytes },
            parts: RowForm.floats(width: rows.width).parts, count: rows.count,
            layer: UInt32(layer), pool: pool)
    }

    /// Puts experts into a layer, with the tensors that route to them, and gives their ids.
    ///
    /// - Parameter before: The model so far: its pool of this layer and name is what they take the place of.
    @discardableResult
    mutating func put(
        _ pool: TrainedPool, router: [NewTensor], after before: Tree?
    ) throws -> [ObjectID] {
        let old = before?.layers[UInt32(pool.layer)]?.pools[pool.pool]
        let isAlike = old?.kind == pool.kind && old?.parts == pool.parts
        var versions: [Predecessor?]?
        if isAlike, let old {
            versions = try self.versions(ofArray: old.experts, 0..<pool.experts.count)
        }
        let header = try ObjectHeader(pool.kind, pool.parts)
        reserve(pool.experts.count)
        var ids: [ObjectID] = []
        ids.reserveCapacity(pool.experts.count)
        for (ordinal, expert) in pool.experts.enumerated() {
            ids.append(try put(header, expert.raw, after: versions?[ordinal] ?? nil))
        }
        var tensors: [String: StoredTensor] = [:]
        for (name, shape, bytes) in router {
            tensors[name] = try putTensor(shape, bytes.raw, after: old?.router[name])
        }
        tree.layers[UInt32(pool.layer), default: Layer()].pools[pool.pool] = ExpertPool(
            kind: pool.kind, parts: pool.parts, count: UInt64(ids.count),
            experts: putExperts(ids), routerKind: pool.routerKind, router: tensors)
        return ids
    }
}

/// A snapshot's weights with some tensors and experts that it does not hold yet.
struct TrainedWeights: WeightSource {
    private let base: SnapshotWeights
    private let tensors: [String: Weights]
    private let pools: [TrainedPool]
    private let rows: [Int: RowTable]

    /// - Parameter rows: An adapter's own, by layer.
    init(
        _ base: SnapshotWeights, _ tensors: [NewTensor], _ pools: [TrainedPool],
        rows: [Int: RowTable] = [:]
    ) {
        self.base = base
        self.pools = pools
        self.rows = rows
        self.tensors = Dictionary(
            tensors.map {
                ($0.name, Weights(shape: $0.shape, bytes: MappedBytes(copying: $0.bytes)))
            }, uniquingKeysWith: { $1 })
    }

    func tensor(_ name: String) throws -> Weights {
        if let found = tensors[name] { found } else { try base.tensor(name) }
    }

    func experts(layer: Int) throws -> any ExpertTable {
        try experts(layer: layer, of: ExpertPool.base)
    }

    func rows(layer: Int) throws -> [any ExpertTable] { try base.rows(layer: layer) }

    func experts(layer: Int, of pool: String) throws -> any ExpertTable {
        if pool != ExpertPool.base, let own = rows[layer] { return HeldRowTable(own) }
        guard let own = pools.first(where: { $0.layer == layer && $0.pool == pool }) else {
            return try base.experts(layer: layer, of: pool)
        }
        return HeldExpertTable(own.experts, parts: own.parts)
    }
}
