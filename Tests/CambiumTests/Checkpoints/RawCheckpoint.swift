import Checkpoints
import Elements
import Foundation
import TestSupport

/// The tensors of a checkpoint, to be written in other files, orders and spellings than the library's own.
struct RawCheckpoint {
    struct Tensor {
        let name: String
        let type: String
        let shape: [Int]
        let data: [UInt8]
    }

    var tensors: [Tensor]
    /// Files beside them.
    var files: [String: Data] = [:]
    var metadata: [(key: String, value: String)]? = [("format", "pt")]

    /// What a folder holds.
    init(_ folder: String) throws {
        let checkpoint = try Checkpoint(opening: folder)
        tensors = checkpoint.tensors.map {
            Tensor(
                name: $0.name, type: $0.shape.type.name, shape: $0.shape.dimensions,
                data: $0.bytes.copy())
        }
        if let config = checkpoint.config { files["config.json"] = Data(config) }
        for file in checkpoint.auxiliary { files[file.name] = Data(file.content) }
    }

    /// Replaces the numbers of a tensor by one value.
    mutating func fill(_ name: String, with value: Float) {
        guard let index = tensors.firstIndex(where: { $0.name == name }) else { return }
        let old = tensors[index]
        let one = littleEndian(value.bitPattern)
        tensors[index] = Tensor(
            name: name, type: old.type, shape: old.shape,
            data: (0..<(old.data.count / 4)).flatMap { _ in one })
    }

    /// One file of some tensors: as Python writes it, or at random in another order and spelling.
    func file(
        _ tensors: [Tensor], _ random: inout SeededGenerator, isOdd: Bool
    ) -> Data {
        let placed = isOdd ? tensors.shuffled(using: &random) : tensors
        let space = isOdd ? [" ", "", "\n  "].randomElement(using: &random) ?? "" : ""
        var data = Data()
        var members: [String] = []
        for tensor in placed {
            let end = data.count + tensor.data.count
            var fields = [
                "\"dtype\":\"\(tensor.type)\"",
                "\"shape\":[\(tensor.shape.map(String.init).joined(separator: ","))]",
                "\"data_offsets\":[\(data.count),\(end)]",
            ]
            if isOdd { fields.shuffle(using: &random) }
            data.append(contentsOf: tensor.data)
            members.append(
                "\"\(tensor.name)\":\(space){\(fields.joined(separator: "," + space))}")
        }
        if isOdd { members.shuffle(using: &random) }
        if let metadata {
            let entries = metadata.map { "\"\($0.key)\":\"\($0.value)\"" }
            members.insert(
                "\"__metadata__\":{\(entries.joined(separator: ","))}",
                at: isOdd ? Int.random(in: 0...members.count, using: &random) : 0)
        }
        var header = "{\(members.joined(separator: "," + space))}"
        let padding = isOdd ? Int.random(in: 0..<20, using: &random) : -header.utf8.count & 7
        header += String(repeating: " ", count: padding)
        return Data(littleEndian(UInt64(header.utf8.count))) + Data(header.utf8) + data
    }

    /// Writes a folder and returns its path.
    ///
    /// - Parameters:
    ///   - shards: More than one make an index.
    ///   - seed: Nil for files as Python and transformers write them.
    @discardableResult
    func write(
        to folder: String, shards: Int = 1, name: String = "model.safetensors", seed: UInt64? = nil
    ) throws -> String {
        var random = SeededGenerator(seed: seed ?? 0)
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        func put(_ name: String, _ data: Data) throws {
            try data.write(to: URL(filePath: "\(folder)/\(name)"))
        }
        for (name, data) in files { try put(name, data) }
        guard shards > 1 else {
            try put(name, file(tensors, &random, isOdd: seed != nil))
            return folder
        }
        var map: [String: String] = [:]
        for shard in 0..<shards {
            let name = "model-0000\(shard + 1)-of-0000\(shards).safetensors"
            let some = tensors.indices.filter { $0 % shards == shard }.map { tensors[$0] }
            for tensor in some { map[tensor.name] = name }
            try put(name, file(some, &random, isOdd: seed != nil))
        }
        let lines = map.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { "    \"\($0.key)\": \"\($0.value)\"" }
        let size = tensors.reduce(0) { $0 + $1.data.count }
        let index =
            "{\n  \"metadata\": {\n    \"total_size\": \(size)\n  },\n  \"weight_map\": {\n"
            + lines.joined(separator: ",\n") + "\n  }\n}\n"
        try put("model.safetensors.index.json", Data(index.utf8))
        return folder
    }
}

/// The names and contents of the files in a folder.
func folderContents(_ path: String) throws -> [String: Data] {
    var files: [String: Data] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: path) {
        files[name] = try bytes("\(path)/\(name)")
    }
    return files
}
