internal import Elements
internal import FoundationEssentials

/// config.json as it is written, before any check: the names are the file's.
struct PeerConfigFields: Decodable {
    /// A whole number; the decoder's own Int does not say which field is fractional or too large.
    struct Whole: Decodable {
        let value: Int

        init(from decoder: any Decoder) throws {
            let number = try decoder.singleValueContainer().decode(Double.self)
            guard let value = Int(exactly: number) else {
                throw DecodingError.dataCorrupted(
                    .init(
                        codingPath: decoder.codingPath,
                        debugDescription: "\(number) is not a whole number in range"))
            }
            self.value = value
        }
    }

    struct Peer: Decodable {
        var sub_keys: Whole
        var heads: Whole
        var top_k: Whole
        var key_size: Whole
    }

    struct Tree: Decodable {
        var branching: [Whole]
        var beam: Whole
        var top_k: Whole
    }

    struct Linear: Decodable {
        var experts: Whole
        var top_k: Whole
        var ffn_size: Whole
    }

    var architecture: String
    var vocab_size: Whole
    var hidden_size: Whole
    var num_layers: Whole
    var num_heads: Whole
    var context_length: Whole
    var ffn_size: Whole
    var rms_norm_eps: Double
    var rope_theta: Double
    var peer_layers: [Whole]
    var peer: Peer?
    var tree: Tree?
    var linear_layers: [Whole]?
    var linear: Linear?
}

extension PeerConfig {
    /// The largest config.json that is read.
    private static let largestFile = 1 << 20

    /// Reads and checks the bytes of a config.json.
    ///
    /// Fields that the architecture does not have are ignored.
    ///
    /// - Throws: `.badConfig`, naming the field that is missing, mistyped or out of range.
    package init(json: [UInt8]) throws {
        guard json.count <= Self.largestFile else {
            throw CambiumError(
                .badConfig, "config.json has \(json.count) bytes; more than \(Self.largestFile)")
        }
        let fields: PeerConfigFields
        do {
            fields = try JSONDecoder().decode(PeerConfigFields.self, from: Data(json))
        } catch {
            throw CambiumError(.badConfig, Self.explain(error))
        }
        try self.init(fields)
    }

    private static func explain(_ error: any Error) -> String {
        func path(_ context: DecodingError.Context, _ last: String? = nil) -> String {
            (context.codingPath.map(\.stringValue) + (last.map { [$0] } ?? []))
                .joined(separator: ".")
        }
        switch error as? DecodingError {
        case .keyNotFound(let key, let context):
            return "config field \(path(context, key.stringValue)) is missing"
        case .typeMismatch(let type, let context):
            return "config field \(path(context)) is not of type \(type)"
        case .valueNotFound(let type, let context):
            return "config field \(path(context)) is null; it must be of type \(type)"
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            return "config field \(path(context)): \(context.debugDescription)"
        default:
            return "config.json is not JSON"
        }
    }
}

extension PeerConfig.Peer {
    /// - Throws: `.badConfig`, naming the field, its value and what is allowed.
    init(_ fields: PeerConfigFields.Peer) throws {
        try self.init(
            subKeys: fields.sub_keys.value, heads: fields.heads.value, topK: fields.top_k.value,
            keySize: fields.key_size.value)
    }
}
