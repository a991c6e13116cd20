/// How far long work has come.
public struct Progress: Sendable {
    /// What is being done, for example "experts of layer 1".
    public let phase: String
    /// Units done so far.
    public let done: Int
    /// Units in all.
    public let total: Int
    /// Figures of the moment, for example the loss of training; empty when there are none.
    public let detail: String
    /// The same as numbers by name; of training `step`, `loss` (bits per byte of the last step), `seconds`,
    /// and `bytes` that were predicted.
    public let figures: [String: Double]

    package init(
        _ phase: String, _ done: Int, _ total: Int, detail: String = "",
        figures: [String: Double] = [:]
    ) {
        self.phase = phase
        self.done = done
        self.total = total
        self.detail = detail
        self.figures = figures
    }
}

/// Called now and then during long work, on the caller's thread.
///
/// What it throws, ``CambiumError/Code/cancelled`` for example, ends the work and comes out of it: nothing is
/// committed then, and what was being written aside is removed.
public typealias ProgressReporter = (Progress) throws -> Void
