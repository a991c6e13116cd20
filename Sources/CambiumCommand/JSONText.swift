internal import FoundationEssentials

/// The JSON that `--json` prints: one line per object, keys in order, so that equal is equal.
enum JSONText {
    /// The version of all objects; it changes when a field goes or changes its meaning.
    static let schema = 1

    /// One line of JSON, without a line break.
    ///
    /// Numbers that are not finite become strings.
    static func encode(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do {
            return VisibleText.json(String(decoding: try encoder.encode(value), as: UTF8.self))
        } catch {
            preconditionFailure("\(type(of: value)) cannot be encoded: \(error)")
        }
    }
}

/// A command's result with the schema's version and the command's name.
struct Envelope<Payload: Encodable>: Encodable {
    /// The command's name.
    let command: String
    /// The fields beside it.
    let payload: Payload

    enum CodingKeys: String, CodingKey { case schema, command }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(JSONText.schema, forKey: .schema)
        try container.encode(command, forKey: .command)
        try payload.encode(to: encoder)
    }
}
