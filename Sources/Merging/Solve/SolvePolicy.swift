internal import Architectures
internal import Elements
internal import Objects
internal import Snapshots
internal import Synchronization

/// What stands in for a conflict until all changed experts and rows are solved (``SolveForm``): of those a side's
/// version, of all else the mean.
struct SolvePolicy: ConflictPolicy {
    let name = PolicyKind.solve.rawValue
    private let mean: MeanPolicy
    private let means = Means()

    /// - Parameter sides: How many.
    init(sides: Int) { mean = MeanPolicy(weights: [Double](repeating: 1, count: sides)) }

    func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? {
        if Self.isSolved(entity) {
            // The first by its bytes, which the store has already.
            return ConflictSides(values, parts)?.sides.first.map {
                ConflictValue(side: $0.index, bytes: $0.bytes)
            }
        }
        let made = mean.resolve(entity, parts: parts, base: base, values: values)
        if case .trunk(let name) = entity { means.made.withLock { $0[name] = made?.bytes } }
        return made
    }

    /// Whether what is in conflict is solved afterwards.
    static func isSolved(_ entity: MergeEntity) -> Bool {
        switch entity {
        case .expert(_, let pool, _), .routerRow(_, let pool, _, _): pool == ExpertPool.base
        default: false
        }
    }

    /// The bytes of a dense tensor that was made.
    func made(_ tensor: String) -> [UInt8]? { means.made.withLock { $0[tensor] } }
}

/// Dense tensors that a merge made and the store does not have yet.
private final class Means: Sendable {
    let made = Mutex<[String: [UInt8]]>([:])
}
