/// What went wrong when a model was configured, loaded or run.
package struct ModelError: Error, Sendable, CustomStringConvertible {
    /// The kind of failure; a struct, so that a new kind breaks no caller.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String
        package init(rawValue: String) { self.rawValue = rawValue }

        /// config.json is not what the architecture asks for.
        package static let badConfig = Code(rawValue: "bad-config")
        /// A tensor or an expert table that the config asks for is missing.
        package static let missingTensor = Code(rawValue: "missing-tensor")
        /// A tensor has another shape or dtype than the config says.
        package static let badTensor = Code(rawValue: "bad-tensor")
        /// There are tensors that the model would not use.
        package static let unusedTensor = Code(rawValue: "unused-tensor")
        /// More tokens than the context has room for.
        package static let contextFull = Code(rawValue: "context-full")
        /// A prompt, a text or an option that cannot be used.
        package static let badInput = Code(rawValue: "bad-input")
        /// The model computed NaN or infinity where a number is needed.
        package static let notFinite = Code(rawValue: "not-finite")
        /// The weight source failed; `cause` says how.
        package static let source = Code(rawValue: "source")
    }

    package let code: Code
    package let message: String
    /// The error of the layer below that led to this one.
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        if let cause { "\(message): \(cause)" } else { message }
    }
}
