import Foundation

/// What transformers computed of a generated checkpoint; `tools/golden/logits.py` recorded it, and of codes
/// `tools/golden/coded.py`.
package struct RecordedLogits: Sendable {
    package let tokens: [Int]
    package let prompt: [Int]
    /// The prompt and its greedy continuation.
    package let continued: [Int]
    /// The same of the bf16 form; empty where there is none.
    package let continuedOfBF16: [Int]
    /// [last tokens, vocabulary], with the weights of the fp32 forms.
    package let logits: [[Float]]
    /// The same with the weights of the bf16 form; empty where there is none.
    package let logitsOfBF16: [[Float]]

    private struct File: Decodable {
        let tokens: [Int]
        let prompt: [Int]
        let continued: [Int]
        let continued_bf16: [Int]?
        let rows: Int
        let logits: Data
        let logits_bf16: Data?
    }

    package init(_ family: String) throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Fixtures/logits-\(family).json")
        let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: path))
        tokens = file.tokens
        prompt = file.prompt
        continued = file.continued
        continuedOfBF16 = file.continued_bf16 ?? []
        func rows(_ data: Data) -> [[Float]] {
            Self.table([UInt8](data), from: 0, columns: data.count / 4 / file.rows)
        }
        logits = rows(file.logits)
        logitsOfBF16 = file.logits_bf16.map(rows) ?? []
    }

    /// Little-endian floats in rows.
    package static func table(_ data: [UInt8], from start: Int, columns: Int) -> [[Float]] {
        let values = stride(from: start, to: data.count, by: 4).map { at in
            Float(
                bitPattern: (0..<4).reduce(0) { $0 | UInt32(data[at + $1]) << UInt32(8 * $1) })
        }
        return stride(from: 0, to: values.count, by: columns).map {
            Array(values[$0..<$0 + columns])
        }
    }
}
