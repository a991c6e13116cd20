import Foundation

/// A tensor of a patch file, in any dtype.
struct PatchTensor {
    let name: String
    let dtype: String
    let shape: [Int]
    let data: [UInt8]

    init(_ name: String, _ dtype: String, _ shape: [Int], _ data: [UInt8]) {
        (self.name, self.dtype, self.shape, self.data) = (name, dtype, shape, data)
    }

    init(_ name: String, _ shape: [Int], _ values: [Float]) {
        self.init(name, "F32", shape, values.flatMap { littleEndian($0.bitPattern) })
    }

    init(rows name: String, _ rows: [Int64]) {
        self.init(name + ".rows", "I64", [rows.count], rows.flatMap { littleEndian($0) })
    }

    init(index name: String, _ elements: [UInt32], _ dtype: String = "U32") {
        self.init(
            name + ".index", dtype, [elements.count], elements.flatMap { littleEndian($0) })
    }

    init(wideIndex name: String, _ elements: [Int64], _ dtype: String = "U64") {
        self.init(
            name + ".index", dtype, [elements.count], elements.flatMap { littleEndian($0) })
    }

    init(value name: String, _ values: [Float]) {
        self.init(name + ".value", [values.count], values)
    }

    /// Writes a patch file of some tensors, and returns its path.
    static func write(_ tensors: [PatchTensor], _ directory: String) throws -> String {
        var header: [String: Any] = [:]
        var data = Data()
        for tensor in tensors {
            let end = data.count + tensor.data.count
            header[tensor.name] = [
                "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [data.count, end],
            ]
            data.append(contentsOf: tensor.data)
        }
        let json = try JSONSerialization.data(withJSONObject: header, options: .sortedKeys)
        let path = directory + "/patch.safetensors"
        try (Data(littleEndian(UInt64(json.count))) + json + data).write(to: URL(filePath: path))
        return path
    }
}
