package import Elements
package import Snapshots

/// Trim, elect sign and merge (Yadav et al., TIES-Merging, arXiv 2306.01708), entity by entity.
///
/// Of each side's difference from the base the share `density` with the greatest magnitudes is kept;
/// what equals the smallest that is kept stays too. Per element the sign of the sum wins, and the mean of
/// the differences of that sign, times `scale`, is added to the base; where the sum is 0, the base stays.
/// The paper trims over the whole model, and with it what only one side changed; a three-way merge asks
/// about single experts, rows and tensors that several sides changed, so it trims within each.
///
/// Commutative: sums run over the sides in the order of their bytes. Neither associative nor, below a
/// density of 1, idempotent: a side merged with itself loses what is trimmed. Without a base, or with a
/// difference that is not finite, the conflict stands.
package struct TiesPolicy: ConflictPolicy {
    package let name = "ties"
    /// The paper's k: the share of each difference that is kept, above 0 to 1.
    package let density: Double
    /// The paper's λ: how much of the merged difference is added.
    package let scale: Double

    package init(density: Double = 0.2, scale: Double = 1) {
        precondition(density > 0 && density <= 1 && scale.isFinite, "\(density), \(scale)")
        self.density = density
        self.scale = scale
    }

    package func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? {
        ConflictSides.merged(values, parts, onto: base, trimming: trim) { deltas, element in
            var sum = 0.0
            for delta in deltas { sum += delta[element] }
            var (total, count) = (0.0, 0.0)
            for delta in deltas where sum > 0 ? delta[element] > 0 : sum < 0 && delta[element] < 0 {
                total += delta[element]
                count += 1
            }
            return count == 0 ? nil : scale * total / count
        }
    }

    /// Zeroes all but the greatest magnitudes.
    private func trim(_ delta: [Double]) -> [Double] {
        let count = max(1, Int((density * Double(delta.count)).rounded(.up)))
        guard count < delta.count else { return delta }
        let least = delta.map(abs).sorted(by: >)[count - 1]
        return delta.map { abs($0) >= least ? $0 : 0 }
    }
}

/// Task arithmetic (Ilharco et al., Editing models with task arithmetic, arXiv 2212.04089): the base plus
/// `scale` times the sum of the sides' differences from it, entity by entity.
///
/// Commutative. As real numbers and with a scale of 1 also associative over one base, since differences
/// add; each merge rounds to the stored type, so the bits are not. Not idempotent: a side merged with
/// itself counts twice. Without a base, or with a difference that is not finite, the conflict stands.
package struct TaskPolicy: ConflictPolicy {
    package let name = "task"
    /// The paper's λ.
    package let scale: Double

    package init(scale: Double = 1) {
        precondition(scale.isFinite, "a scale of \(scale)")
        self.scale = scale
    }

    package func resolve(
        _ entity: MergeEntity, parts: [TensorShape], base: [UInt8]?, values: [ConflictValue]
    ) -> ConflictValue? {
        ConflictSides.merged(values, parts, onto: base) { deltas, element in
            var sum = 0.0
            for delta in deltas { sum += delta[element] }
            return scale * sum
        }
    }
}
