internal import Elements

extension ShardIndex {
    private static let mapKey = "weight_map"
    private static let sizePath = ["metadata", "total_size"]

    /// An index that lists exactly some tensors: the one given, byte for byte where it says so already.
    ///
    /// - Parameters:
    ///   - content: An index.
    ///   - shards: The shard of each tensor.
    ///   - sizes: The bytes of each tensor.
    ///   - before: Those of the tensors that the index was written for.
    /// - Throws: `.badIndex` or `.duplicateName`, when what is given is no index.
    package static func fitted(
        _ content: [UInt8], to shards: [String: String], sizes: [String: Int],
        before: [String: Int]
    ) throws -> [UInt8] {
        let source = fileName
        let listed = try ShardIndex(parsing: content, path: source).shards
        var growth = 0
        for (name, size) in sizes {
            growth += size - (listed[name] == nil ? 0 : before[name] ?? size)
        }
        for name in listed.keys where shards[name] == nil { growth -= before[name] ?? 0 }
        guard listed != shards || growth != 0 else { return content }
        let total = size(content)
        // In this form the order in which tensors came and went leaves no trace.
        if content == written(listed, size: total) {
            return written(shards, size: total.map { max($0 + growth, 0) })
        }
        var edit = JSONEdit(content, source: source, code: .badIndex)
        _ = try edit.add(growth, to: sizePath)
        let gone = listed.filter { shards[$0.key] != $0.value }
        let new = shards.filter { listed[$0.key] != $0.value }
        _ = try edit.remove(Set(gone.keys), from: [mapKey])
        _ = try edit.append(
            new.sorted { isBefore($0.key, $1.key) }.map { ($0.key, $0.value) }, to: [mapKey])
        // The first member of an object cannot be taken out of its text.
        guard let now = try? ShardIndex(parsing: edit.bytes, path: source).shards, now == shards
        else { return written(shards, size: size(edit.bytes)) }
        return edit.bytes
    }

    /// The total of bytes that an index states, or nil.
    package static func size(_ content: [UInt8]) -> Int? {
        let value = try? JSONValue(parsing: content, source: fileName, code: .badIndex)
        return value?["metadata"]?["total_size"]?.integer
    }

    /// An index as the transformers library writes one.
    ///
    /// - Parameter size: The bytes of all tensors; left out when nil.
    package static func written(_ shards: [String: String], size: Int?) -> [UInt8] {
        var text = Array("{\n  \"metadata\": {".utf8)
        if let size { text += Array("\n    \"total_size\": \(size)\n  ".utf8) }
        text += Array("},\n  \"\(mapKey)\": {".utf8)
        for (number, shard) in shards.sorted(by: { isBefore($0.key, $1.key) }).enumerated() {
            text += Array((number == 0 ? "\n    " : ",\n    ").utf8)
            appendJSON(shard.key, to: &text)
            text += Array(": ".utf8)
            appendJSON(shard.value, to: &text)
        }
        return text + Array("\n  }\n}\n".utf8)
    }
}

/// The order of the bytes of names.
private func isBefore(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
}
