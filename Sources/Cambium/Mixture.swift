internal import Elements
internal import Models
internal import Objects
internal import Routing
internal import Snapshots

extension MappedSnapshot {
    /// How counts predict beside the snapshot's models; nil where they do not.
    func mixture() throws(StoreError) -> MixtureDescription? {
        guard let file = tree.files[MixtureDescription.fileName] else { return nil }
        let bytes = try carrying { () throws(SnapshotError) in try object(file).payload.copy() }
        return try running { () throws(ModelError) in try MixtureDescription(bytes) }
    }
}

extension CommitDraft {
    /// Lets counts predict beside the models from this commit on.
    mutating func put(_ mixture: MixtureDescription) throws(StoreError) {
        try carrying { () throws(SnapshotError) in
            tree.files[MixtureDescription.fileName] = try put(.file, mixture.encoded)
        }
    }
}

/// Bytes in an n-gram of new evidence.
enum EvidenceOrder {
    /// What tells cohorts apart well at a small size.
    private static let ofGate = 3
    /// What predicts well beside a model; docs/continual.md has the figures.
    private static let ofPredictions = 6

    /// As the evidence that is there, of which a gate takes the lowest order; else what its use asks for.
    static func standard(_ known: [CountContribution], mixesCounts: Bool) -> Int {
        known.map(\.counts.order).min() ?? (mixesCounts ? ofPredictions : ofGate)
    }
}
