package import Architectures
internal import Elements
internal import Tensors

extension ModelDescription {
    /// The longest window that a text of tokens is cut into for an evaluation; shorter contexts are read whole, and so
    /// are those of bytes.
    package static let longestWindow = 1024

    /// Tokens of a window of an evaluation.
    package var evaluationWindow: Int {
        readsBytes ? contextLength : min(contextLength, Self.longestWindow)
    }

    /// "byte" or "token", for messages.
    package var unit: String { readsBytes ? "byte" : "token" }

    /// Checks that the vocabulary has all tokens.
    ///
    /// - Throws: `.badInput`.
    package func check(_ tokens: [Int]) throws {
        for token in tokens where token < 0 || token >= vocabularySize {
            throw CambiumError(
                .badInput,
                "there is no token \(token); the vocabulary has 0 to \(vocabularySize - 1)")
        }
    }

    /// Checks that tokens can follow those that a session has read.
    ///
    /// - Throws: `.badInput` for none, or one that the vocabulary lacks; `.contextFull`.
    func check(_ tokens: [Int], after position: Int) throws {
        guard !tokens.isEmpty else { throw CambiumError(.badInput, "no \(unit)s to run") }
        try check(tokens)
        guard tokens.count <= contextLength - position else {
            throw CambiumError(
                .contextFull,
                "\(tokens.count) \(unit)s after \(position) do not fit the context of "
                    + "\(contextLength)")
        }
    }
}

extension LanguageModel {
    func team(_ threads: Int) throws -> ThreadTeam {
        guard (1...1_024).contains(threads) else {
            throw CambiumError(.badInput, "\(threads) threads; give 1 to 1024")
        }
        return threads == 1 ? .single : ThreadTeam(count: threads)
    }
}
