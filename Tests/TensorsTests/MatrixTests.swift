import Elements
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
                    matrix.multiplyInFixedOrder(x.span, tokens: tokens, into: &span)
                } else {
                    matrix.multiply(x.span, tokens: tokens, into: &span)
                }
            }
            for (value, expected) in zip(out, exact) {
                #expect(abs(Double(value) - expected) < 1e-5)
            }
        }
    }

    @Test("in fixed order a token has the same bits alone and in a batch")
    func batchInvariance() {
        var noise = Noise(seed: 32)
        let matrix = Matrix(rows: 40, columns: 50, values: noise.floats(2000))
        let x = noise.floats(9 * 50)
        var batch = [Float](repeating: 0, count: 9 * 40)
        do {
            var span = batch.mutableSpan
            matrix.multiplyInFixedOrder(x.span, tokens: 9, into: &span)
        }
        for t in 0..<9 {
            var alone = [Float](repeating: 0, count: 40)
            do {
                var span = alone.mutableSpan
                matrix.multiplyInFixedOrder(
                    x.span.extracting(t * 50..<(t + 1) * 50), tokens: 1, into: &span)
            }
            #expect(alone == Array(batch[t * 40..<(t + 1) * 40]))
        }
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
                    matrix.multiplyInFixedOrder(x.span, tokens: 1, into: &span)
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
            matrix.multiplyInFixedOrder(none.span, tokens: 0, into: &span)
        }
        #expect(out.isEmpty)
    }
}
