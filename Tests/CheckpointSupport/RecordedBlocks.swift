import Foundation

/// What the gguf package made of floats; `tools/golden/blocks.py` recorded it.
package struct RecordedBlocks: Sendable {
    /// Blocks of 32.
    package let values: [Float]
    /// As GGUF packs them: of each block the scale, then its codes.
    package let q8, q4: [UInt8]
    /// What these are.
    package let valuesOfQ8, valuesOfQ4: [Float]

    private struct File: Decodable {
        let values, q8, q4, q8_values, q4_values: Data
    }

    package init() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "Fixtures/blocks.json")
        let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: path))
        func floats(_ data: Data) -> [Float] {
            RecordedLogits.table([UInt8](data), from: 0, columns: data.count / 4).flatMap { $0 }
        }
        values = floats(file.values)
        (q8, q4) = ([UInt8](file.q8), [UInt8](file.q4))
        (valuesOfQ8, valuesOfQ4) = (floats(file.q8_values), floats(file.q4_values))
    }
}
