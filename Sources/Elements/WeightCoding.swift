/// How the matrices of a quantised checkpoint are stored: as codes, and as scales that they are multiplied with.
///
/// A weight is the number of its code times its scale, rounded once to F32.
package struct WeightCoding: Sendable, Hashable {
    package enum Code: Sendable, Hashable {
        /// FP8 of 4 bits of exponent and 3 of fraction, a byte each (OCP, E4M3): F8_E4M3 [rows, columns].
        case e4m3
        /// FP4 of 2 bits of exponent and 1 of fraction, 32 in 16 bytes, the first low (OCP, MXFP4): U8
        /// [rows, columns / 32, 16].
        case e2m1
        /// Numbers from -8 to 7, kept as 8 more, 8 in a word, the first lowest (compressed-tensors): I32
        /// [rows, columns / 8].
        case int4
        /// Numbers from -8 to 7, kept as 8 more, 32 in 16 bytes: the first 16 low, the others high (GGUF's Q4_0): U8
        /// [rows, columns / 2].
        case int4Halves
        /// Numbers from -128 to 127, a byte each: I8 [rows, columns].
        case int8
        /// Numbers of 4 bits with zero points, by columns: 8 inputs of an output in a word, I32 [columns / 8, rows].
        /// What is kept of a word of zero points is `zeroStep` less
        /// of each, with what that borrows (GPTQ).
        case gptq(zeroStep: Int)
        /// The same with 8 outputs of an input in a word, the even ones first: I32 [columns, rows / 8] (AWQ).
        case awq
    }

    package let code: Code
    /// Rows that share a scale; nil for all.
    package let scaleRows: Int?
    /// Adjacent elements of a row that share a scale, a multiple of 16; nil for all.
    package let scaleColumns: Int?

    /// Elements that a scale may be of side by side: whole vectors of the kernels.
    package static let columnStep = 16

    package init(_ code: Code, scaleRows: Int?, scaleColumns: Int?) {
        precondition(
            scaleRows ?? 1 > 0 && scaleColumns ?? Self.columnStep > 0
                && (scaleColumns ?? 0) % Self.columnStep == 0,
            "scales of \(scaleRows ?? 0) x \(scaleColumns ?? 0)")
        self.code = code
        self.scaleRows = scaleRows
        self.scaleColumns = scaleColumns
    }

    /// MXFP4: 32 elements of a row share an exponent of 2.
    package static let mxfp4 = WeightCoding(.e2m1, scaleRows: 1, scaleColumns: 32)

    /// Bytes, or numbers of 4 bits, of which 32 of a row share a scale: the numbers of GGUF's Q8_0 and Q4_0.
    package static let q8 = WeightCoding(.int8, scaleRows: 1, scaleColumns: 32)
    package static let q4 = WeightCoding(.int4Halves, scaleRows: 1, scaleColumns: 32)

    /// The type of the codes as they are stored.
    package var codeType: ElementType {
        switch code {
        case .e4m3: .f8e4m3
        case .e2m1, .int4Halves: .u8
        case .int8: .i8
        case .int4, .gptq, .awq: .i32
        }
    }

    /// Whether matrices lie by columns, with zero points.
    package var isByColumns: Bool {
        switch code {
        case .gptq, .awq: true
        case .e4m3, .e2m1, .int4, .int4Halves, .int8: false
        }
    }

    /// The types that scales may have.
    package var scaleTypes: [ElementType] {
        switch code {
        case .e4m3: [.f32, .bf16, .f16, .f8e8m0]
        case .e2m1: [.u8, .f8e8m0]
        case .int4: [.bf16, .f16, .f32]
        case .int4Halves, .int8: [.f16]
        case .gptq, .awq: [.f16, .bf16]
        }
    }

    /// What the codes of a matrix are; nil where they do not fill whole bytes, or groups of elements with a scale of
    /// their own.
    package func codes(rows: Int, columns: Int) -> TensorShape? {
        switch code {
        case .e4m3: TensorShape(codeType, [rows, columns])
        case .int8:
            columns % (scaleColumns ?? 1) == 0 ? TensorShape(codeType, [rows, columns]) : nil
        case .e2m1:
            columns % 32 == 0 ? TensorShape(codeType, [rows, columns / 32, 16]) : nil
        case .int4Halves:
            columns % 32 == 0 ? TensorShape(codeType, [rows, columns / 2]) : nil
        case .int4:
            columns % (scaleColumns ?? 8) == 0 && columns % 8 == 0
                ? TensorShape(codeType, [rows, columns / 8]) : nil
        case .gptq:
            columns % 8 == 0 && rows % 8 == 0 ? TensorShape(codeType, [columns / 8, rows]) : nil
        case .awq:
            columns % 8 == 0 && rows % 8 == 0 ? TensorShape(codeType, [columns, rows / 8]) : nil
        }
    }

    /// What the zero points of a matrix are; nil where there are none.
    package func zeros(rows: Int, columns: Int) -> TensorShape? {
        guard isByColumns else { return nil }
        return TensorShape(codeType, [scales(rows: rows, columns: columns)[0][0], rows / 8])
    }

    /// What the scales of a matrix may be shaped like, the usual way first.
    package func scales(rows: Int, columns: Int) -> [[Int]] {
        func count(_ size: Int, _ block: Int?) -> Int { block.map { (size + $0 - 1) / $0 } ?? 1 }
        let grid = [count(rows, scaleRows), count(columns, scaleColumns)]
        if isByColumns { return [[grid[1], grid[0]]] }
        switch (scaleRows, scaleColumns) {
        case (nil, nil): return [[], [1], grid]
        case (_?, nil): return [grid, [grid[0]]]
        default: return [grid]
        }
    }
}
