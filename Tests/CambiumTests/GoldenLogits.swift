import Foundation
import Testing

/// What PyTorch computed for a tiny model of one architecture: see the checkpoints' README.
struct GoldenLogits {
    /// A text.
    let tokens: [Int]
    /// [tokens, vocabulary], with the weights of the fp32 forms.
    let logits: [[Float]]
    /// The same with the weights of the bf16 form.
    let logitsOfBF16: [[Float]]
    let prompt: [Int]
    /// The prompt and its greedy continuation.
    let continued: [Int]

    private struct Tokens: Decodable {
        let tokens: [Int]
        let greedy_prompt: [Int]
        let greedy_output: [Int]
    }

    init(_ architecture: String) throws {
        let folder = URL(filePath: Checkpoints.path("hf/\(architecture)"))
        let file = try JSONDecoder().decode(
            Tokens.self, from: Data(contentsOf: folder.appending(path: "tokens.json")))
        tokens = file.tokens
        prompt = file.greedy_prompt
        continued = file.greedy_output
        logits = try Self.rows(folder.appending(path: "logits.npy"))
        logitsOfBF16 = try Self.rows(folder.appending(path: "logits_bf16weights_f32math.npy"))
    }

    /// The rows of an array of little-endian floats in NumPy's format, version 1.
    private static func rows(_ file: URL) throws -> [[Float]] {
        let data = try [UInt8](Data(contentsOf: file))
        let start = 10 + Int(data[8]) + 256 * Int(data[9])
        let header = String(decoding: data[10..<start], as: UTF8.self)
        try #require(header.contains("'<f4'") && header.contains("'fortran_order': False"))
        let shape = try #require(header.firstMatch(of: /'shape': \((\d+), (\d+)\)/)).output
        let columns = try #require(Int(shape.2))
        let values = stride(from: start, to: data.count, by: 4).map { at in
            Float(
                bitPattern: (0..<4).reduce(0) { $0 | UInt32(data[at + $1]) << UInt32(8 * $1) })
        }
        try #require(values.count == Int(shape.1).map { $0 * columns })
        return stride(from: 0, to: values.count, by: columns).map {
            Array(values[$0..<$0 + columns])
        }
    }
}
