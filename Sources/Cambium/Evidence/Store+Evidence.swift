internal import Checkpoints
internal import Evidence
internal import Objects
internal import Routing
internal import Snapshots

/// One contribution of evidence in a snapshot.
public struct EvidenceInfo: Sendable, Encodable, Equatable {
    /// Names the record: the SHA-256 of its canonical form.
    public let id: String
    /// The class that its text belongs to; "base" for what the base model learned.
    public let adapter: String
    /// What was counted: `counts`, n-grams of bytes; `gram`, sums over the states in front of a
    /// layer's experts; `routes`, what linear routers decided; `states`, what expert layers read;
    /// `activations`, how often experts were picked; or `excerpts`, windows of the text itself.
    public let kind: String
    /// Which round or data it is of, as it was given.
    public let label: String
    /// Of counts, bytes in an n-gram.
    public let order: Int?
    /// Of counts, different n-grams.
    public let distinct: Int?
    /// Of Gram sums, the number of the layer.
    public let layer: Int?
    /// Of Gram sums, names what the states are computed by; of routes and use, the model that read the text.
    public let trunk: String?
    /// Of Gram sums, names what makes integers of the states: the SHA-256 of its canonical form.
    public let quantiser: String?
    /// Of routes and of Gram sums over picks, how many experts there were to pick; nil of Gram sums for the
    /// adapters' gate.
    public let experts: Int?
    /// Of routes and states, the numbers of the layers.
    public let layers: [Int]?
    /// Of routes, the tokens of the text; of states, those that have one.
    public let tokens: Int?
    /// Of excerpts, how many there are.
    public let windows: Int?
    /// Bytes of the text.
    public let bytes: Int
    /// The id that the text would have as an object of a store.
    public let data: String
    /// Bytes of the record.
    public let recordBytes: Int
}

/// What adding or dropping evidence did.
public struct EvidenceResult: Sendable, Encodable {
    /// The contributions that were added or dropped.
    public let evidence: [EvidenceInfo]
    /// The gate of the new snapshot; nil when no evidence is left.
    public let gate: String?
    /// The commit's id; of the branch's head when nothing changed.
    public let commit: String
    /// The branch.
    public let branch: String
    /// After dropping, the adapters of the records whose weights stay in the model; nil after adding.
    public let adaptersWithWeights: [String]?
    /// True when the evidence was there, or gone, already; then no commit was made.
    public let unchanged: Bool
}

extension Store {
    /// Counts texts as evidence for an adapter and commits the records: from then on the gate knows them.
    ///
    /// The gate is solved from the set of all records in a snapshot, so it does not depend on the order in
    /// which they came, nor on the branches on which: merging unites the sets. The same record twice is
    /// one record, and a text counts once in an adapter, whatever its labels.
    ///
    /// - Parameters:
    ///   - texts: One record each, of at least `order` bytes.
    ///   - adapter: The class; "base" for what the base model learned.
    ///   - label: Which round or data it is, for people.
    ///   - order: Bytes in an n-gram, 1 to 8. A gate has the lowest order of its evidence. Nil for that of
    ///     the branch's evidence; without any 6 where counts predict beside the model, else 3.
    ///   - options: The branch, which must have a model, and the message.
    /// - Throws: `usage` for a text or name that cannot be; `not-found` for a branch without a model;
    ///   `branch-moved`. Then nothing is committed.
    @discardableResult
    public func addEvidence(
        _ texts: [[UInt8]], adapter: String, label: String = "", order: Int? = nil,
        _ options: CommitOptions
    ) throws -> EvidenceResult {
        try addEvidence(
            texts.map { TextSource($0) }, adapter: adapter, label: label, order: order, options)
    }

    /// As ``addEvidence(_:adapter:label:order:_:)-([[UInt8]],_,_,_,_)``, of texts that are read part by part.
    @discardableResult
    public func addEvidence(
        _ texts: [TextSource], adapter: String, label: String = "", order: Int? = nil,
        _ options: CommitOptions
    ) throws -> EvidenceResult {
        try EvidenceResult(
            snapshots.addEvidence(
                texts, adapter: adapter, label: label, order: order, options.request))
    }

    /// Commits a branch's model without some evidence: its gate is byte for byte the one that never saw it.
    ///
    /// - Parameters:
    ///   - ids: Of records, or beginnings of ids.
    ///   - options: The branch, and the message.
    /// - Throws: `not-found` or `ambiguous` for an id, `branch-moved`.
    @discardableResult
    public func dropEvidence(_ ids: [String], _ options: CommitOptions) throws -> EvidenceResult {
        try EvidenceResult(snapshots.dropEvidence(ids, options.request))
    }

    /// The evidence of a revision, by adapter, then label and id.
    public func evidence(_ revision: String) throws -> [EvidenceInfo] {
        try map(revision).evidence().sortedByAdapter().map { try EvidenceInfo($0) }
    }

    /// The gate that a revision's evidence is solved to.
    ///
    /// - Throws: `not-found` without evidence; `corrupt` for a record that is not one.
    /// - Complexity: Reads and adds all records.
    public func gate(_ revision: String) throws -> AdapterGate {
        let snapshot = try map(revision)
        return AdapterGate(commit: snapshot.id.hex, gate: try snapshot.knownGate())
    }
}

extension EvidenceResult {
    init(_ change: EvidenceChange) throws {
        self.init(
            evidence: try change.records.map { try EvidenceInfo($0) }, gate: change.gate?.hex,
            commit: change.outcome.id.hex, branch: change.branch,
            adaptersWithWeights: change.adaptersWithWeights,
            unchanged: change.outcome.unchanged)
    }
}

extension EvidenceInfo {
    fileprivate init(_ entry: NamedContribution) throws {
        let text = entry.record.contribution
        let (counts, sums) = (text as? CountContribution, text as? GramContribution)
        let (routes, use) = (text as? RouteContribution, text as? ActivationContribution)
        let states = text as? StateContribution
        let picks = sums.flatMap { $0.source.isOfExperts ? $0.source.expertCount : nil }
        self.init(
            id: entry.id.hex, adapter: entry.record.adapter, kind: type(of: text).kind,
            label: text.label, order: counts?.counts.order,
            distinct: counts?.counts.entries.count
                ?? use?.layers.reduce(0) { $0 + $1.entries.count },
            layer: (sums?.source.layer).map { Int($0) },
            trunk: (sums?.source.trunk ?? routes?.model ?? use?.model ?? states?.model).map {
                ObjectID($0.raw).hex
            },
            quantiser: try sums?.source.quantiser.id().hex,
            experts: picks ?? routes.map { Int($0.experts) },
            layers: routes?.layers.map { Int($0.number) }
                ?? states?.layers.map { Int($0.number) },
            tokens: routes.map { Int(clamping: $0.tokenCount) } ?? states?.count,
            windows: (text as? ExcerptContribution)?.windows.count,
            bytes: Int(clamping: text.byteCount), data: ObjectID(text.data.raw).hex,
            recordBytes: text.encoded.count)
    }
}
