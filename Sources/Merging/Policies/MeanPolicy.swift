package import Elements
package import Snapshots

/// The weighted mean of the sides that changed an entity, element by element.
///
/// Lossy, and asked for by name. Sums run in double, over the sides in the order of their bytes, and
/// are rounded once to the stored type (nearest, ties to even): the result depends on the values and
/// weights alone, not on the order of the sides. So it is commutative, and idempotent; it is not
/// associative: the mean of a mean and a third side weighs the third more.
package struct MeanPolicy: ConflictPolicy {
    package let name = "mean"
    /// One weight per side, the target's first.
    package let weights: [Double]

    package init(weights: [Double]) { self.weights = weights }

    package func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? {
        // A removal has no mean, and neither have texts and integers.
        guard let sides = ConflictSides(values, parts, rank: { [weights[$0.index]] }) else {
            return nil
        }
        let total = sides.sides.reduce(0) { $0 + weights[$1.index] }
        guard total > 0 else { return nil }
        return sides.made(
            (0..<sides.count).map { element in
                var sum = 0.0
                for side in sides.sides { sum += weights[side.index] * side.values[element] }
                return sum / total
            })
    }
}
