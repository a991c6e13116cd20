import Foundation

/// Writes the files of a generated checkpoint, without the code that the tests test.
enum CheckpointFile {
    /// The bytes of a safetensors file as transformers writes it: sorted names, one header of JSON padded with
    /// spaces to eight bytes.
    static func safetensors(_ tensors: [GeneratedTensor], bf16: Bool) -> Data {
        var entries = [#""__metadata__":{"format":"pt"}"#]
        var data = Data()
        for tensor in tensors.sorted(by: { $0.name < $1.name }) {
            let start = data.count
            if bf16 {
                let numbers = tensor.values.map { GeneratedTensor.bf16($0).littleEndian }
                unsafe numbers.withUnsafeBytes { unsafe data.append(contentsOf: $0) }
            } else {
                let numbers = tensor.values.map(\.bitPattern.littleEndian)
                unsafe numbers.withUnsafeBytes { unsafe data.append(contentsOf: $0) }
            }
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            entries.append(
                #""\#(tensor.name)":{"dtype":"\#(bf16 ? "BF16" : "F32")","shape":[\#(shape)],"#
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
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try safetensors(tensors, bf16: bf16).write(
            to: folder.appending(path: "model.safetensors"))
        for (name, fields) in files {
            try JSONSerialization.data(
                withJSONObject: fields, options: [.prettyPrinted, .sortedKeys]
            ).write(to: folder.appending(path: name))
        }
    }
}
