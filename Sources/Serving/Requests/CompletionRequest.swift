internal import Cambium

/// What `/v1/completions` is asked for.
struct CompletionRequest: Sendable {
    enum Prompt: Sendable {
        case text([UInt8])
        case tokens([Int])

        /// Nil for tokens.
        var text: String? {
            guard case .text(let bytes) = self else { return nil }
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    let model: String
    let prompts: [Prompt]
    let wishes: TextWishes
    let echoes: Bool
    /// Of how many likeliest tokens the chances are told; nil for none.
    let alternatives: Int?

    /// What is to be continued, for models that are picked by it; nil where it is tokens.
    var text: String? { prompts.first?.text }

    /// New tokens where a request does not say: what OpenAI's interface has.
    private static let usualCount = 16
    static let mostAlternatives = 20

    /// - Throws: ``APIError``.
    init(_ body: [UInt8]) throws {
        var fields = try RequestFields(body: body)
        model = try fields.required("model")
        prompts = try Self.prompts("prompt", &fields)
        var wishes = try fields.wishes()
        wishes.count = try fields.whole("max_tokens", in: 0 ... .max) ?? Self.usualCount
        self.wishes = wishes
        echoes = try fields.flag("echo") ?? false
        alternatives = try fields.whole("logprobs", in: 0...Self.mostAlternatives)
        if let best = try fields.whole("best_of", in: 1...TextWishes.mostChoices),
            best != wishes.choices
        {
            throw fields.fault("best_of", "is not supported by this server but as much as n")
        }
        try fields.refuse("suffix") { $0.string?.isEmpty ?? false }
        try fields.end()
        guard !(echoes && wishes.streams && alternatives != nil) else {
            throw fields.fault("echo", "with \"logprobs\" is not streamed")
        }
    }

    /// A text, several, the tokens of one, or of several.
    static func prompts(_ name: String, _ fields: inout RequestFields) throws -> [Prompt] {
        guard let value = fields.take(name) else {
            throw APIError(
                .badRequest, "\(name) is missing", field: name,
                code: "missing_required_parameter")
        }
        func tokens(_ values: [JSONValue]) throws -> [Int] {
            try values.map { value in
                guard let token = value.integer, token >= 0 else {
                    throw fields.fault(name, "has a token that is no whole number from 0 on")
                }
                return token
            }
        }
        func one(_ value: JSONValue) throws -> Prompt {
            if let text = value.string { return .text(Array(text.utf8)) }
            if let values = value.array, !values.isEmpty { return .tokens(try tokens(values)) }
            throw fields.fault(name, "is neither a text nor tokens")
        }
        guard let values = value.array else { return [try one(value)] }
        guard let first = values.first else { throw fields.fault(name, "is empty") }
        if first.string == nil, first.array == nil { return [.tokens(try tokens(values))] }
        return try values.map(one)
    }
}
