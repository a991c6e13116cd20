internal import CKernels

/// An immutable matrix of int8 rows with one fp32 scale each, laid out once for products.
///
/// w[r, k] = scale[r] q[r, k]. Sums of products of integers are exact in any order; a product is then
/// rounded three times, always in the same way (`cambium_quantized_products`).
@safe package final class QuantizedMatrix: Sendable {
    package let rows: Int
    package let columns: Int
    private let pairs: Int
    private let scales: [Float]
    // Written by the initialiser alone.
    nonisolated(unsafe) private let packed: UnsafeMutablePointer<Int8>

    /// - Parameters:
    ///   - values: [`rows`, `columns`] of I8, none of them -128.
    ///   - scales: [`rows`].
    /// - Complexity: Copies the matrix.
    package init(rows: Int, columns: Int, values: RawSpan, scales: [Float]) {
        precondition(
            values.byteCount == rows * columns && scales.count == rows,
            "\(values.byteCount) values and \(scales.count) scales for \(rows) x \(columns)")
        // 32 767 products of 127 x 127 fit 32 bits.
        precondition(columns <= 65_536, "a quantised matrix of \(columns) columns")
        self.rows = rows
        self.columns = columns
        self.scales = scales
        pairs = (columns + 1) / 2
        let count = max((rows + 15) / 16 * 32 * pairs, 1)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 64)
        unsafe packed = memory.bindMemory(to: Int8.self, capacity: count)
        unsafe values.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress else { return }
            unsafe cambium_pack_quantized(
                start.assumingMemoryBound(to: Int8.self), rows, columns, packed)
        }
    }

    deinit { unsafe packed.deallocate() }

    /// The rows of a matrix, each quantised by its greatest magnitude / 127.
    ///
    /// - Returns: [rows, columns] of I8, and [rows]; the scale of a row that holds NaN or infinity is
    ///   NaN.
    package static func quantize(_ matrix: Matrix) -> (values: [Int8], scales: [Float]) {
        var values = [Int8](repeating: 0, count: matrix.rows * matrix.columns)
        var scales: [Float] = []
        unsafe matrix.withElements { elements in
            unsafe values.withUnsafeMutableBufferPointer { values in
                guard let target = values.baseAddress else { return }
                for row in 0..<matrix.rows {
                    let start = row * matrix.columns
                    unsafe scales.append(
                        cambium_quantize(elements + start, matrix.columns, target + start))
                }
            }
        }
        return (values, scales)
    }

    /// out[t, r] = Σ over k of x[t, k] w[r, k], of x quantised row by row.
    ///
    /// Parameters as those of ``PackedMatrix/multiply(_:tokens:stride:into:outStride:team:)``. A row
    /// of x that holds NaN or infinity gives NaN.
    package func multiply(
        _ x: Span<Float>, tokens: Int, stride: Int? = nil, into out: inout MutableSpan<Float>,
        outStride: Int? = nil, team: ThreadTeam = .single
    ) {
        let stride = stride ?? columns
        let outStride = outStride ?? rows
        guard tokens > 0, rows > 0 else { return }
        check(x, tokens, stride, out, outStride)
        var quantised = [Int16](repeating: 0, count: tokens * 2 * pairs)
        var rowScales: [Float] = []
        rowScales.reserveCapacity(tokens)
        var row = [Int8](repeating: 0, count: columns)
        for token in 0..<tokens {
            unsafe x.withUnsafeBufferPointer { x in
                unsafe row.withUnsafeMutableBufferPointer { row in
                    guard let source = x.baseAddress, let target = row.baseAddress else { return }
                    unsafe rowScales.append(
                        cambium_quantize(source + token * stride, columns, target))
                }
            }
            for column in 0..<columns { quantised[token * 2 * pairs + column] = Int16(row[column]) }
        }
        multiply(quantised, rowScales, into: &out, outStride, team)
    }

    private func multiply(
        _ x: [Int16], _ xScales: [Float], into out: inout MutableSpan<Float>, _ outStride: Int,
        _ team: ThreadTeam
    ) {
        let (rows, pairs, tokens) = (rows, pairs, xScales.count)
        nonisolated(unsafe) let packed = unsafe packed
        unsafe out.withUnsafeMutableBufferPointer { out in
            guard let target = out.baseAddress else { return }
            nonisolated(unsafe) let out = unsafe target
            let tiles = ProductTiles(
                panels: (rows + 15) / 16, tokens: tokens, work: tokens * rows * pairs,
                threads: team.count)
            team.forEach(tiles.count) { [scales] index in
                let (panels, tokens) = tiles[index]
                unsafe scales.withUnsafeBufferPointer { scales in
                    unsafe x.withUnsafeBufferPointer { x in
                        unsafe xScales.withUnsafeBufferPointer { xScales in
                            guard let scales = scales.baseAddress, let x = x.baseAddress,
                                let xScales = xScales.baseAddress
                            else { return }
                            unsafe cambium_quantized_products(
                                packed, scales, rows, pairs, panels.lowerBound, panels.upperBound,
                                x + tokens.lowerBound * 2 * pairs, xScales + tokens.lowerBound,
                                tokens.count, out + tokens.lowerBound * outStride, outStride)
                        }
                    }
                }
            }
        }
    }
}
