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

    init(_ phase: String, _ done: Int, _ total: Int, detail: String = "") {
        self.phase = phase
        self.done = done
        self.total = total
        self.detail = detail
    }
}

/// Called now and then during long work, on the caller's thread.
public typealias ProgressReporter = (Progress) -> Void
