internal import Elements

/// The policies by name; docs/merging.md tells what each does.
package enum PolicyKind: String, Sendable, CaseIterable {
    case none, ours, theirs, mean, ties, task, fisher, regmean

    /// Whether the weights of sides count.
    package var isWeighted: Bool { self == .mean || self == .fisher || self == .regmean }
}

/// What the policies `ties` and `task` take besides the sides.
package struct PolicyNumbers: Sendable {
    /// For `ties`, which share of each side's changes is kept.
    package var density: Double
    /// For `ties` and `task`, how much of the merged change is added to the base.
    package var scale: Double

    package init(density: Double, scale: Double) {
        self.density = density
        self.scale = scale
    }

    /// - Throws: `usage` for numbers that cannot be.
    func check() throws {
        guard density > 0, density <= 1 else {
            throw CambiumError(.usage, "a density of \(density); give a share above 0, at most 1")
        }
        guard scale.isFinite else {
            throw CambiumError(.usage, "a scale of \(scale); give a finite number")
        }
    }

    /// What the merge commit says about them.
    func recorded(_ policy: PolicyKind) -> [String: String] {
        switch policy {
        case .ties: ["merge.density": "\(density)", "merge.scale": "\(scale)"]
        case .task: ["merge.scale": "\(scale)"]
        default: [:]
        }
    }
}
