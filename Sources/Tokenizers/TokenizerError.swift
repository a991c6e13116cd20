internal import Interchange

/// What is wrong with a tokenizer's file, or with a text for its pattern.
package struct TokenizerError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; a struct, so that a new kind breaks no caller.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String
        package init(rawValue: String) { self.rawValue = rawValue }

        /// The file is not JSON, or lacks what a tokenizer needs.
        package static let badTokenizer = Code(rawValue: "bad-tokenizer")
        /// A valid file that asks for what Cambium does not do.
        package static let unsupported = Code(rawValue: "unsupported")
        /// The split pattern takes too many steps on this text.
        package static let tooHard = Code(rawValue: "too-hard")
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    init(_ cause: InterchangeError) { self.init(.badTokenizer, cause.message, cause: cause) }

    static func bad(_ message: String) -> TokenizerError {
        TokenizerError(.badTokenizer, "tokenizer.json: \(message)")
    }

    static func unsupported(_ message: String) -> TokenizerError {
        TokenizerError(.unsupported, "tokenizer.json: \(message)")
    }

    package var description: String { message }
}

/// A string from a file as a message may show it.
func shown(_ text: some StringProtocol) -> String {
    let short = text.count > 60 ? "\(text.prefix(59))…" : String(text)
    return short.debugDescription
}
