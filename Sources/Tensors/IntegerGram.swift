internal import COpenBLAS

/// Sums of outer products of integer vectors, exact: Σ φ φᵀ.
///
/// OpenBLAS multiplies integer-valued doubles: every product and partial sum is an integer below
/// 2^53, which doubles hold exactly, so the result does not depend on the order in which a CPU or a
/// number of threads adds. The corresponding function is `cblas_dsyrk`.
package enum IntegerGram {
    /// The largest magnitude of a feature.
    package static let largestFeature = 1 << 15
    /// Vectors that are multiplied together.
    private static let block = 4096

    /// Adds Σ φ φᵀ of some vectors.
    ///
    /// - Parameters:
    ///   - features: [`features.count / width`, `width`].
    ///   - gram: [`width` (`width` + 1) / 2], the lower triangle row by row.
    /// - Returns: False when a sum leaves 64 bits; then `gram` is of no use.
    /// - Complexity: `width`² multiplications per vector; 8 `width`² bytes of memory.
    package static func add(
        _ features: Span<Int16>, width: Int, to gram: inout [Int64]
    ) -> Bool {
        precondition(width > 0 && features.count % width == 0, "\(features.count) by \(width)")
        precondition(gram.count == width * (width + 1) / 2, "a triangle of \(gram.count)")
        let rows = features.count / width
        // 4096 products of 2^30 stay below 2^53.
        var values = [Double](repeating: 0, count: min(rows, block) * width)
        var sums = [Double](repeating: 0, count: width * width)
        for start in stride(from: 0, to: rows, by: block) {
            let count = min(block, rows - start)
            widen(features.extracting(start * width..<(start + count) * width), into: &values)
            unsafe values.withUnsafeBufferPointer { values in
                unsafe sums.withUnsafeMutableBufferPointer { sums in
                    unsafe cambium_blas_dsyrk(
                        Int32(width), Int32(count), values.baseAddress, Int32(width),
                        sums.baseAddress, Int32(width))
                }
            }
            var overflows = false
            var position = 0
            for row in 0..<width {
                for column in 0...row {
                    let (sum, overflow) = gram[position].addingReportingOverflow(
                        Int64(sums[row * width + column]))
                    gram[position] = sum
                    overflows = overflows || overflow
                    position += 1
                }
            }
            if overflows { return false }
        }
        return true
    }

    /// The first elements of `out` = `x`.
    private static func widen(_ x: Span<Int16>, into out: inout [Double]) {
        precondition(out.count >= x.count, "\(x.count) features into \(out.count)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe out.withUnsafeMutableBufferPointer { out in
                guard let source = x.baseAddress, let target = out.baseAddress else { return }
                // Without checks of bounds the loop runs in the processor's vectors.
                for index in 0..<x.count { unsafe target[index] = Double(source[index]) }
            }
        }
    }

    /// sums[first + i] += x[i], without a check for overflow.
    package static func add(_ x: Span<Int16>, to sums: inout [Int64], at first: Int) {
        precondition(first >= 0 && first + x.count <= sums.count, "\(x.count) at \(first)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe sums.withUnsafeMutableBufferPointer { sums in
                guard let source = x.baseAddress, let start = sums.baseAddress else { return }
                let target = unsafe start + first
                for index in 0..<x.count { unsafe target[index] &+= Int64(source[index]) }
            }
        }
    }
}
