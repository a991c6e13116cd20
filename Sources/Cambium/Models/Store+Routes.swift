internal import Checkpoints

extension Store {
    /// Records what a branch's linear routers read and decide on texts, and commits the records: experts that are
    /// added later leave these routes as they are, without the texts.
    ///
    /// A record has the integer sums that a further expert's row is solved from, for each layer, and at most 160
    /// windows of 128 tokens of the text as they are, by which rows are chosen and checked. It is of use as long
    /// as the model does not change but by added experts. Sums of several records add exactly.
    ///
    /// - Parameters:
    ///   - texts: One record each, of at least 128 tokens, such as what the model was trained on.
    ///   - label: Which data it is, for people.
    ///   - limit: Bytes that are read at most, of all texts together; what is left then is another text.
    ///   - threads: Share the work; the records do not depend on them.
    ///   - options: The branch, which must have a model with linear routers, and the message.
    ///   - progress: Called with the layers done, for each text.
    /// - Throws: `bad-input` for too short a text; `usage`; `unsupported` for a model or routers that cannot grow;
    ///   `branch-moved`. Then nothing is committed.
    /// - Complexity: One run of the model over the texts; a record has up to 4 width² bytes for each layer.
    @discardableResult
    public func addRoutes(
        _ texts: [[UInt8]], label: String = "", limit: Int? = 100_000, threads: Int = 1,
        _ options: CommitOptions, progress: ProgressReporter = { _ in }
    ) throws -> EvidenceResult {
        try EvidenceResult(
            snapshots.addRoutes(
                texts, label: label, limit: limit, threads: threads, options.request,
                progress: progress))
    }
}
