internal import Reporting

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
