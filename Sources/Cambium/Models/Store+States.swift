internal import Checkpoints

extension Store {
    /// Records what a branch's expert layers read on texts, and commits the records: later rounds can be held to what
    /// the layers do there (``TrainOptions/hold``), without the texts.
    ///
    /// A record has the states in front of each layer's experts, behind their norm, of evenly spread tokens in 16
    /// bits, and which hashed experts these tokens pick. It holds no text; who has the model can still guess much of the
    /// text from both.
    ///
    /// - Parameters:
    ///   - texts: One record each, such as parts of what the model was trained on: a few windows of everything old
    ///     do more than much of one text.
    ///   - label: Which data it is, for people.
    ///   - count: States of each text and layer, at most: 1 to 65,536.
    ///   - threads: Share the work; the records do not depend on them.
    ///   - options: The branch, which must have a model with experts, and the message.
    ///   - progress: Called with the layers done, for each text.
    /// - Throws: `bad-input` for a text without tokens; `usage`; `unsupported` for a model without experts;
    ///   `branch-moved`. Then nothing is committed.
    /// - Complexity: Runs the model over 256 windows of 128 tokens of each text, at most; a record has 2 width bytes for
    ///   each state and layer.
    @discardableResult
    public func addStates(
        _ texts: [[UInt8]], label: String = "", count: Int = 1_024, threads: Int = 1,
        _ options: CommitOptions, progress: ProgressReporter = { _ in }
    ) throws -> EvidenceResult {
        try EvidenceResult(
            snapshots.addStates(
                texts, label: label, count: count, threads: threads, options.request,
                progress: progress))
    }
}
