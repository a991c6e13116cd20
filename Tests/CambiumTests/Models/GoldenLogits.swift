import CheckpointSupport
import Foundation
import Testing

/// What PyTorch computed for a tiny model of one architecture.
struct GoldenLogits {
    /// A text.
    let tokens: [Int]
    /// [last tokens, vocabulary], with the weights of the fp32 forms.
    let logits: [[Float]]
    /// The same with the weights of the bf16 form.
    let logitsOfBF16: [[Float]]
    let prompt: [Int]
    /// The prompt and its greedy continuation.
    let continued: [Int]
    /// The same with the weights of the bf16 form, where it was recorded.
    let continuedOfBF16: [Int]?

    private struct Tokens: Decodable {
        let tokens: [Int]
        let greedy_prompt: [Int]
        let greedy_output: [Int]
    }

    /// Of a checkpoint that the tests make.
    init(recorded architecture: String) throws {
        let recorded = try RecordedLogits(architecture)
        tokens = recorded.tokens
        prompt = recorded.prompt
        continued = recorded.continued
        continuedOfBF16 = recorded.continuedOfBF16
        logits = recorded.logits
        logitsOfBF16 = recorded.logitsOfBF16
    }

    /// Of a checkpoint that transformers saved: see the checkpoints' README.
    init(_ architecture: String) throws {
        let folder = URL(filePath: TrainedCheckpoints.path("hf/\(architecture)"))
        let file = try JSONDecoder().decode(
            Tokens.self, from: Data(contentsOf: folder.appending(path: "tokens.json")))
        tokens = file.tokens
        prompt = file.greedy_prompt
        continued = file.greedy_output
        continuedOfBF16 = nil
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
        let rows = RecordedLogits.table(data, from: start, columns: columns)
        try #require(rows.count == Int(shape.1))
        return rows
    }
}
