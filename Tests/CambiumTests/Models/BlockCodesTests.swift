import CheckpointSupport
import Elements
import Tensors
import Testing

@testable import Cambium

/// Blocks of codes against what the gguf package makes of the same floats.
@Suite("blocks of codes are GGUF's Q8_0 and Q4_0")
struct BlockCodesTests {
    @Test("codes and scales are those of the gguf package", arguments: QuantizedForm.allCases)
    func codes(form: QuantizedForm) throws {
        let golden = try RecordedBlocks()
        let made = try BlockCodes(golden.values.span, form == .q8 ? .q8 : .q4)
        let packed = form == .q8 ? golden.q8 : golden.q4
        let width = form == .q8 ? 34 : 18
        for (block, start) in stride(from: 0, to: packed.count, by: width).enumerated() {
            let theirs = packed[start..<start + width]
            #expect(Array(theirs.prefix(2)) == Array(made.scales[2 * block..<2 * block + 2]))
            let codes = Array(theirs.dropFirst(2))
            let size = width - 2
            #expect(codes == Array(made.codes[size * block..<size * (block + 1)]), "\(block)")
        }
    }

    @Test("weights are those that the gguf package reads", arguments: QuantizedForm.allCases)
    func weights(form: QuantizedForm) throws {
        let golden = try RecordedBlocks()
        let coding: WeightCoding = form == .q8 ? .q8 : .q4
        let made = try BlockCodes(golden.values.span, coding)
        let rows = CodedRows(
            CodedForm(coding, scaleType: .f16), rows: golden.values.count / 32, columns: 32,
            codes: MappedBytes(copying: made.codes), scales: MappedBytes(copying: made.scales))
        var found: [Float] = []
        for row in 0..<rows.rows {
            var values = [Float](repeating: 9, count: 32)
            do {
                var span = values.mutableSpan
                rows.copyRow(row, into: &span)
            }
            found += values
        }
        let theirs = form == .q8 ? golden.valuesOfQ8 : golden.valuesOfQ4
        #expect(found.map(\.bitPattern) == theirs.map(\.bitPattern))
        #expect(
            PlainBlocks.rounded(golden.values, form).map { $0 == 0 ? 0 : $0 }
                == theirs.map { $0 == 0 ? 0 : $0 })
    }

    @Test("NaN, infinity and scales beyond F16 have no codes; the least numbers are zeros")
    func odd() throws {
        for (value, word) in [
            (Float.nan, "NaN"), (.infinity, "infinity"), (9e6, "no scale of F16"),
            (.greatestFiniteMagnitude, "no scale of F16"),
        ] {
            let values = [Float](repeating: 1, count: 40) + [value]
            let error = #expect(throws: CambiumError.self) {
                _ = try BlockCodes(
                    (values + [Float](repeating: 0, count: 23)).span, .q8)
            }
            #expect(error?.code == .unsupported && error?.message.contains(word) == true)
        }
        for coding in [WeightCoding.q8, .q4] {
            let least = [Float](repeating: .leastNonzeroMagnitude, count: 32)
            let made = try BlockCodes(least.span, coding)
            #expect(made.codes.allSatisfy { $0 == (coding == .q8 ? 0 : 0x88) })
            // A block of scale 0, one of a scale below the whole numbers of F16, zeros, and one as any.
            let small = [1e-7, 1e-4, 0, 1].flatMap { [Float](repeating: $0, count: 32) }
            #expect(try made.coarse == 1 && BlockCodes(small.span, coding).coarse == 2)
        }
    }
}
