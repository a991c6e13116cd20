import Elements
import NumericSupport
import Tensors
import Testing

@Suite("matrices")
struct MatrixTests {
    /// A heap block that `MappedBytes` can own.
    @safe private final class Block: Sendable {
        nonisolated(unsafe) let memory: UnsafeMutableRawBufferPointer

        init(_ values: [Float], offset: Int) {
            unsafe memory = .allocate(byteCount: values.count * 4 + offset, alignment: 64)
            for (index, value) in values.enumerated() {
                unsafe memory.storeBytes(
                    of: value, toByteOffset: offset + index * 4, as: Float.self)
            }
        }

        deinit { unsafe memory.deallocate() }

        func mapped(from offset: Int) -> MappedBytes {
            unsafe MappedBytes(
                UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[offset...]),
                owner: self)
        }
    }

    private func naive(_ x: [Float], _ w: [Float], rows: Int, columns: Int) -> [Double] {
        var out: [Double] = []
        for t in 0..<x.count / columns {
            for r in 0..<rows {
                var sum = 0.0
                for c in 0..<columns {
                    sum += Double(x[t * columns + c]) * Double(w[r * columns + c])
                }
                out.append(sum)
            }
        }
        return out
    }

    @Test("products are near the exact ones", arguments: [1, 2, 7], [(1, 1), (5, 17), (64, 33)])
    func multiply(tokens: Int, size: (rows: Int, columns: Int)) {
        var noise = Noise(seed: 31)
        let w = noise.floats(size.rows * size.columns)
        let x = noise.floats(tokens * size.columns)
        let matrix = Matrix(rows: size.rows, columns: size.columns, values: w)
        let exact = naive(x, w, rows: size.rows, columns: size.columns)
        for fixed in [false, true] {
            var out = [Float](repeating: 9, count: tokens * size.rows)
            do {
                var span = out.mutableSpan
                if fixed {
                    PackedMatrix(matrix).multiply(x.span, tokens: tokens, into: &span)
                } else {
                    matrix.multiply(x.span, tokens: tokens, into: &span)
                }
            }
            for (value, expected) in zip(out, exact) {
                #expect(abs(Double(value) - expected) < 1e-5)
            }
        }
    }

    private func product(
        _ matrix: any Projection, _ x: [Float], tokens: Int, stride: Int? = nil,
        outStride: Int? = nil, threads: Int
    ) -> [Float] {
        var out = [Float](repeating: 9, count: tokens * (outStride ?? matrix.rows))
        do {
            var span = out.mutableSpan
            matrix.multiply(
                x.span, tokens: tokens, stride: stride, into: &span, outStride: outStride,
                team: ThreadTeam(count: threads))
        }
        return out
    }

    @Test(
        "in fixed order a token has the same bits alone, in any batch and with any threads",
        arguments: [(40, 50), (130, 33), (16, 128)])
    func batchInvariance(rows: Int, columns: Int) {
        var noise = Noise(seed: 32)
        let matrix = Matrix(rows: rows, columns: columns, values: noise.floats(rows * columns))
        let quantised = QuantizedMatrix.quantize(matrix)
        let bytes = quantised.values.map { UInt8(bitPattern: $0) }
        let small = QuantizedMatrix(
            rows: rows, columns: columns, values: bytes.raw, scales: quantised.scales)
        let forms: [any Projection] = [PackedMatrix(matrix), small]
        let most = 513
        let x = noise.floats(most * columns)
        for form in forms {
            var alone: [Float] = []
            for token in 0..<most {
                let row = Array(x[token * columns..<(token + 1) * columns])
                alone += product(form, row, tokens: 1, threads: 1)
            }
            for (start, tokens) in [(0, 2), (3, 5), (500, 13), (1, 31), (0, 64), (0, most)] {
                let part = Array(x[start * columns..<(start + tokens) * columns])
                for threads in [1, 2] {
                    #expect(
                        product(form, part, tokens: tokens, threads: threads)
                            == Array(alone[start * rows..<(start + tokens) * rows]))
                }
            }
        }
    }

    @Test("rows of x and of the result may lie apart")
    func strides() {
        var noise = Noise(seed: 34)
        let matrix = PackedMatrix(Matrix(rows: 18, columns: 7, values: noise.floats(126)))
        let x = noise.floats(3 * 10)
        let packed = (0..<3).flatMap { Array(x[$0 * 10..<$0 * 10 + 7]) }
        let dense = product(matrix, packed, tokens: 3, threads: 1)
        let apart = product(matrix, x, tokens: 3, stride: 10, outStride: 20, threads: 2)
        for token in 0..<3 {
            #expect(apart[token * 20..<token * 20 + 18] == dense[token * 18..<token * 18 + 18])
            #expect(apart[token * 20 + 18..<token * 20 + 20] == [9, 9])
        }
    }

    @Test("a quantised product is near the exact one, and NaN shows")
    func quantised() {
        var noise = Noise(seed: 35)
        let w = noise.floats(20 * 64)
        let form = QuantizedMatrix.quantize(Matrix(rows: 20, columns: 64, values: w))
        let bytes = form.values.map { UInt8(bitPattern: $0) }
        let matrix = QuantizedMatrix(
            rows: 20, columns: 64, values: bytes.raw, scales: form.scales)
        var x = noise.floats(2 * 64)
        let exact = naive(x, w, rows: 20, columns: 64)
        for (value, expected) in zip(product(matrix, x, tokens: 2, threads: 1), exact) {
            #expect(abs(Double(value) - expected) < 0.1)
        }
        x[70] = .infinity
        let broken = product(matrix, x, tokens: 2, threads: 1)
        #expect(broken[..<20].allSatisfy(\.isFinite) && broken[20...].allSatisfy(\.isNaN))
        let zero = QuantizedMatrix.quantize(Matrix(rows: 2, columns: 1, values: [0, .nan]))
        #expect(zero.scales[0] == 0 && zero.scales[1].isNaN && zero.values == [0, 0])
    }

    @Test("aligned F32 stays mapped, unaligned F32 is copied, both multiply alike")
    func mapped() {
        var noise = Noise(seed: 33)
        let w = noise.floats(12)
        let x = noise.floats(4)
        let plain = Matrix(rows: 3, columns: 4, values: w)
        for (offset, isMapped) in [(0, true), (4, true), (2, false)] {
            let block = Block(w, offset: offset)
            let matrix = Matrix(
                rows: 3, columns: 4, bytes: block.mapped(from: offset), type: .f32)
            #expect(matrix.isMapped == isMapped)
            var results: [[Float]] = []
            for matrix in [plain, matrix] {
                var out = [Float](repeating: 0, count: 3)
                do {
                    var span = out.mutableSpan
                    matrix.multiply(x.span, tokens: 1, into: &span)
                }
                results.append(out)
            }
            #expect(results[0] == results[1])
        }
    }

    @Test("no tokens make no output")
    func empty() {
        let matrix = Matrix(rows: 2, columns: 2, values: [1, 2, 3, 4])
        var out: [Float] = []
        do {
            let none: [Float] = []
            var span = out.mutableSpan
            matrix.multiply(none.span, tokens: 0, into: &span)
            PackedMatrix(matrix).multiply(none.span, tokens: 0, into: &span)
        }
        #expect(out.isEmpty)
    }
}
