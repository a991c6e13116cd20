internal import Cambium

/// What requests of all interfaces say about how a text is written.
struct TextWishes: Sendable {
    /// New tokens; nil for as many as there is room for.
    var count: Int?
    /// The field that says so.
    var countField = "max_tokens"
    var temperature = 1.0
    var topP = 1.0
    /// Nil for one that differs each time.
    var seed: UInt64?
    var stops: [[UInt8]] = []
    /// Answers to the same prompt.
    var choices = 1
    var streams = false
    /// Whether a stream ends with what it used.
    var streamsUsage = false

    /// Texts that end an answer.
    static let mostStops = 16
    static let mostChoices = 128
}

extension RequestFields {
    /// Takes what all of OpenAI's requests for text have.
    mutating func wishes() throws -> TextWishes {
        var wishes = TextWishes()
        wishes.temperature = try number("temperature", in: 0...2) ?? 1
        wishes.topP = try number("top_p", in: 0...1) ?? 1
        guard wishes.topP > 0 else { throw fault("top_p", "is 0; give more than 0, at most 1") }
        wishes.seed = try whole("seed", in: .min ... .max).map { UInt64(bitPattern: Int64($0)) }
        wishes.choices = try whole("n", in: 1...TextWishes.mostChoices) ?? 1
        wishes.stops = try stops("stop")
        wishes.streams = try flag("stream") ?? false
        if var options = try fields("stream_options") {
            guard wishes.streams else {
                throw fault("stream_options", "needs \"stream\": true")
            }
            wishes.streamsUsage = try options.flag("include_usage") ?? false
            options.ignore("include_obfuscation")
            try options.end()
        }
        try refuse("frequency_penalty") { $0.number == 0 }
        try refuse("presence_penalty") { $0.number == 0 }
        try refuse("repetition_penalty") { $0.number == 1 }
        try refuse("top_k") { $0.whole.map { $0 <= 0 } ?? false }
        try refuse("min_p") { $0.number == 0 }
        try refuse("logit_bias") { $0.object?.isEmpty ?? false }
        ignore(
            "user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
        return wishes
    }

    /// One text or several.
    mutating func stops(_ name: String) throws -> [[UInt8]] {
        guard let value = take(name) else { return [] }
        let texts: [JSONValue] = value.array ?? [value]
        let stops = try texts.map { text in
            guard let text = text.string, !text.isEmpty else {
                throw fault(name, "is neither a text nor an array of texts, none of them empty")
            }
            return Array(text.utf8)
        }
        guard stops.count <= TextWishes.mostStops else {
            throw fault(name, "has \(stops.count) texts; give at most \(TextWishes.mostStops)")
        }
        return stops
    }
}
