internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Tensors

/// What Gram sums of hidden states are counted for.
public enum GramTarget: String, Sendable, CaseIterable {
    /// The gate: the text belongs to the adapter.
    case adapter
    /// A router over the layer's experts, by the digits of their numbers: the experts that its own router's
    /// heads pick first, or those that a file assigns.
    case experts
}

extension Store {
    /// Sums up texts' hidden states as evidence for an adapter and commits the records.
    ///
    /// The frozen trunk of the branch runs over each text in windows of its context length; the states in
    /// front of the layer's experts are made integers by a quantiser that follows from the trunk, and added
    /// up in 64 bits, exactly. The bits depend on the text and the trunk alone, not on threads or the CPU.
    ///
    /// - Parameters:
    ///   - texts: One record each, of at least one byte.
    ///   - layer: The number of a layer with experts.
    ///   - adapter: The class; "base" for what the base model learned.
    ///   - label: Which round or data it is, for people.
    ///   - target: What the sums are for; picks are those of the adapter "base".
    ///   - assignments: Of picks, the expert that each byte of each text should pick, instead of those that
    ///     the layer's router does; nil for the router's.
    ///   - threads: Share the work; the records do not depend on them.
    ///   - options: The branch, which must have a model that can be run, and the message.
    ///   - progress: Called with the windows done.
    /// - Throws: `usage` for a text, name or assignment that cannot be, and when the branch has Gram sums of the
    ///   layer over another trunk, to which these cannot be added, or other picks of a text; `unsupported` for a model that cannot be run;
    ///   `branch-moved`. Then nothing is committed.
    @discardableResult
    public func addGramSums(
        _ texts: [[UInt8]], layer: Int, adapter: String, label: String = "",
        target: GramTarget = .adapter, assignments: [Assignments]? = nil, threads: Int = 1,
        _ options: CommitOptions, progress: ProgressReporter = { _ in }
    ) throws -> EvidenceResult {
        guard (1...1_024).contains(threads) else {
            throw CambiumError(.usage, "\(threads) threads; give 1 to 1024")
        }
        guard target == .adapter || adapter == ExpertPool.base else {
            throw CambiumError(
                .usage,
                "picks are of the base model (--adapter \(ExpertPool.base)); '\(adapter)' has no router that runs"
            )
        }
        if let assignments {
            guard target == .experts, assignments.count == texts.count else {
                throw CambiumError(
                    .usage,
                    "\(assignments.count) files of assigned experts for \(texts.count) texts; give one for "
                        + "each text, with the target 'experts'")
            }
        }
        let place = try CommitTarget(options, self)
        let parent = try place.model().parent
        let snapshot = try map(parent.hex)
        let model = try model(parent.hex, .checking).model.base
        let reader = try GramReader(
            snapshot, model, layer: layer, ofExperts: target == .experts, ThreadTeam(count: threads)
        )
        let known = try snapshot.evidence()
        try known.check(reader.source, place.branch)
        func name(_ index: Int) -> String { texts.count == 1 ? "the text" : "text \(index + 1)" }
        // All that can be seen without running the model, before it runs.
        for (index, assigned) in (assignments ?? []).enumerated() {
            try assigned.check(texts[index], name(index), experts: reader.expertCount)
        }
        var records: [NamedContribution] = []
        for (index, text) in texts.enumerated() {
            let record = try reader.record(
                text, name(index), adapter, label, assigned: assignments?[index].experts, progress)
            let id = try ObjectID(ofFile: record.encoded)
            if target == .experts { try (known + records).checkPicks(record, name(index)) }
            if !records.contains(where: { $0.id == id }) { records.append((id, .gramSums(record))) }
        }
        // The states are those of this very model.
        var options = options
        options.expectedParent = parent.hex
        return try change(options) { draft, known in
            for entry in records { _ = try draft.add(entry.record) }
            return records.filter { new in !known.contains { $0.id == new.id } }
        }
    }
}
