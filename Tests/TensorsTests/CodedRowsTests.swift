import CKernels
import Elements
import NumericSupport
import Tensors
import Testing

@Suite("matrices of codes and scales")
struct CodedRowsTests {
    /// A coding, and a type that its scales have.
    static let forms: [CodedForm] = [
        CodedForm(WeightCoding(.e4m3, scaleRows: 128, scaleColumns: 128), scaleType: .f32),
        CodedForm(WeightCoding(.e4m3, scaleRows: 16, scaleColumns: 32), scaleType: .bf16),
        CodedForm(WeightCoding(.e4m3, scaleRows: 16, scaleColumns: 16), scaleType: .f8e8m0),
        CodedForm(WeightCoding(.e4m3, scaleRows: nil, scaleColumns: nil), scaleType: .f32),
        CodedForm(WeightCoding(.e4m3, scaleRows: 1, scaleColumns: nil), scaleType: .f16),
        CodedForm(.mxfp4, scaleType: .u8),
        CodedForm(WeightCoding(.int4, scaleRows: 1, scaleColumns: 32), scaleType: .bf16),
        CodedForm(WeightCoding(.int4, scaleRows: 1, scaleColumns: 128), scaleType: .f16),
        CodedForm(WeightCoding(.int4, scaleRows: 1, scaleColumns: nil), scaleType: .f32),
        CodedForm(.q4, scaleType: .f16),
        CodedForm(.q8, scaleType: .f16),
        CodedForm(WeightCoding(.int8, scaleRows: 1, scaleColumns: nil), scaleType: .f16),
    ]
    static let byColumns: [CodedForm] = [
        CodedForm(WeightCoding(.awq, scaleRows: 1, scaleColumns: 32), scaleType: .f16),
        CodedForm(
            WeightCoding(.gptq(zeroStep: 1), scaleRows: 1, scaleColumns: 32), scaleType: .f16),
        CodedForm(
            WeightCoding(.gptq(zeroStep: 0), scaleRows: 1, scaleColumns: 128), scaleType: .bf16),
    ]

    /// The bytes of codes and scales, of all codes but NaN.
    static func bytes(
        _ form: CodedForm, _ rows: Int, _ columns: Int, _ noise: inout Noise
    ) throws -> (codes: [UInt8], scales: [UInt8]) {
        let shape = try #require(form.coding.codes(rows: rows, columns: columns))
        let count = try #require(shape.byteCount)
        let codes = (0..<count).map { _ in
            let code = UInt8(truncatingIfNeeded: noise.bits() >> 24)
            return form.coding.code == .e4m3 && code & 0x7f == 0x7f ? code ^ 1 : code
        }
        let scaleCount = form.coding.scales(rows: rows, columns: columns)[0].reduce(1, *)
        let scales: [UInt8] =
            switch form.scaleType {
            case .u8, .f8e8m0: (0..<scaleCount).map { _ in UInt8(118 + noise.bits() % 12) }
            default: stored(noise.floats(scaleCount), form.scaleType).bytes
            }
        return (codes, scales)
    }

    static func matrix(
        _ form: CodedForm, _ rows: Int, _ columns: Int, seed: UInt64
    ) throws -> CodedRows {
        var noise = Noise(seed: seed)
        let (codes, scales) = try bytes(form, rows, columns, &noise)
        // At an odd address.
        func place(_ bytes: [UInt8]) -> MappedBytes {
            MappedBytes(copying: [0] + bytes).slice(1..<bytes.count + 1)
        }
        return CodedRows(
            form, rows: rows, columns: columns, codes: place(codes), scales: place(scales))
    }

    /// The same weights as F32.
    static func floats(_ coded: CodedRows) -> [Float] {
        (0..<coded.rows).flatMap { row in
            var values = [Float](repeating: 0, count: coded.columns)
            var span = values.mutableSpan
            coded.copyRow(row, into: &span)
            return values
        }
    }

    private static func plain(_ coded: CodedRows) -> RowMatrix {
        RowMatrix(
            rows: coded.rows, columns: coded.columns,
            bytes: MappedBytes(copying: stored(floats(coded), .f32).bytes), type: .f32)
    }

    /// Sizes that the coding divides.
    private static func sizes(_ form: CodedForm) -> [(rows: Int, columns: Int)] {
        let all = [(1, 32), (5, 8), (33, 64), (70, 130), (37, 384), (260, 400)]
        return all.filter { form.coding.codes(rows: $0.0, columns: $0.1) != nil }
    }

    @Test("a weight is the number of its code times its scale, rounded once")
    func values() {
        func weights(_ form: CodedForm, _ codes: [UInt8], _ scales: [UInt8], _ count: Int)
            -> [Float]
        {
            Self.floats(
                CodedRows(
                    form, rows: 1, columns: count, codes: MappedBytes(copying: codes),
                    scales: MappedBytes(copying: scales)))
        }
        let e4m3 = CodedForm(
            WeightCoding(.e4m3, scaleRows: nil, scaleColumns: nil), scaleType: .f32)
        let found = weights(
            e4m3, [0x00, 0x01, 0x07, 0x08, 0x38, 0x7e, 0x80, 0xbc, 0x7f],
            stored([0.5], .f32).bytes, 9)
        #expect(
            found.dropLast() == [0, 0x1p-10, 7 * 0x1p-10, 0x1p-7, 0.5, 224, 0, -0.75])
        #expect(found[6].sign == .minus && found[8].isNaN)
        let nibbles: [UInt8] = [0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe]
        #expect(
            weights(CodedForm(.mxfp4, scaleType: .u8), nibbles + nibbles, [128], 32).prefix(16)
                == [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12])
        let int4 = CodedForm(WeightCoding(.int4, scaleRows: 1, scaleColumns: nil), scaleType: .f16)
        #expect(
            weights(int4, nibbles, stored([0.25], .f16).bytes, 16)
                == (-8..<8).map { Float($0) / 4 })
        #expect(
            weights(
                CodedForm(WeightCoding(.int8, scaleRows: 1, scaleColumns: nil), scaleType: .f16),
                [0, 1, 127, 128, 129, 255], stored([0.25], .f16).bytes, 6)
                == [0, 0.25, 31.75, -32, -31.75, -0.25])
        // The least and the greatest exponent, and the one that stands for no number.
        for (exponent, value) in [(0, 0x1p-127), (254, 0x1p127), (255, Float.nan)] {
            let found = weights(
                CodedForm(.mxfp4, scaleType: .u8), [UInt8](repeating: 0x22, count: 16),
                [UInt8(exponent)], 32)
            #expect(found[3].bitPattern == value.bitPattern)
        }
    }

    @Test(
        "zero points of GPTQ's first format are those of the whole word that 0x11111111 was taken from"
    )
    func zeros() {
        // Zero points 0 and 3, and 0 again: what is stored of them is 15, 1 and 15.
        let points: [UInt32] = [0, 3, 0, 15, 8, 1, 7, 2]
        let word = points.enumerated().reduce(UInt32(0)) { $0 | $1.element << (4 * $1.offset) }
        func little(_ word: UInt32) -> [UInt8] {
            (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
        }
        for (step, kept) in [(1, word &- 0x1111_1111), (0, word)] {
            let matrix = RowMatrix(
                CodedRows(
                    CodedForm(
                        WeightCoding(.gptq(zeroStep: step), scaleRows: 1, scaleColumns: nil),
                        scaleType: .f16), rows: 8, columns: 8,
                    codes: MappedBytes(copying: [UInt8](repeating: 0x99, count: 32)),
                    scales: MappedBytes(
                        copying: stored([Float](repeating: 1, count: 8), .f16).bytes),
                    zeros: MappedBytes(copying: little(kept))))
            for (row, point) in points.enumerated() {
                var values = [Float](repeating: 0, count: 8)
                do {
                    var span = values.mutableSpan
                    matrix.copyRow(row, into: &span)
                }
                #expect(values == [Float](repeating: 9 - Float(point), count: 8))
            }
        }
    }

    @Test(
        "products have the bits of the same weights as floats, by every variant", arguments: forms)
    func products(form: CodedForm) throws {
        let seed: UInt64 = 91
        for (rows, columns) in Self.sizes(form) {
            let coded = try Self.matrix(form, rows, columns, seed: seed)
            let plain = Self.plain(coded)
            var noise = Noise(seed: 92)
            // Alone, a tile and some, and as many as meet widened rows, with some left over.
            for tokens in [1, 3, 9, 39] {
                let x = noise.floats(tokens * columns)
                func multiply(_ matrix: RowMatrix, _ threads: Int) -> [UInt32] {
                    var out = [Float](repeating: 9, count: tokens * rows)
                    var span = out.mutableSpan
                    matrix.multiply(
                        x.span, tokens: tokens, into: &span, team: ThreadTeam(count: threads))
                    return out.map(\.bitPattern)
                }
                let expected = multiply(plain, 1)
                #expect(multiply(RowMatrix(coded), 3) == expected, "\(rows) x \(columns)")
                var index = 0
                while let variant = unsafe cambium_variant_at(index) {
                    unsafe cambium_use_variant(variant)
                    #expect(multiply(RowMatrix(coded), 1) == expected, "variant \(index)")
                    index += 1
                }
                cambium_use_variant(nil)
            }
        }
    }

    @Test("heads multiply with their own rows, and with their transpose", arguments: forms)
    func heads(form: CodedForm) throws {
        let (count, tokens) = (3, 2)
        let (rows, columns) = (27, form.coding.scaleColumns == 128 ? 128 : 32)
        let coded = try Self.matrix(form, rows, columns, seed: 93)
        let some = HeadRows(count: count, first: 2, step: 9, rows: 5)
        var noise = Noise(seed: 94)
        let x = noise.floats(tokens * count * columns)
        func both(_ matrix: RowMatrix) -> [UInt32] {
            var out = [Float](repeating: 9, count: tokens * count * 5)
            do {
                var span = out.mutableSpan
                matrix.multiply(some, x.span, tokens: tokens, into: &span)
            }
            var back = [Float](repeating: 9, count: tokens * count * (columns + 3))
            do {
                var span = back.mutableSpan
                matrix.multiplyTransposed(some, out.span, tokens: tokens, into: &span)
            }
            return (out + back).map(\.bitPattern)
        }
        #expect(both(RowMatrix(coded)) == both(Self.plain(coded)))
    }

    @Test(
        "experts of codes give the bits of experts of the same weights as floats", arguments: forms)
    func experts(form: CodedForm) throws {
        let (width, inner, tokens) = (128, 256, 5)
        var (packed, floats): ([UInt8], [UInt8]) = ([], [])
        var parts: [TensorShape] = []
        var coded: [GatedExpertForm.Coded] = []
        for (index, (rows, columns)) in [(inner, width), (inner, width), (width, inner)]
            .enumerated()
        {
            var noise = Noise(seed: 95 + UInt64(index))
            let (codes, scales) = try Self.bytes(form, rows, columns, &noise)
            packed += codes + scales
            coded.append(GatedExpertForm.Coded(form, codes: parts.count, scales: parts.count + 1))
            parts.append(try #require(form.coding.codes(rows: rows, columns: columns)))
            parts.append(
                TensorShape(form.scaleType, form.coding.scales(rows: rows, columns: columns)[0]))
            let matrix = CodedRows(
                form, rows: rows, columns: columns, codes: MappedBytes(copying: codes),
                scales: MappedBytes(copying: scales))
            floats += stored(Self.floats(matrix), .f32).bytes
        }
        var noise = Noise(seed: 99)
        let x = noise.floats(tokens * width).map { $0 / 64 }
        let weights = noise.floats(tokens)
        func outputs(_ form: GatedExpertForm, _ bytes: [UInt8], _ threads: Int) -> [UInt32] {
            let groups = ExpertGroups(
                [UInt32](repeating: 0, count: tokens).span, weights: weights.span, perToken: 1)
            let expert = MappedBytes(copying: bytes)
            var out = [Float](repeating: 0, count: x.count)
            do {
                let addresses = unsafe groups.selection.map { _ in unsafe expert.start }
                var span = out.mutableSpan
                unsafe Kernels.addGatedExperts(
                    form, addresses.span, groups, x: x.span, into: &span,
                    team: ThreadTeam(count: threads))
            }
            return out.map(\.bitPattern)
        }
        let expected = outputs(
            GatedExpertForm(kind: .rows, width: width, intermediateSize: inner, type: .f32), floats,
            1)
        let own = GatedExpertForm(
            kind: .rows, width: width, intermediateSize: inner, type: .f32, coded: coded,
            parts: parts)
        #expect(outputs(own, packed, 1) == expected && outputs(own, packed, 3) == expected)
    }

    @Test(
        "codes by columns give the sums of the same weights as floats, by every variant",
        arguments: byColumns)
    func columns(form: CodedForm) throws {
        for (rows, columns) in [(8, 32), (72, 96), (152, 256)] {
            var noise = Noise(seed: 101)
            let (codes, scales) = try Self.bytes(form, rows, columns, &noise)
            let zeros = try #require(form.coding.zeros(rows: rows, columns: columns)?.byteCount)
            let matrix = RowMatrix(
                CodedRows(
                    form, rows: rows, columns: columns, codes: MappedBytes(copying: codes),
                    scales: MappedBytes(copying: scales),
                    zeros: MappedBytes(
                        copying: (0..<zeros).map { _ in UInt8(truncatingIfNeeded: noise.bits()) })))
            // By inputs, so that each output is one chain in their order.
            var across = [Float](repeating: 0, count: rows * columns)
            for row in 0..<rows {
                var values = [Float](repeating: 0, count: columns)
                do {
                    var span = values.mutableSpan
                    matrix.copyRow(row, into: &span)
                }
                for column in 0..<columns { across[column * rows + row] = values[column] }
            }
            for tokens in [1, 3, 9] {
                let x = noise.floats(tokens * columns)
                var expected = [Float](repeating: 0, count: tokens * rows)
                for token in 0..<tokens {
                    for row in 0..<rows {
                        expected[token * rows + row] = (0..<columns).reduce(0) {
                            $0.addingProduct(x[token * columns + $1], across[$1 * rows + row])
                        }
                    }
                }
                var index = 0
                while let variant = unsafe cambium_variant_at(index) {
                    unsafe cambium_use_variant(variant)
                    for threads in [1, 3] {
                        var out = [Float](repeating: 9, count: tokens * rows)
                        do {
                            var span = out.mutableSpan
                            matrix.multiply(
                                x.span, tokens: tokens, into: &span,
                                team: ThreadTeam(count: threads))
                        }
                        #expect(out == expected, "variant \(index), \(rows) x \(columns)")
                    }
                    index += 1
                }
                cambium_use_variant(nil)
            }
        }
    }
}
