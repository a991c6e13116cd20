import Foundation

/// Writes the files of a generated checkpoint, without the code that the tests test.
enum CheckpointFile {
    /// A tensor as it is written.
    struct Entry {
        let name: String
        let type: String
        let shape: [Int]
        let data: Data

        init(_ name: String, _ type: String, _ shape: [Int], _ data: Data) {
            (self.name, self.type, self.shape, self.data) = (name, type, shape, data)
        }

        /// Floats, as F32 or rounded to BF16.
        init(_ tensor: GeneratedTensor, bf16: Bool) {
            self.init(
                tensor.name, bf16 ? "BF16" : "F32", tensor.shape,
                bf16
                    ? CheckpointFile.bytes(tensor.values.map(GeneratedTensor.bf16))
                    : CheckpointFile.bytes(tensor.values.map(\.bitPattern)))
        }
    }

    /// Numbers one after the other, little-endian.
    static func bytes(_ numbers: [some FixedWidthInteger]) -> Data {
        let numbers = numbers.map(\.littleEndian)
        return unsafe numbers.withUnsafeBytes { unsafe Data($0) }
    }

    /// The types that are written, as they follow each other in a file.
    private static let types = ["I64", "F32", "I32", "BF16", "F16", "F8_E4M3", "U8"]

    private static func rank(_ type: String) -> Int { types.firstIndex(of: type) ?? types.count }

    /// The bytes of a safetensors file as transformers writes it: sorted types and names, one header of JSON padded
    /// with spaces to eight bytes.
    static func safetensors(_ tensors: [Entry]) -> Data {
        var entries = [#""__metadata__":{"format":"pt"}"#]
        var data = Data()
        for tensor in tensors.sorted(by: { (rank($0.type), $0.name) < (rank($1.type), $1.name) }) {
            let start = data.count
            data.append(tensor.data)
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            entries.append(
                #""\#(tensor.name)":{"dtype":"\#(tensor.type)","shape":[\#(shape)],"#
                    + #""data_offsets":[\#(start),\#(data.count)]}"#)
        }
        var header = Data("{\(entries.joined(separator: ","))}".utf8)
        header += Data(repeating: 0x20, count: (8 - header.count % 8) % 8)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: header.count >> (8 * $0)) }
        return Data(length) + header + data
    }

    static func write(
        _ tensors: [GeneratedTensor], bf16: Bool, files: [String: [String: Any]], to folder: URL
    ) throws {
        try write(tensors.map { Entry($0, bf16: bf16) }, files: files, to: folder)
    }

    static func write(
        _ tensors: [Entry], files: [String: [String: Any]], to folder: URL
    ) throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try safetensors(tensors).write(
            to: folder.appending(path: "model.safetensors"))
        for (name, fields) in files {
            try JSONSerialization.data(
                withJSONObject: fields, options: [.prettyPrinted, .sortedKeys]
            ).write(to: folder.appending(path: name))
        }
    }
}
