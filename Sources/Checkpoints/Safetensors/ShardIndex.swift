internal import Elements

/// The index of a sharded checkpoint, `model.safetensors.index.json`: which file holds each tensor.
package struct ShardIndex: Sendable {
    package static let fileName = "model.safetensors.index.json"

    /// The file as it was read, its `metadata` (the total size and whatever else) included.
    package let content: [UInt8]
    /// The shard of each tensor.
    package let shards: [String: String]
    /// Every shard once, sorted.
    package let files: [String]

    /// - Throws: `.badIndex`, or `.duplicateName`.
    init(parsing content: [UInt8], path: String) throws {
        let root = try JSONValue(parsing: content, source: path, code: .badIndex)
        guard case .object(let map)? = root["weight_map"], !map.isEmpty else {
            throw CambiumError(
                .badIndex, "\(path) has no weight_map object that names the shard of each tensor")
        }
        var shards: [String: String] = [:]
        shards.reserveCapacity(map.count)
        for (tensor, value) in map {
            guard let file = value.string, Self.isPlainName(file) else {
                throw CambiumError(
                    .badIndex,
                    "\(path) puts tensor \(quoted(tensor)) into \(Self.shown(value)), but a shard "
                        + "is a .safetensors file in the same folder, named without a path")
            }
            shards[tensor] = file
        }
        self.content = content
        self.shards = shards
        self.files = Set(shards.values).sorted(by: isBefore)
    }

    /// Whether `file` names a safetensors file in the folder itself: no path, no way out of it.
    private static func isPlainName(_ file: String) -> Bool {
        file.hasSuffix(".safetensors") && !file.utf8.contains(UInt8(ascii: "/"))
            && reasonToRefuse(name: file) == nil
    }

    private static func shown(_ value: JSONValue) -> String {
        value.string.map(quoted) ?? "something that is not text"
    }

    /// Checks that each tensor is in the shard that lists it and in no other.
    ///
    /// - Parameters:
    ///   - tensors: Every tensor of every shard with its shard's position in ``files``.
    ///   - path: The folder.
    /// - Throws: `.unlistedTensor`, `.duplicateName` or `.missingTensor`.
    func check(_ tensors: [(name: String, file: Int)], path: String) throws {
        var seen: [String: Int] = [:]
        seen.reserveCapacity(tensors.count)
        for (name, file) in tensors {
            if let other = seen.updateValue(file, forKey: name) {
                throw CambiumError(
                    .duplicateName,
                    "\(path) holds tensor \(quoted(name)) in two shards, \(files[other]) and "
                        + "\(files[file]); keep one")
            }
        }
        for (name, file) in tensors where shards[name] != files[file] {
            throw CambiumError(
                .unlistedTensor,
                "\(path)/\(files[file]) holds tensor \(quoted(name)), which the index "
                    + (shards[name].map { "puts into \($0)" } ?? "does not list"))
        }
        guard seen.count < shards.count else { return }
        let missing = shards.keys.filter { seen[$0] == nil }.sorted(by: isBefore)
        throw CambiumError(
            .missingTensor,
            "\(path): the index lists tensor \(quoted(missing[0])) in "
                + "\(shards[missing[0], default: "?"]), which does not hold it"
                + (missing.count > 1 ? " (and \(missing.count - 1) more)" : ""))
    }
}
