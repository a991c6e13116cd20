/// The policies by name; docs/merging.md tells what each does.
package enum PolicyKind: String, Sendable, CaseIterable {
    case none, ours, theirs, mean, ties, task, fisher, regmean, alternatives, solve

    /// Whether the weights of sides count.
    package var isWeighted: Bool { self == .mean || self == .fisher || self == .regmean }
}

/// What the policies `ties` and `task` take besides the sides: which share of each side's changes is kept, for
/// `ties`, and how much of the merged change is added to the base.
package typealias PolicyNumbers = (density: Double, scale: Double)

extension PolicyKind {
    /// What the merge commit says about the numbers that the policy takes.
    func recorded(_ numbers: PolicyNumbers) -> [String: String] {
        switch self {
        case .ties: ["merge.density": "\(numbers.density)", "merge.scale": "\(numbers.scale)"]
        case .task: ["merge.scale": "\(numbers.scale)"]
        default: [:]
        }
    }
}
