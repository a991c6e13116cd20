package import Elements

/// What went wrong in training.
package struct TrainingError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable {
        /// A tensor that the config asks for and nobody gave.
        case missingTensor
        /// A tensor of another size than the config asks for.
        case badTensor
        /// A text, budget or setting that cannot be.
        case badInput
        /// A loss that is no number: the rate is too high, or the weights are damaged.
        case diverged
        /// The process may not have what training takes.
        case limit
        /// The caller asked to stop.
        case cancelled
    }

    package let code: Code
    package let message: String
    /// Why weights could not be had, when it was not for their shape alone.
    package let cause: ModelError?
    package var description: String { message }

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
        cause = nil
    }

    /// Weights could not be read as the config asks for.
    init(_ error: ModelError) {
        code = .badTensor
        message = error.description
        cause = error
    }
}
