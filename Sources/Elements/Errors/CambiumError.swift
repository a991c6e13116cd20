/// What went wrong, for a person and for a program: the one error that every layer throws.
///
/// The message says what happened, with the value, and what to do; ``code`` is what a program decides by.
public struct CambiumError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public let code: Code
    /// What happened, with the value, and what to do.
    public let message: String
    /// What led to it, when that says more than the message.
    public let cause: (any Error)?
    /// Where it was thrown, as `Module/File.swift:line`, for whoever mends the program.
    public let location: String

    /// Makes an error.
    ///
    /// - Parameters:
    ///   - code: What a program decides by.
    ///   - message: What happened, with the value, and what to do.
    ///   - cause: What led to it.
    ///   - file: The caller's.
    ///   - line: The caller's.
    public init(
        _ code: Code, _ message: String, cause: (any Error)? = nil, file: String = #fileID,
        line: Int = #line
    ) {
        self.code = code
        self.message = message
        self.cause = cause
        location = "\(file):\(line)"
    }

    /// The message.
    public var description: String { message }
}

extension CambiumError {
    /// The same failure, with what was being done when it happened in front of the message.
    package func adding(_ context: String) -> CambiumError {
        CambiumError(code, "\(context): \(message)", cause: self)
    }

    /// Whether it tells that the disk has no room.
    package var isDiskFull: Bool { code == .diskFull }
}
