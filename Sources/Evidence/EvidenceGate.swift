package import Elements
package import Models
package import Objects
package import Routing
package import Snapshots

/// A gate solved from n-gram counts, with the names of its classes.
package struct EvidenceGate: Sendable {
    /// Of its canonical form: the same set of evidence, the same id.
    package let id: ObjectID
    /// The classes, by ascending name.
    package let adapters: [String]
    /// Picks among the classes, by their positions in `adapters`.
    package let solved: CountGate
    /// How many bits the texts of some classes owe, by their names: in the model that the gate picks in.
    package var handicaps: [String: Int] = [:]

    /// - Returns: Nil without contributions.
    /// - Throws: `usage` for a set that no gate can be solved from; `corrupt`.
    package init?(_ contributions: [CountContribution]) throws {
        guard !contributions.isEmpty else { return nil }
        let settings = CountGate.Settings.standard
        let (classes, gate) = try counted(.corrupt) {
            let classes = try CountGate.classes(of: contributions)
            return (classes, try CountGate(classes.map(\.counts), settings: settings))
        }
        solved = gate
        adapters = classes.map(\.name)
        id = try ObjectID(ofFile: CountGate.encoded(classes, settings))
    }

    /// The shares of the adapters after a text, the greatest first, equal ones by name.
    package func shares(after text: [UInt8]) -> [(adapter: String, weight: Double)] {
        var state = start
        for byte in text { solved.advance(&state, byte) }
        return shares(state)
    }

    /// As ``shares(after:)-([UInt8])``, of a text that is read part by part.
    package func shares(after text: TextSource) throws -> [(adapter: String, weight: Double)] {
        var state = start
        try text.parts(of: 1 << 16) { for byte in $0 { solved.advance(&state, byte) } }
        return shares(state)
    }

    private var start: CountGate.State {
        solved.start(behind: adapters.map { handicaps[$0] ?? 0 })
    }

    private func shares(_ state: CountGate.State) -> [(adapter: String, weight: Double)] {
        let weights = solved.weights(state).map { Int($0) }
        return adapters.shares(weights, of: weights.reduce(0, +))
    }
}

extension [String] {
    /// Counts of names that are in the order of their bytes as shares of a sum, the greatest first, equal ones
    /// by name.
    func shares(_ counts: [Int], of sum: Int) -> [(adapter: String, weight: Double)] {
        // Indexes, since names are in the order of their bytes.
        indices.sorted { (counts[$0], $1) > (counts[$1], $0) }
            .map { (self[$0], Double(counts[$0]) / Double(sum)) }
    }
}

extension MappedSnapshot {
    /// The gate that the evidence is solved to; nil without evidence.
    ///
    /// - Throws: `corrupt` for a record that is not one.
    /// - Complexity: Reads and adds all records.
    package func gate() throws -> EvidenceGate? { try EvidenceGate(evidence().counts) }

    /// As ``gate()``, of a snapshot that must have evidence.
    ///
    /// - Throws: `not-found` without evidence; `corrupt` for a record that is not one.
    package func knownGate() throws -> EvidenceGate {
        guard var gate = try gate() else {
            throw CambiumError(
                .notFound,
                "\(id.short) has no evidence; add some: cambium evidence add --adapter NAME "
                    + "--text FILE")
        }
        // Of a model that cannot be opened the gate can be asked all the same.
        if let adapters = try? StoredAdapters(self) {
            gate.handicaps = Dictionary(
                uniqueKeysWithValues: zip(adapters.names, adapters.descriptions.map(\.handicap)))
        }
        return gate
    }
}

extension SnapshotModel {
    /// A snapshot's model, its adapters picked by the gate of its evidence.
    package init(_ snapshot: MappedSnapshot, memoryLimit: Int? = nil, checks: Bool = false) throws {
        try self.init(snapshot, memoryLimit: memoryLimit, checks: checks) {
            try snapshot.gate().map { ($0.solved, $0.adapters) }
        }
    }
}

extension SnapshotStore {
    /// Maps a revision's model for running.
    ///
    /// - Parameter warms: Whether it asks for the experts that the snapshot's usage profile names, if there is one.
    package func model(
        at revision: String, memoryLimit: Int? = nil, warms: Bool = false
    ) throws -> SnapshotModel {
        let snapshot = try map(at: revision, keepsDecompressed: memoryLimit == nil)
        let running = try SnapshotModel(snapshot, memoryLimit: memoryLimit)
        if warms, let bytes = profile(of: snapshot.id),
            let profile = try? ExpertProfile(decoding: bytes)
        {
            // Up to half of a limit.
            try running.model.base.warm(profile, byteLimit: memoryLimit.map { $0 / 2 })
        }
        return running
    }

    /// Counts which experts a revision's model picks on a text, and keeps the counts beside the store's data.
    ///
    /// - Returns: The commit, the file, and how many experts were picked, of how many bytes.
    package func profile(
        at revision: String, _ progress: ProgressReporter,
        of text: (TextVocabulary) throws -> TokenSource
    ) throws -> (commit: ObjectID, path: String, experts: Int, bytes: Int) {
        let running = try model(at: revision)
        let profile = try running.profile(try text(running.vocabulary), progress)
        let path = try keepProfile(profile.encoded, of: running.commit)
        let bytes = running.model.base.byteCount(of: profile)
        return (running.commit, path, profile.expertCount, bytes)
    }
}
