import Architectures
import Elements
import Foundation
import Models
import Testing

@Suite("config.json")
struct ConfigTests {
    /// One change to a good config: a dotted path, and its value as JSON or nil to take it out.
    struct Edit: Sendable, CustomTestStringConvertible {
        let path: String
        let json: String?
        /// What the message must name.
        let naming: String

        init(_ path: String, _ json: String?, naming: String? = nil) {
            self.path = path
            self.json = json
            self.naming = naming ?? path
        }

        var testDescription: String { "\(path) = \(json ?? "missing")" }
    }

    private func parse(_ edits: [Edit]) throws -> PeerConfig {
        let data = Data(TinyModel.json.utf8)
        var object = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        for edit in edits {
            let value = try edit.json.map {
                try JSONSerialization.jsonObject(with: Data($0.utf8), options: .fragmentsAllowed)
            }
            if edit.path.hasPrefix("hash.") {
                var hash: [String: Any] =
                    object["hash"] as? [String: Any]
                    ?? ["layers": [1], "orders": [2, 3, 8], "table_size": 64]
                hash[String(edit.path.dropFirst(5))] = value
                object["hash"] = hash
            } else if edit.path.hasPrefix("peer.") {
                var peer = try #require(object["peer"] as? [String: Any])
                peer[String(edit.path.dropFirst(5))] = value
                object["peer"] = peer
            } else {
                object[edit.path] = value
            }
        }
        return try PeerConfig(json: [UInt8](JSONSerialization.data(withJSONObject: object)))
    }

    @Test("a good config is read as it is written")
    func good() throws {
        let config = try parse([])
        #expect(config.hiddenSize == 16 && config.headSize == 8 && config.layerCount == 3)
        #expect(config.contextLength == 20 && config.feedForwardSize == 24)
        #expect(config.normEpsilon == 1e-5 && config.ropeTheta == 10_000)
        #expect(config.peerLayers == [0, 2] && config.peer?.expertCount == 25)
        #expect(config.peer?.heads == 2 && config.peer?.topK == 3 && config.peer?.keySize == 8)
    }

    @Test("a model without experts needs no peer sizes, and unknown fields are ignored")
    func optional() throws {
        let config = try parse([
            Edit("peer_layers", "[]"), Edit("peer", nil), Edit("comment", "\"hello\""),
        ])
        #expect(config.peer == nil && config.peerLayers.isEmpty)
    }

    @Test("hashed experts stand beside others, and stay where those go")
    func hashed() throws {
        let config = try parse([Edit("hash.orders", "[2, 3, 8]")])
        let hash = try #require(config.hash)
        #expect(hash.layers == [1] && hash.orders == [2, 3, 8] && hash.tableSize == 64)
        #expect(hash.expertCount == 192 && config.peerLayers == [0, 2])
        #expect(config.withoutExperts.hash == hash && config.withoutExperts.peer == nil)
        #expect(config.replacingHash(nil) == (try parse([])))
        #expect(try parse([Edit("hash", "null")]).hash == nil)
    }

    static let bad: [Edit] = [
        Edit("hash", "1"), Edit("hash", "{}"), Edit("hash.layers", nil),
        Edit("hash.layers", "[]"), Edit("hash.layers", "[0]"), Edit("hash.layers", "[3]"),
        Edit("hash.layers", "[2, 0]"),
        Edit("hash.layers", "[0, 0]"), Edit("hash.layers", "0"), Edit("hash.orders", nil),
        Edit("hash.orders", "[]"), Edit("hash.orders", "[0]"), Edit("hash.orders", "[2, 9]"),
        Edit("hash.orders", "[3, 2]"), Edit("hash.orders", "[2, 2]"),
        Edit("hash.orders", "[2.5]"), Edit("hash.table_size", nil),
        Edit("hash.table_size", "8"), Edit("hash.table_size", "63"),
        Edit("hash.table_size", "134217728"), Edit("hash.table_size", "-64"),
        Edit("architecture", nil), Edit("architecture", "\"llama\"", naming: "llama"),
        Edit("vocab_size", nil), Edit("vocab_size", "257"),
        Edit("hidden_size", nil), Edit("hidden_size", "0"), Edit("hidden_size", "-16"),
        Edit("hidden_size", "9223372036854775807"), Edit("hidden_size", "1e30"),
        Edit("hidden_size", "16.5"), Edit("hidden_size", "\"16\""), Edit("hidden_size", "null"),
        Edit("hidden_size", "18"), Edit("num_layers", "0"), Edit("num_layers", "1000000"),
        Edit("num_heads", "0"), Edit("num_heads", "3", naming: "3 heads"),
        Edit("num_heads", "16", naming: "16 heads"), Edit("num_heads", "17"),
        Edit("context_length", "0"), Edit("context_length", "1"),
        Edit("context_length", "4000000000"), Edit("ffn_size", "0"), Edit("ffn_size", "-1"),
        Edit("rms_norm_eps", "0"), Edit("rms_norm_eps", "-1e-5"), Edit("rms_norm_eps", "2"),
        Edit("rope_theta", "0"), Edit("rope_theta", "1e300"), Edit("rope_theta", "\"NaN\""),
        Edit("peer_layers", nil), Edit("peer_layers", "[3]"), Edit("peer_layers", "[-1]"),
        Edit("peer_layers", "[2, 0]"), Edit("peer_layers", "[1, 1]"),
        Edit("peer_layers", "1"), Edit("peer", nil), Edit("peer", "null"),
        Edit("peer.sub_keys", nil), Edit("peer.sub_keys", "0"), Edit("peer.sub_keys", "65536"),
        Edit("peer.heads", "0"), Edit("peer.heads", "5000"), Edit("peer.top_k", "0"),
        Edit("peer.top_k", "6"), Edit("peer.key_size", "0"), Edit("peer.key_size", "7"),
    ]

    @Test("a bad field is refused, and the message names it", arguments: bad)
    func refused(edit: Edit) {
        let error = #expect(throws: CambiumError.self) { try parse([edit]) }
        #expect(error?.code == .badConfig)
        #expect(error?.message.contains(edit.naming) == true, "\(error?.message ?? "")")
    }

    @Test(
        "what is not a JSON object is refused",
        arguments: ["", "{", "[]", "null", "\u{0}", "{\"architecture\": \"peer-lm\"} x"])
    func notAnObject(text: String) {
        let error = #expect(throws: CambiumError.self) { try PeerConfig(json: Array(text.utf8)) }
        #expect(error?.code == .badConfig)
    }

    /// What is behind a config's last member, and what is said of it.
    static let strict: [(end: String, code: CambiumError.Code, naming: String)] = [
        (#", "hidden_size": 64}"#, .duplicateName, "hidden_size"),
        (#", "a": {"b": 1, "b": 2}}"#, .duplicateName, "\"b\""), ("} x", .badConfig, "text after"),
        ("}}", .badConfig, "text after"), (",}", .badConfig, "byte"),
        (", \"a\": /* c */ 1}", .badConfig, "byte"), (", 'a': 1}", .badConfig, "byte"),
        (", \"a\": 0x10}", .badConfig, "byte"), (", \"a\": .5}", .badConfig, "byte"),
        (", \"a\": \"\u{1}\"}", .badConfig, "control character"),
        (
            ", \"a\": \(String(repeating: "[", count: 200))\(String(repeating: "]", count: 200))}",
            .badConfig, "nested deeper"
        ),
    ]

    @Test("a key twice, text behind the object and what is no JSON are refused", arguments: strict)
    func strictly(end: String, code: CambiumError.Code, naming: String) throws {
        let whole = try #require(ArchitectureConfigs.all["olmoe"])
        for text in [whole, TinyModel.json] {
            let last = try #require(text.lastIndex(of: "}"))
            let error = #expect(throws: CambiumError.self) {
                let json = Array((text[..<last] + end).utf8)
                if text == whole {
                    _ = try ModelDescription(json: json)
                } else {
                    _ = try PeerConfig(json: json)
                }
            }
            #expect(error?.code == code && error?.message.contains("config") == true)
            #expect(error?.message.contains(naming) == true, "\(error?.message ?? "")")
        }
    }

    @Test(
        "numbers beyond what a field holds are refused by its name, and read where nobody asks",
        arguments: ["9223372036854775808", "-1e400", "1e999", "16.00000000000001", "1e-999"])
    func huge(number: String) throws {
        let whole = try #require(ArchitectureConfigs.all["olmoe"])
        for text in [whole, TinyModel.json] {
            func read(_ text: String) throws {
                if text.contains("model_type") {
                    _ = try ModelDescription(json: Array(text.utf8))
                } else {
                    _ = try PeerConfig(json: Array(text.utf8))
                }
            }
            let last = try #require(text.lastIndex(of: "}"))
            #expect(throws: Never.self) { try read(text[..<last] + ", \"x\": \(number)}") }
            let wrong = text.replacing(/"hidden_size": \d+/, with: "\"hidden_size\": \(number)")
            #expect(wrong != text)
            let error = #expect(throws: CambiumError.self) { try read(wrong) }
            #expect(error?.message.contains("hidden_size") == true)
        }
    }

    @Test("a whole number may be written with a point or an exponent")
    func written() throws {
        #expect(try parse([Edit("hidden_size", "1.6e1")]).hiddenSize == 16)
        #expect(try parse([Edit("ffn_size", "24.0")]).feedForwardSize == 24)
    }

    @Test("a config of more than a mebibyte is refused unread")
    func tooLarge() {
        let spaces = [UInt8](repeating: 32, count: 1 << 20)
        let error = #expect(throws: CambiumError.self) {
            try PeerConfig(json: spaces + Array(TinyModel.json.utf8))
        }
        #expect(error?.code == .badConfig)
    }

    @Test("NaN and Infinity, as Python writes them, are read, and refused in a field that counts")
    func notFinite() throws {
        let text = try #require(ArchitectureConfigs.all["olmoe"])
        let other = text.replacingOccurrences(of: "\"clip_qkv\": null", with: "\"x\": Infinity")
        #expect(other != text)
        #expect(throws: Never.self) { try ModelDescription(json: Array(other.utf8)) }
        let wrong = text.replacingOccurrences(of: "10000.0", with: "NaN")
        let error = #expect(throws: CambiumError.self) {
            try ModelDescription(json: Array(wrong.utf8))
        }
        #expect(error?.message.contains("rope_theta") == true)
    }
}
