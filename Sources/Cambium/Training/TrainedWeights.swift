internal import Checkpoints
internal import Elements
internal import Models
internal import Snapshots
internal import Tensors

/// A tensor that a round made, with its name in a checkpoint.
typealias CohortTensor = (name: String, shape: TensorShape, bytes: [UInt8])

/// A snapshot's weights with some tensors and experts that it does not hold yet.
struct TrainedWeights: WeightSource {
    private let base: SnapshotWeights
    private let tensors: [String: Weights]
    private let pools: [CohortPool]

    init(_ base: SnapshotWeights, _ tensors: [CohortTensor], _ pools: [CohortPool]) {
        self.base = base
        self.pools = pools
        self.tensors = Dictionary(
            tensors.map {
                ($0.name, Weights(shape: $0.shape, bytes: MappedBytes(copying: $0.bytes)))
            }, uniquingKeysWith: { $1 })
    }

    func tensor(_ name: String) throws -> Weights {
        if let found = tensors[name] { found } else { try base.tensor(name) }
    }

    func experts(layer: Int) throws -> any ExpertTable {
        try experts(layer: layer, of: Snapshots.Cohort.base)
    }

    func experts(layer: Int, of cohort: String) throws -> any ExpertTable {
        guard let pool = pools.first(where: { $0.layer == layer && $0.cohort == cohort }) else {
            return try base.experts(layer: layer, of: cohort)
        }
        return HeldExpertTable(pool.experts, parts: pool.parts)
    }
}
