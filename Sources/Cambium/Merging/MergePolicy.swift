/// How conflicts of a merge are settled.
///
/// docs/merging.md has a table of which algebraic laws each obeys.
public enum MergePolicy: String, Sendable, CaseIterable {
    /// Conflicts are listed, and nothing is written.
    case none
    /// The first side that changed it: the target, then the branches in the order given.
    case ours
    /// The last side that changed it.
    case theirs
    /// The weighted mean of the sides that changed it. Lossy.
    case mean
    /// The greatest changes of each side, where the sides agree about the sign. Lossy.
    case ties
    /// The base and the sum of the sides' changes. Lossy.
    case task
    /// The mean weighted by the squared gradients that rounds recorded. Lossy.
    case fisher
    /// The linear map nearest to each side's on that side's inputs, as its moments tell them; else the
    /// mean. Lossy.
    case regmean
}

/// What the policies `ties` and `task` take besides the sides.
public struct PolicySettings: Sendable {
    /// For `ties`, which share of each side's changes is kept, above 0 to 1: the paper's k.
    public var density: Double
    /// For `ties` and `task`, how much of the merged change is added to the base: the papers' λ.
    public var scale: Double

    /// The settings of the papers, with the whole merged change added.
    public init(density: Double = 0.2, scale: Double = 1) {
        self.density = density
        self.scale = scale
    }

    /// - Throws: `usage` for settings that cannot be.
    func check() throws {
        guard density > 0, density <= 1 else {
            throw CambiumError(.usage, "a density of \(density); give a share above 0, at most 1")
        }
        guard scale.isFinite else {
            throw CambiumError(.usage, "a scale of \(scale); give a finite number")
        }
    }

    /// What the merge commit says about them.
    func recorded(_ policy: MergePolicy) -> [String: String] {
        switch policy {
        case .ties: ["merge.density": "\(density)", "merge.scale": "\(scale)"]
        case .task: ["merge.scale": "\(scale)"]
        default: [:]
        }
    }
}

extension MergePolicy {
    /// Whether the weights of sides count.
    public var isWeighted: Bool { self == .mean || self == .fisher || self == .regmean }
}
