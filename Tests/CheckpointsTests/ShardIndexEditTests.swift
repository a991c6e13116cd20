import Checkpoints
import Foundation
import Testing

@Suite("Indexes of shards that change")
struct ShardIndexEditTests {
    private let text =
        #"{"metadata":{"total_size":12,"x":1.50},"weight_map":{"a":"1.safetensors","b":"2.safetensors"}}"#
    private var shards: [String: String] { ["a": "1.safetensors", "b": "2.safetensors"] }

    private func fitted(
        _ shards: [String: String], _ sizes: [String: Int], before: [String: Int]
    ) throws -> String {
        let bytes = try ShardIndex.fitted(
            Array(text.utf8), to: shards, sizes: sizes, before: before)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("an index that lists the tensors stays as it is")
    func same() throws {
        #expect(try fitted(shards, ["a": 4, "b": 8], before: ["a": 4, "b": 8]) == text)
        // Whatever total it claims.
        #expect(try fitted(shards, ["a": 5, "b": 9], before: ["a": 5, "b": 9]) == text)
    }

    @Test("what is added and taken away again leaves the index as it was")
    func change() throws {
        var more = shards
        more["c"] = "2.safetensors"
        let sizes = ["a": 4, "b": 8, "c": 100]
        let grown = try fitted(more, sizes, before: ["a": 4, "b": 8])
        #expect(grown.contains(#""total_size":112,"x":1.50"#) && grown.contains(#""c": "2.safe"#))
        let back = try ShardIndex.fitted(
            Array(grown.utf8), to: shards, sizes: ["a": 4, "b": 8], before: sizes)
        #expect(String(decoding: back, as: UTF8.self) == text)
        // A tensor that grows in its place.
        #expect(
            try fitted(shards, ["a": 6, "b": 8], before: ["a": 4, "b": 8])
                .contains(#""total_size":14"#))
    }

    @Test("without its first tensor it is written anew, with the right total")
    func first() throws {
        let left = try fitted(["b": "2.safetensors"], ["b": 8], before: ["a": 4, "b": 8])
        let json = try JSONSerialization.jsonObject(with: Data(left.utf8)) as? [String: Any]
        #expect(json?["weight_map"] as? [String: String] == ["b": "2.safetensors"])
        #expect((json?["metadata"] as? [String: Any])?["total_size"] as? Int == 8)
        #expect(left.hasSuffix("}\n"))
    }
}
