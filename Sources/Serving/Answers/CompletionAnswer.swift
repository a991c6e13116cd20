internal import Cambium

/// What `/v1/completions` answers, whole or as a part of a stream.
struct CompletionAnswer: Encodable, Sendable {
    struct Choice: Encodable, Sendable {
        let text: String
        let index: Int
        let logprobs: OrNull<Chances>
        let finish_reason: OrNull<String>
    }

    /// How likely tokens were, in parallel lists.
    struct Chances: Encodable, Sendable {
        var tokens: [String] = []
        var token_logprobs: [OrNull<Double>] = []
        var top_logprobs: [OrNull<[String: Double]>] = []
        var text_offset: [Int] = []
    }

    let id: String
    let object = "text_completion"
    let created: Int64
    let model: String
    let system_fingerprint: String
    let choices: [Choice]
    let usage: UsageAnswer?
}

extension CompletionAnswer.Chances {
    /// Adds tokens.
    ///
    /// - Parameters:
    ///   - first: A token in front of them that nothing predicted.
    ///   - offset: Characters of the text in front of them; moved on.
    mutating func add(
        first: Int? = nil, _ chances: [TokenChance], _ model: MappedModel, offset: inout Int
    ) throws {
        func add(_ token: Int) throws {
            let text = try TokenText(token, model).text
            tokens.append(text)
            text_offset.append(offset)
            offset += text.unicodeScalars.count
        }
        if let first {
            try add(first)
            token_logprobs.append(OrNull(nil))
            top_logprobs.append(OrNull(nil))
        }
        for chance in chances {
            try add(chance.token)
            token_logprobs.append(OrNull(chance.logProbability))
            var table: [String: Double] = [:]
            for other in chance.alternatives {
                let text = try TokenText(other.token, model).text
                table[text] = max(table[text] ?? -.infinity, other.logProbability)
            }
            top_logprobs.append(OrNull(chance.alternatives.isEmpty ? nil : table))
        }
    }
}

/// A token as people read it.
struct TokenText: Sendable {
    let text: String
    let bytes: [UInt8]

    /// A token that is no whole character is written as `bytes:\xe2`, as OpenAI's interface does.
    init(_ token: Int, _ model: MappedModel) throws {
        bytes = try model.spelling(of: token)
        text =
            String(validating: bytes, as: UTF8.self)
            ?? "bytes:"
            + bytes.map {
                "\\x" + ($0 < 16 ? "0" : "") + String($0, radix: 16)
            }.joined()
    }
}
