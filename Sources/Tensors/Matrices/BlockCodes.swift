internal import CKernels
package import Elements

/// Floats as codes in blocks of 32 with a scale of F16 each.
package struct BlockCodes: Sendable {
    /// As the coding shapes the codes of rows of such blocks.
    package let codes: [UInt8]
    /// F16, little-endian, one a block.
    package let scales: [UInt8]
    /// Blocks that are not 0 alone and whose scale is 0, or below the numbers of F16 that have all their bits.
    package let coarse: Int

    private static let size = 32

    /// The codes that are nearest to the floats, as GGUF's Q8_0 and Q4_0 have them.
    ///
    /// - Parameters:
    ///   - values: Whole blocks.
    ///   - coding: ``WeightCoding/q8`` or ``WeightCoding/q4``.
    /// - Throws: `.unsupported` for NaN and infinity, and for a scale beyond F16.
    package init(_ values: Span<Float>, _ coding: WeightCoding) throws {
        precondition(
            values.count % Self.size == 0 && (coding == .q8 || coding == .q4),
            "\(values.count) floats for \(coding.code)")
        let blocks = values.count / Self.size
        var codes = [UInt8](
            repeating: 0, count: coding == .q8 ? values.count : values.count / 2)
        var scales = [UInt8](repeating: 0, count: 2 * blocks)
        let done = unsafe values.withUnsafeBufferPointer { values in
            unsafe codes.withUnsafeMutableBytes { codes in
                unsafe scales.withUnsafeMutableBytes { scales -> Int in
                    guard let source = values.baseAddress, let codes = codes.baseAddress,
                        let scales = scales.baseAddress
                    else { return 0 }
                    return unsafe cambium_encode_blocks(
                        source, blocks, coding == .q8 ? CAMBIUM_INT8 : CAMBIUM_INT4_HALVES, codes,
                        scales)
                }
            }
        }
        guard done == blocks else {
            let block = (0..<Self.size).map { values[done * Self.size + $0] }
            throw CambiumError(
                .unsupported,
                block.allSatisfy(\.isFinite)
                    ? "numbers as large as \(block.map(abs).max() ?? 0) have no scale of F16"
                    : "NaN and infinity cannot be quantised")
        }
        var coarse = 0
        for block in 0..<blocks where scales[2 * block + 1] & 0x7C == 0 {
            let elements = Self.size * block..<Self.size * (block + 1)
            if elements.contains(where: { values[$0] != 0 }) { coarse += 1 }
        }
        (self.codes, self.scales, self.coarse) = (codes, scales, coarse)
    }
}
