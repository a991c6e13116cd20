import CheckpointSupport
import Foundation
import Testing

/// A generated checkpoint with another config and other tensors.
struct ModelVariant {
    var config: [String: Any]
    /// Of generation_config.json; nil for none.
    var generation: [String: Any]?
    private var header: [String: Any]
    private var data: Data

    /// - Parameter name: Of ``GeneratedCheckpoints``.
    init(_ name: String) throws {
        let folder = URL(filePath: GeneratedCheckpoints.path(name))
        func json(_ data: Data) throws -> [String: Any] {
            try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        }
        config = try json(Data(contentsOf: folder.appending(path: "config.json")))
        let file = try Data(contentsOf: folder.appending(path: "model.safetensors"))
        let size = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        header = try json(file[8..<8 + size])
        data = Data(file.dropFirst(8 + size))
    }

    /// The names of the tensors.
    var names: [String] { header.keys.filter { $0 != "__metadata__" }.sorted() }

    /// Adds a tensor of F32.
    mutating func add(_ name: String, _ shape: [Int], _ value: Float = 0.5) {
        let start = data.count
        for _ in 0..<shape.reduce(1, *) {
            data.append(contentsOf: littleEndian(value.bitPattern))
        }
        header[name] = ["dtype": "F32", "shape": shape, "data_offsets": [start, data.count]]
    }

    /// Adds a copy of a tensor under another name.
    mutating func copy(_ name: String, to other: String) throws {
        let entry = try #require(header[name] as? [String: Any])
        let range = try #require(entry["data_offsets"] as? [Int])
        var new = entry
        new["data_offsets"] = [data.count, data.count + range[1] - range[0]]
        data.append(data.subdata(in: data.startIndex + range[0]..<data.startIndex + range[1]))
        header[other] = new
    }

    /// Leaves a tensor out; its bytes are taken out as well.
    mutating func remove(_ name: String) {
        guard let entry = header.removeValue(forKey: name) as? [String: Any],
            let range = entry["data_offsets"] as? [Int]
        else { return }
        let start = data.startIndex
        data.removeSubrange(start + range[0]..<start + range[1])
        for (other, value) in header {
            guard var value = value as? [String: Any], let place = value["data_offsets"] as? [Int],
                place[0] >= range[1]
            else { continue }
            value["data_offsets"] = place.map { $0 - range[1] + range[0] }
            header[other] = value
        }
    }

    /// Sets a byte of a tensor.
    mutating func set(_ name: String, _ byte: Int, to value: UInt8) {
        guard let entry = header[name] as? [String: Any],
            let range = entry["data_offsets"] as? [Int]
        else { return }
        data[data.startIndex + range[0] + byte] = value
    }

    /// The shape and the numbers of a tensor of F32 or BF16.
    func floats(_ name: String) throws -> (shape: [Int], values: [Float]) {
        let entry = try #require(header[name] as? [String: Any])
        let range = try #require(entry["data_offsets"] as? [Int])
        let shape = try #require(entry["shape"] as? [Int])
        let bytes = [UInt8](data[data.startIndex + range[0]..<data.startIndex + range[1]])
        let isHalf = entry["dtype"] as? String == "BF16"
        let values = unsafe bytes.withUnsafeBytes { bytes in
            isHalf
                ? unsafe bytes.bindMemory(to: UInt16.self).map {
                    Float(bitPattern: UInt32($0) << 16)
                } : unsafe Array(bytes.bindMemory(to: Float.self))
        }
        return (shape, values)
    }

    /// Gives a tensor of F32 other numbers.
    mutating func replace(_ name: String, _ values: [Float]) throws {
        let entry = try #require(header[name] as? [String: Any])
        let range = try #require(entry["data_offsets"] as? [Int])
        let bytes = unsafe values.withUnsafeBytes { unsafe Data($0) }
        try #require(entry["dtype"] as? String == "F32" && bytes.count == range[1] - range[0])
        data.replaceSubrange(
            data.startIndex + range[0]..<data.startIndex + range[1], with: bytes)
    }

    /// Changes `quantization_config`.
    mutating func quantisation(_ change: (inout [String: Any]) -> Void) throws {
        var fields = try #require(config["quantization_config"] as? [String: Any])
        change(&fields)
        config["quantization_config"] = fields
    }

    /// Gives a tensor another name.
    mutating func rename(_ name: String, to other: String) {
        header[other] = header.removeValue(forKey: name)
    }

    /// Writes the folder and returns its path.
    func write(to path: String) throws -> String {
        let folder = URL(filePath: path)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let json = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) }
        try (Data(length) + json + data).write(to: folder.appending(path: "model.safetensors"))
        try JSONSerialization.data(withJSONObject: config, options: .sortedKeys)
            .write(to: folder.appending(path: "config.json"))
        if let generation {
            try JSONSerialization.data(withJSONObject: generation, options: .sortedKeys)
                .write(to: folder.appending(path: "generation_config.json"))
        }
        return path
    }
}
