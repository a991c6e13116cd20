internal import Elements
internal import Evidence
internal import Models
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
    /// layer's experts; `routes`, what linear routers decided; or `activations`, how often
    /// experts were picked.
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
    /// Of routes, the numbers of the layers.
    public let layers: [Int]?
    /// Of routes, the tokens of the text.
    public let tokens: Int?
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
        return try change(options) { draft, known in
            let order =
                order
                ?? EvidenceOrder.standard(
                    known.counts,
                    mixesCounts: draft.tree.files[MixtureDescription.fileName] != nil)
            var records: [NamedContribution] = []
            for (index, text) in texts.enumerated() {
                let record = try CountContribution(
                    of: text, texts.count == 1 ? "the text" : "text \(index + 1)", adapter: adapter,
                    label: label, order: order)
                let id = try draft.add(.counts(record))
                if !records.contains(where: { $0.id == id }) {
                    records.append((id, .counts(record)))
                }
            }
            return records.filter { new in !known.contains { $0.id == new.id } }
        }
    }

    /// Commits a branch's model without some evidence: its gate is byte for byte the one that never saw it.
    ///
    /// - Parameters:
    ///   - ids: Of records, or beginnings of ids.
    ///   - options: The branch, and the message.
    /// - Throws: `not-found` or `ambiguous` for an id, `branch-moved`.
    @discardableResult
    public func dropEvidence(
        _ ids: [String], _ options: CommitOptions
    ) throws -> EvidenceResult {
        let result = try change(options) { draft, records in
            var dropped: [NamedContribution] = []
            for text in ids {
                let found = records.filter { $0.id.hex.hasPrefix(text.lowercased()) }
                guard found.count == 1, !text.isEmpty else {
                    throw CambiumError(
                        found.isEmpty ? .notFound : .ambiguous,
                        found.isEmpty
                            ? "there is no evidence '\(text)'; `cambium evidence ls` lists it"
                            : "'\(text)' is the beginning of \(found.count) ids of evidence")
                }
                draft.tree.files[EvidenceName.name(found[0].id)] = nil
                if !dropped.contains(where: { $0.id == found[0].id }) { dropped += found }
            }
            return dropped
        }
        let known = Set(StoredAdapters.names(try tree(result.commit)))
        return EvidenceResult(
            evidence: result.evidence, gate: result.gate, commit: result.commit,
            branch: result.branch,
            adaptersWithWeights: Set(result.evidence.map(\.adapter)).intersection(known)
                .sorted(by: isBefore), unchanged: result.unchanged)
    }

    /// The evidence of a revision, by adapter, then label and id.
    public func evidence(_ revision: String) throws -> [EvidenceInfo] {
        try map(revision).evidence().map { entry in
            try EvidenceInfo(entry)
        }.sorted { left, right in
            if left.adapter != right.adapter { return isBefore(left.adapter, right.adapter) }
            return left.label == right.label
                ? isBefore(left.id, right.id) : isBefore(left.label, right.label)
        }
    }

    /// The gate that a revision's evidence is solved to.
    ///
    /// - Throws: `not-found` without evidence; `corrupt` for a record that is not one.
    /// - Complexity: Reads and adds all records.
    public func gate(_ revision: String) throws -> AdapterGate {
        let snapshot = try map(revision)
        return AdapterGate(snapshot.id.hex, try snapshot.knownGate())
    }

    /// Commits what a function changes in the set of records.
    func change(
        _ options: CommitOptions,
        _ body: (
            inout CommitDraft, [NamedContribution]
        ) throws -> [NamedContribution]
    ) throws -> EvidenceResult {
        let target = try CommitTarget(options, self)
        let (parent, before) = try target.model()
        let known = try map(parent.hex).evidence()
        var draft = try CommitDraft(snapshots, tree: before)
        let changed = try body(&draft, known)
        let after = Set(EvidenceName.records(draft.tree))
        let added = changed.filter { change in !known.contains { $0.id == change.id } }
        let kept = (known + added).filter { after.contains($0.id) }
        // Before anything is committed: a set that no gate can be solved from is refused.
        let gate = try EvidenceGate(kept.counts)
        try kept.checkSums()
        let outcome = try target.commit(draft, options)
        return EvidenceResult(
            evidence: try changed.map { entry in try EvidenceInfo(entry) },
            gate: gate?.id.hex, commit: outcome.id.hex,
            branch: target.branch, adaptersWithWeights: nil, unchanged: outcome.unchanged)
    }
}

extension EvidenceInfo {
    init(_ entry: NamedContribution) throws {
        switch entry.record {
        case .counts(let record):
            self.init(
                id: entry.id.hex, adapter: record.adapter, kind: "counts", label: record.label,
                order: record.counts.order, distinct: record.counts.entries.count, layer: nil,
                trunk: nil, quantiser: nil, experts: nil, layers: nil, tokens: nil,
                bytes: Int(clamping: record.byteCount),
                data: ObjectID(record.data.raw).hex, recordBytes: record.encoded.count)
        case .gramSums(let record):
            let digits = record.source.digits
            self.init(
                id: entry.id.hex, adapter: record.adapter, kind: "gram", label: record.label,
                order: nil, distinct: nil, layer: Int(record.source.layer),
                trunk: ObjectID(record.source.trunk.raw).hex,
                quantiser: try record.source.quantiser.id().hex,
                experts: digits.count == 1 ? nil : digits.reduce(1) { $0 * Int($1) },
                layers: nil, tokens: nil, bytes: Int(clamping: record.byteCount),
                data: ObjectID(record.data.raw).hex,
                recordBytes: record.encoded.count)
        case .activations(let record):
            self.init(
                id: entry.id.hex, adapter: record.adapter, kind: "activations", label: record.label,
                order: nil, distinct: record.layers.reduce(0) { $0 + $1.entries.count }, layer: nil,
                trunk: ObjectID(record.model.raw).hex, quantiser: nil, experts: nil, layers: nil,
                tokens: nil,
                bytes: Int(clamping: record.byteCount), data: ObjectID(record.data.raw).hex,
                recordBytes: record.encoded.count)
        case .routes(let record):
            // Kept is what the whole model does on the text, so it is the base's.
            self.init(
                id: entry.id.hex, adapter: ExpertPool.base, kind: "routes", label: record.label,
                order: nil, distinct: nil, layer: nil, trunk: ObjectID(record.model.raw).hex,
                quantiser: nil, experts: Int(record.experts),
                layers: record.layers.map { Int($0.number) },
                tokens: Int(clamping: record.tokenCount), bytes: Int(clamping: record.byteCount),
                data: ObjectID(record.data.raw).hex, recordBytes: record.encoded.count)
        }
    }
}
