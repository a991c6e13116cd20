internal import Elements
internal import Models
internal import Objects
internal import Snapshots

/// The weights that a solution starts from: the merged trunk and routers, and the experts of a base.
struct SolvedWeights: WeightSource {
    private let base: SnapshotWeights
    private let snapshot: MappedSnapshot
    private let trunk: [String: StoredTensor]
    private let routers: [String: Weights]
    private let policy: SolvePolicy
    /// By layer.
    private let added: [Int: [[UInt8]]]

    let releasesMap: Bool

    /// - Parameters:
    ///   - snapshot: Any source.
    ///   - trunk: The merged one.
    ///   - routers: Tensors of the merged routers.
    ///   - added: By layer, experts behind the base's.
    ///   - policy: Has what the store does not have of the trunk.
    init(
        _ snapshot: MappedSnapshot, trunk: [String: StoredTensor], routers: [String: Weights],
        added: [Int: [[UInt8]]], policy: SolvePolicy, residency: Residency
    ) {
        base = SnapshotWeights(snapshot, residency: residency, checks: true)
        self.snapshot = snapshot
        self.trunk = trunk
        self.routers = routers
        self.policy = policy
        self.added = added
        releasesMap = base.releasesMap
    }

    func tensor(_ name: String) throws -> Weights {
        if let router = routers[name] { return router }
        guard let entry = trunk[name] else { return try base.tensor(name) }
        if let made = policy.made(name) {
            return Weights(shape: entry.shape, bytes: MappedBytes(copying: made))
        }
        return Weights(shape: entry.shape, bytes: try snapshot.checked(entry.id).payload)
    }

    func experts(layer: Int) throws -> any ExpertTable {
        let own = try base.experts(layer: layer)
        return added[layer].map { GrownExpertTable(own, adding: $0) } ?? own
    }
}
