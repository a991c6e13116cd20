package import Elements
internal import Evidence
package import Snapshots

/// Adds up what several sides recorded of one object, whatever policy settles the rest: recorded
/// gradients are no part of the model, and shall not keep it from merging.
package struct SquaredGradientSums: ConflictPolicy {
    package let name: String
    private let other: (any ConflictPolicy)?

    /// - Parameters:
    ///   - other: What settles all other conflicts; nil for nothing.
    ///   - name: The policy that the merge commit records.
    package init(_ other: (any ConflictPolicy)?, name: String) {
        self.other = other
        self.name = name
    }

    package func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? {
        if case .file(let name) = entity, name.hasPrefix(FisherFile.prefix),
            let sum = FisherFile.sum(values, name)
        {
            return sum
        }
        return other?.resolve(entity, parts: parts, base: base, values: values)
    }
}
