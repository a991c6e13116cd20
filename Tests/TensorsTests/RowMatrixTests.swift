import Elements
import NumericSupport
import Tensors
import Testing

/// Values that a stored type holds exactly, and their bytes.
func stored(_ values: [Float], _ type: ElementType) -> (values: [Float], bytes: [UInt8]) {
    var exact: [Float] = []
    var bytes: [UInt8] = []
    for value in values {
        let bits: UInt32
        switch type {
        case .bf16: bits = value.bitPattern >> 16
        case .f16: bits = UInt32(Float16(value).bitPattern)
        default: bits = value.bitPattern
        }
        switch type {
        case .bf16: exact.append(Float(bitPattern: bits << 16))
        case .f16: exact.append(Float(Float16(bitPattern: UInt16(bits))))
        default: exact.append(value)
        }
        for byte in 0..<type.bitWidth / 8 {
            bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(8 * byte)))
        }
    }
    return (exact, bytes)
}

@Suite("matrices read in rows")
struct RowMatrixTests {
    static let types: [ElementType] = [.f32, .bf16, .f16]

    private func multiply(
        _ matrix: RowMatrix, _ x: [Float], tokens: Int, threads: Int = 1
    ) -> [UInt32] {
        var out = [Float](repeating: 9, count: tokens * matrix.rows)
        do {
            var span = out.mutableSpan
            matrix.multiply(
                x.span, tokens: tokens, into: &span, team: ThreadTeam(count: threads))
        }
        return out.map(\.bitPattern)
    }

    @Test(
        "products are those of the stored values; a token's bits are the same alone and in a batch",
        arguments: types, [(1, 1), (5, 7), (33, 64), (70, 130), (260, 400)])
    func products(type: ElementType, size: (rows: Int, columns: Int)) {
        var noise = Noise(seed: 61)
        let (rows, columns, tokens) = (size.rows, size.columns, 9)
        let (values, bytes) = stored(noise.floats(rows * columns), type)
        let matrix = RowMatrix(
            rows: rows, columns: columns, bytes: MappedBytes(copying: bytes), type: type)
        let x = noise.floats(tokens * columns)
        let all = multiply(matrix, x, tokens: tokens)
        #expect(multiply(matrix, x, tokens: tokens, threads: 3) == all)
        for token in 0..<tokens {
            let one = Array(x[token * columns..<(token + 1) * columns])
            #expect(
                multiply(matrix, one, tokens: 1)
                    == Array(all[token * rows..<(token + 1) * rows]))
            for row in 0..<rows {
                let exact = (0..<columns).reduce(0.0) {
                    $0 + Double(values[row * columns + $1]) * Double(one[$1])
                }
                let found = Double(Float(bitPattern: all[token * rows + row]))
                #expect(abs(found - exact) < 1e-5 * Double(columns))
            }
        }
        var copied = [Float](repeating: 0, count: columns)
        do {
            var span = copied.mutableSpan
            matrix.copyRow(rows - 1, into: &span)
        }
        #expect(copied == Array(values.suffix(columns)))
    }

    @Test("heads multiply with their own rows, and with their transpose", arguments: types)
    func heads(type: ElementType) {
        var noise = Noise(seed: 62)
        let (heads, first, step, count, columns, tokens) = (3, 2, 9, 5, 21, 4)
        let rows = heads * step
        let (values, bytes) = stored(noise.floats(rows * columns), type)
        let matrix = RowMatrix(
            rows: rows, columns: columns, bytes: MappedBytes(copying: bytes), type: type)
        let some = HeadRows(count: heads, first: first, step: step, rows: count)
        func weight(_ head: Int, _ row: Int, _ column: Int) -> Double {
            Double(values[(first + head * step + row) * columns + column])
        }
        let x = noise.floats(tokens * heads * columns)
        var out = [Float](repeating: 9, count: tokens * heads * count)
        do {
            var span = out.mutableSpan
            matrix.multiply(
                some, x.span, tokens: tokens, into: &span, team: ThreadTeam(count: 2))
        }
        // Vectors that are longer than what is read, and than what is written.
        let y = noise.floats(tokens * heads * (count + 2))
        var back = [Float](repeating: 9, count: tokens * heads * (columns + 3))
        do {
            var span = back.mutableSpan
            matrix.multiplyTransposed(
                some, y.span, tokens: tokens, into: &span, team: ThreadTeam(count: 2))
        }
        for vector in 0..<tokens * heads {
            let head = vector % heads
            for row in 0..<count {
                let exact = (0..<columns).reduce(0.0) {
                    $0 + weight(head, row, $1) * Double(x[vector * columns + $1])
                }
                #expect(abs(Double(out[vector * count + row]) - exact) < 1e-4)
            }
            for column in 0..<columns {
                let exact = (0..<count).reduce(0.0) {
                    $0 + weight(head, $1, column) * Double(y[vector * (count + 2) + $1])
                }
                #expect(abs(Double(back[vector * (columns + 3) + column]) - exact) < 1e-4)
            }
            #expect(back[vector * (columns + 3) + columns] == 9)
        }
    }
}
