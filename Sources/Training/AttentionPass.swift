internal import Models
internal import Tensors

/// Causal self-attention of some windows with RoPE, and its gradient.
///
/// Scores are computed in blocks of rows up to the diagonal. The probabilities are kept for the way
/// back.
struct AttentionPass {
    private static let block = 64

    let windows: Int
    let length: Int
    let heads: Int
    let headSize: Int
    /// [windows, heads, length, length].
    private let probabilities: FloatSlice
    /// [length, length].
    private let scratch: FloatSlice
    /// Each [windows, length, headSize / 2]; and the negative sines.
    private let cosines, sines, backwardSines: FloatSlice

    private var width: Int { heads * headSize }
    private var scale: Float { 1 / Float(headSize).squareRoot() }

    init(
        windows: Int, length: Int, heads: Int, headSize: Int, rotations: Rotations,
        scratch: FloatSlice
    ) {
        self.windows = windows
        self.length = length
        self.heads = heads
        self.headSize = headSize
        self.scratch = scratch
        probabilities = FloatMemory(count: windows * heads * length * length).slice
        (cosines, sines, backwardSines) = (
            rotations.cosines, rotations.sines, rotations.backwardSines
        )
    }

    /// The rotations of all positions of some windows.
    struct Rotations {
        let cosines, sines, backwardSines: FloatSlice

        init(windows: Int, length: Int, headSize: Int, theta: Double) {
            let count = length * headSize / 2
            let tables = RotationTables(positions: length, headSize: headSize, theta: theta)
            let memory = FloatMemory(count: 3 * windows * count)
            func table(_ index: Int, _ values: [Float]) -> FloatSlice {
                let slice = memory[index * windows * count..<(index + 1) * windows * count]
                for window in 0..<windows {
                    slice[window * count..<(window + 1) * count].copy(values)
                }
                return slice
            }
            cosines = table(0, tables.cosines)
            sines = table(1, tables.sines)
            backwardSines = table(2, tables.sines.map { -$0 })
        }
    }

    /// - Parameters:
    ///   - query: [windows, length, width]; rotated in place.
    ///   - key: Likewise.
    ///   - value: [windows, length, width].
    ///   - out: Likewise; overwritten.
    func forward(query: FloatSlice, key: FloatSlice, value: FloatSlice, out: FloatSlice) {
        for x in [query, key] {
            TrainingKernels.rotate(
                x, cosines: cosines, sines: sines, heads: heads, headSize: headSize)
        }
        forEachBlock { window, head, rows in
            let seen = rows.upperBound
            let p = grid(probabilities, window * heads + head, rows, seen)
            multiply(
                part(query, window, head, rows), part(key, window, head, 0..<seen).transposed,
                into: p.matrix)
            TrainingKernels.causalSoftmax(
                p.slice, first: rows.lowerBound, rows: rows.count, width: seen, stride: length,
                scale: scale)
            multiply(
                p.matrix, part(value, window, head, 0..<seen),
                into: part(out, window, head, rows))
        }
    }

    /// - Parameters:
    ///   - query: As `forward` left it; likewise `key` and `value`.
    ///   - dout: [windows, length, width].
    ///   - dquery: [windows, length, width]; overwritten, likewise `dkey` and `dvalue`.
    func backward(
        query: FloatSlice, key: FloatSlice, value: FloatSlice, dout: FloatSlice,
        dquery: FloatSlice, dkey: FloatSlice, dvalue: FloatSlice
    ) {
        dkey.fill(0)
        dvalue.fill(0)
        forEachBlock { window, head, rows in
            let seen = rows.upperBound
            let p = grid(probabilities, window * heads + head, rows, seen)
            let dp = grid(scratch, 0, rows, seen)
            let there = part(dout, window, head, rows)
            multiply(
                p.matrix.transposed, there, into: part(dvalue, window, head, 0..<seen),
                keeping: 1)
            multiply(there, part(value, window, head, 0..<seen).transposed, into: dp.matrix)
            TrainingKernels.causalSoftmaxBackward(
                p.slice, dp.slice, first: rows.lowerBound, rows: rows.count, width: seen,
                stride: length, scale: scale)
            multiply(
                dp.matrix, part(key, window, head, 0..<seen),
                into: part(dquery, window, head, rows))
            multiply(
                dp.matrix.transposed, part(query, window, head, rows),
                into: part(dkey, window, head, 0..<seen), keeping: 1)
        }
        for x in [dquery, dkey] {
            TrainingKernels.rotate(
                x, cosines: cosines, sines: backwardSines, heads: heads, headSize: headSize)
        }
    }

    private func forEachBlock(_ body: (Int, Int, Range<Int>) -> Void) {
        for window in 0..<windows {
            for head in 0..<heads {
                for first in stride(from: 0, to: length, by: Self.block) {
                    body(window, head, first..<min(first + Self.block, length))
                }
            }
        }
    }

    /// One head of some positions, [rows, headSize].
    private func part(
        _ x: FloatSlice, _ window: Int, _ head: Int, _ rows: Range<Int>
    ) -> MatrixSlice {
        let start = (window * length + rows.lowerBound) * width + head * headSize
        return MatrixSlice(
            x[start..<start + (rows.count - 1) * width + headSize], rows: rows.count,
            columns: headSize, stride: width)
    }

    private func grid(
        _ x: FloatSlice, _ index: Int, _ rows: Range<Int>, _ seen: Int
    ) -> (slice: FloatSlice, matrix: MatrixSlice) {
        let start = (index * length + rows.lowerBound) * length
        let slice = x[start..<start + (rows.count - 1) * length + seen]
        return (
            slice, MatrixSlice(slice, rows: rows.count, columns: seen, stride: length)
        )
    }
}
