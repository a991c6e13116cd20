internal import Snapshots

/// What the models of branches have in common.
public struct SharingFigure: Sendable, Encodable {
    /// Of the models that are compared; nil for fewer than two.
    public let shared: SharedContents?
    /// Branches that were left out, since there are many, or their models have many experts.
    public let leftOut: [String]
}

extension Figures {
    /// Experts that are compared at most, over all models.
    private static let mostCompared = 4_000_000

    /// What the models of the revisions have in common; of all branches when fewer than two were named.
    ///
    /// - Parameter limit: Models at most, those whose commits are the newest.
    /// - Complexity: Reads the ids of all experts.
    public func sharing(limit: Int = 16) throws -> SharingFigure {
        var names: [String] = []
        for name in revisions where !name.contains("..") && !names.contains(name) {
            names.append(name)
        }
        if names.count < 2 {
            names = try store.branches().sorted { ($0.time, $1.name) > ($1.time, $0.name) }.map(
                \.name)
        }
        var (taken, rest): ([String], Int) = ([], Self.mostCompared)
        for name in names.prefix(limit) {
            let tree = try store.tree(name)
            rest -= tree.layers.values.reduce(0) { sum, layer in
                sum + layer.pools.values.reduce(0) { $0 + Int(clamping: $1.count) }
            }
            if rest < 0, taken.count >= 2 { break }
            taken.append(name)
        }
        let leftOut = names.filter { !taken.contains($0) }
        guard taken.count >= 2 else { return SharingFigure(shared: nil, leftOut: leftOut) }
        return SharingFigure(
            shared: try store.shared(taken.sorted(), values: false), leftOut: leftOut)
    }
}
