internal import Checkpoints

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
        try EvidenceResult(
            snapshots.addGramSums(
                texts, layer: layer, adapter: adapter, label: label, ofExperts: target == .experts,
                assigned: assignments?.map(\.experts), threads: threads, options.request,
                progress: progress))
    }
}
