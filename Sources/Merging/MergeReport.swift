package import Snapshots

/// What a merge or a revert did, with the names of its sides and how far they are apart.
package struct MergeReport: Sendable {
    package let outcome: MergeOutcome
    /// The branch merged into.
    package let branch: String
    /// Of each side.
    package let names: [String]
    /// Of each conflict that is left, between the two sides that are farthest apart.
    package let distances: [ConflictDistance?]
    /// What else there is to say, for people.
    package let notes: [String]

    init(
        _ outcome: MergeOutcome, _ branch: String, _ names: [String], notes: [String] = [],
        _ store: SnapshotStore
    ) throws {
        self.outcome = outcome
        self.notes = notes
        self.branch = branch
        self.names = outcome.sides.indices.map { $0 < names.count ? names[$0] : "side \($0)" }
        var measure = ConflictMeasure(store)
        var distances: [ConflictDistance?] = []
        distances.reserveCapacity(outcome.conflicts.count)
        for conflict in outcome.conflicts { distances.append(try measure.distance(conflict)) }
        self.distances = distances
    }

}
