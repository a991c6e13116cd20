internal import Elements
internal import Snapshots

/// Keeps every side's version of what is in conflict, so that there is nothing to settle: what files disagree about
/// stays in conflict.
struct AlternativesPolicy: ConflictPolicy {
    let name = "alternatives"

    func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? { nil }
}
