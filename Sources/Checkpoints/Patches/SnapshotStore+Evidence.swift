package import Elements
package import Evidence
internal import Models
package import Objects
internal import Routing
package import Snapshots
internal import Tensors

/// What adding or dropping evidence made of a branch's model.
package struct EvidenceChange {
    /// The records that came or went.
    package let records: [NamedContribution]
    /// Of the gate of the new snapshot; nil when no evidence is left.
    package let gate: ObjectID?
    package let outcome: CommitOutcome
    package let branch: String
    /// After dropping, the adapters of the records whose weights stay in the model.
    package let adaptersWithWeights: [String]?
}

/// A branch's model, to whose set of records some are added or dropped.
private struct EvidenceEdit {
    let target: CommitTarget
    let snapshot: MappedSnapshot
    let known: [NamedContribution]

    init(_ request: CommitRequest, _ store: SnapshotStore) throws {
        target = try CommitTarget(request, store)
        snapshot = try store.map(target.model().parent)
        known = try snapshot.evidence()
    }

    /// Commits a changed set, on the very model that was read.
    ///
    /// - Parameter replaced: Records that others take the place of.
    func commit(
        adding records: [EvidenceRecord] = [], dropping dropped: [NamedContribution]? = nil,
        replacing replaced: [ObjectID] = [], _ request: CommitRequest
    ) throws -> EvidenceChange {
        var draft = try CommitDraft(target.store, tree: snapshot.tree)
        var added: [NamedContribution] = []
        for record in records {
            let id = try draft.add(record)
            if !(known + added).contains(where: { $0.id == id }) { added.append((id, record)) }
        }
        let gone = Set((dropped ?? []).map(\.id) + replaced)
        for id in gone { draft.tree.files[EvidenceName.name(id)] = nil }
        let kept = (known + added).filter { !gone.contains($0.id) }
        // Before anything is committed: a set that no gate can be solved from is refused.
        let gate = try EvidenceGate(kept.counts)
        try kept.checkSums()
        let weights = Set(StoredAdapters.names(snapshot.tree))
        return EvidenceChange(
            records: added + (dropped ?? []), gate: gate?.id,
            outcome: try target.commit(fitting: draft, request).outcome, branch: target.branch,
            adaptersWithWeights: dropped.map {
                Set($0.map(\.record.adapter)).intersection(weights).sorted(by: isBefore)
            })
    }
}

/// What messages call one of some texts.
private func name(_ index: Int, of texts: [some Any]) -> String {
    texts.count == 1 ? "the text" : "text \(index + 1)"
}

extension SnapshotStore {
    /// Counts texts as evidence for an adapter and commits the records.
    ///
    /// - Parameter order: Nil for that of the branch's evidence, or what its use asks for.
    /// - Throws: `usage` for a text or name that cannot be; `not-found` for a branch without a model.
    package func addEvidence(
        _ texts: [TextSource], adapter: String, label: String, order: Int?,
        _ request: CommitRequest
    ) throws -> EvidenceChange {
        let edit = try EvidenceEdit(request, self)
        let mixesCounts = edit.snapshot.tree.files[MixtureDescription.fileName] != nil
        let order =
            order ?? EvidenceOrder.standard(edit.known.counts, mixesCounts: mixesCounts)
        let records = try texts.enumerated().map { index, text in
            EvidenceRecord.counts(
                try CountContribution(
                    of: text, name(index, of: texts), adapter: adapter, label: label,
                    order: order))
        }
        return try edit.commit(adding: records, request)
    }

    /// Keeps excerpts of texts that a branch's model knows, and commits the records, in the place of those with less of
    /// a text.
    ///
    /// - Throws: `usage` for a text, label or limit that cannot be; `not-found` for a branch without a model.
    package func addExcerpts(_ request: CommitRequest) throws -> EvidenceChange {
        let edit = try EvidenceEdit(request, self)
        let records = try ExcerptContribution.records(
            of: request.excerpts, edit.known, for: edit.snapshot.tree)
        return try edit.commit(
            adding: records.map(\.record), replacing: records.compactMap(\.replaced), request)
    }

    /// Commits a branch's model without some records, by ids or beginnings of ids.
    ///
    /// - Throws: `not-found` or `ambiguous` for an id.
    package func dropEvidence(_ ids: [String], _ request: CommitRequest) throws -> EvidenceChange {
        let edit = try EvidenceEdit(request, self)
        var dropped: [NamedContribution] = []
        for text in ids {
            let found = edit.known.filter { $0.id.hex.hasPrefix(text.lowercased()) }
            guard found.count == 1, !text.isEmpty else {
                throw CambiumError(
                    found.isEmpty ? .notFound : .ambiguous,
                    found.isEmpty
                        ? "there is no evidence '\(text)'; `cambium evidence ls` lists it"
                        : "'\(text)' is the beginning of \(found.count) ids of evidence")
            }
            if !dropped.contains(where: { $0.id == found[0].id }) { dropped += found }
        }
        return try edit.commit(dropping: dropped, request)
    }

    /// Sums up texts' hidden states in front of a layer's experts as evidence, and commits the records.
    ///
    /// - Parameters:
    ///   - ofExperts: Whether picks of the layer's experts are counted, not texts of the adapter.
    ///   - assigned: Of picks, the expert that each byte of each text should pick; nil for the router's own.
    /// - Throws: `usage` for what cannot be, and for sums over another trunk or other picks of a text than the
    ///   branch has; `unsupported` for a model that cannot be run.
    package func addGramSums(
        _ texts: [[UInt8]], layer: Int, adapter: String, label: String, ofExperts: Bool,
        assigned: [[UInt32]]?, threads: Int, _ request: CommitRequest, progress: ProgressReporter
    ) throws -> EvidenceChange {
        try ThreadTeam.check(threads)
        guard !ofExperts || adapter == ExpertPool.base else {
            throw CambiumError(
                .usage,
                "picks are of the base model (--adapter \(ExpertPool.base)); '\(adapter)' has no router "
                    + "that runs")
        }
        if let assigned {
            guard ofExperts, assigned.count == texts.count else {
                throw CambiumError(
                    .usage,
                    "\(assigned.count) files of assigned experts for \(texts.count) texts; give one for "
                        + "each text, with the target 'experts'")
            }
        }
        let edit = try EvidenceEdit(request, self)
        let reader = try GramReader(
            edit.snapshot, layer: layer, ofExperts: ofExperts, assigned: assigned != nil,
            ThreadTeam(count: threads))
        try edit.known.check(reader.source, edit.target.branch)
        // All that can be seen without running the model, before it runs.
        for (index, experts) in (assigned ?? []).enumerated() {
            try experts.checkAssigned(
                texts[index], name(index, of: texts), experts: reader.expertCount)
        }
        var all = edit.known
        for (index, text) in texts.enumerated() {
            let record = try reader.record(
                text, name(index, of: texts), adapter, label, assigned: assigned?[index], progress)
            if ofExperts { try all.checkPicks(record, name(index, of: texts)) }
            all.append((try ObjectID(ofFile: record.encoded), .gramSums(record)))
        }
        return try edit.commit(adding: all.dropFirst(edit.known.count).map(\.record), request)
    }

    /// Records what a branch's expert layers read on texts, and commits the records, in the place of those with fewer
    /// states of a text.
    ///
    /// - Parameter count: States of each text and layer, at most.
    /// - Throws: `bad-input` for a text without tokens; `usage`; `unsupported` for a model without experts.
    package func addStates(
        _ texts: [[UInt8]], label: String, count: Int, threads: Int, _ request: CommitRequest,
        progress: ProgressReporter
    ) throws -> EvidenceChange {
        try ThreadTeam.check(threads)
        let edit = try EvidenceEdit(request, self)
        let kept = try KeptStates(edit.snapshot, SnapshotModel(edit.snapshot, checks: true))
        let records = try texts.enumerated().map { index, text in
            try kept.record(
                of: text, name(index, of: texts), label: label, count: count, threads: threads,
                progress)
        }
        return try edit.commit(
            adding: records.map { .states($0.record) },
            replacing: records.compactMap(\.replaced), request)
    }

    /// Records what a branch's linear routers read and decide on texts, and commits the records.
    ///
    /// - Parameter limit: Bytes that are read at most, of all texts together.
    /// - Throws: `bad-input` for too short a text; `usage`; `unsupported` for a model or routers that cannot grow.
    package func addRoutes(
        _ texts: [[UInt8]], label: String, limit: Int?, threads: Int, _ request: CommitRequest,
        progress: ProgressReporter
    ) throws -> EvidenceChange {
        try ThreadTeam.check(threads)
        let edit = try EvidenceEdit(request, self)
        var routes = try KeptRoutes(edit.snapshot, SnapshotModel(edit.snapshot, checks: true))
        var records: [EvidenceRecord] = []
        for (index, text) in limited(texts, to: limit).enumerated() {
            records.append(
                .routes(
                    try routes.add(
                        text, name(index, of: texts), label: label, threads: threads, progress)))
        }
        return try edit.commit(adding: records, request)
    }
}
