internal import CKernels
internal import COpenBLAS
package import Elements

/// An immutable row-major matrix of floats: mapped where it is stored, or converted once.
package struct Matrix: Sendable {
    private enum Storage {
        case mapped(MappedBytes)
        case converted([Float])
    }

    package let rows: Int
    package let columns: Int
    private let storage: Storage

    /// - Parameter values: [`rows`, `columns`].
    package init(rows: Int, columns: Int, values: [Float]) {
        precondition(
            rows >= 0 && columns >= 0 && values.count == rows * columns,
            "\(values.count) values for a matrix of \(rows) x \(columns)")
        self.rows = rows
        self.columns = columns
        self.storage = .converted(values)
    }

    /// F32 at an address that is a multiple of 4 stays where it is; anything else is converted into
    /// memory of its own, exactly for F16 and BF16.
    ///
    /// - Parameters:
    ///   - bytes: [`rows`, `columns`] little-endian elements.
    ///   - type: One for which `isReadAsFloat` holds.
    package init(rows: Int, columns: Int, bytes: MappedBytes, type: ElementType) {
        precondition(
            rows >= 0 && columns >= 0 && bytes.count * 8 == rows * columns * type.bitWidth,
            "\(bytes.count) bytes for a matrix of \(rows) x \(columns) \(type.name)")
        self.rows = rows
        self.columns = columns
        let aligned = unsafe bytes.bytes.withUnsafeBytes {
            Int(bitPattern: $0.baseAddress) % MemoryLayout<Float>.alignment == 0
        }
        if type == .f32 && aligned {
            self.storage = .mapped(bytes)
        } else {
            var values = FloatBuffer(count: rows * columns)
            var span = values.mutableSpan(0..<values.count)
            convertToFloat(bytes.bytes, type: type, into: &span)
            self.storage = .converted(values.array(0..<values.count))
        }
    }

    /// Whether the elements are read from where they are stored, without a copy.
    package var isMapped: Bool {
        if case .mapped = storage { true } else { false }
    }

    /// out = x W^T by OpenBLAS: fast, but its bits depend on the CPU and on `tokens`.
    ///
    /// The corresponding functions are `cblas_sgemm` and, for one token, `cblas_sgemv`.
    ///
    /// - Parameters:
    ///   - x: [`tokens`, `columns`].
    ///   - out: [`tokens`, `rows`].
    package func multiply(_ x: Span<Float>, tokens: Int, into out: inout MutableSpan<Float>) {
        precondition(
            x.count == tokens * columns && out.count == tokens * rows,
            "\(x.count) -> \(out.count) elements by \(rows) x \(columns), \(tokens) tokens")
        guard tokens > 0, rows > 0, columns > 0 else { return }
        let (m, n, k) = (Int32(tokens), Int32(rows), Int32(columns))
        unsafe withPointers(x, &out) { x, out, weights in
            if tokens == 1 {
                unsafe cambium_blas_sgemv(n, k, weights, k, x, out)
            } else {
                unsafe cambium_blas_sgemm(
                    false, true, m, n, k, 1, x, k, weights, k, 0, out, n)
            }
        }
    }

    /// out = the products of some adjacent rows with x, each in 16 lanes, read where they are.
    ///
    /// - Parameters:
    ///   - first: The first row; out.count rows from there.
    ///   - x: [`columns`].
    package func rowProducts(
        from first: Int, _ x: Span<Float>, into out: inout MutableSpan<Float>
    ) {
        precondition(
            first >= 0 && first + out.count <= rows && x.count == columns,
            "rows \(first)..<\(first + out.count) of \(rows), \(x.count) elements")
        unsafe withElements { weights in
            unsafe x.withUnsafeBufferPointer { x in
                unsafe out.withUnsafeMutableBufferPointer { out in
                    guard let x = x.baseAddress, let target = out.baseAddress else { return }
                    unsafe cambium_row_dots(
                        weights + first * columns, x, out.count, columns, target)
                }
            }
        }
    }

    /// Copies one row, for example the embedding of a token.
    ///
    /// Traps when there is no such row.
    package func copyRow(_ row: Int, into out: inout MutableSpan<Float>) {
        precondition(row >= 0 && row < rows, "row \(row) of \(rows)")
        precondition(out.count == columns, "\(out.count) elements for a row of \(columns)")
        unsafe withElements { weights in
            unsafe out.withUnsafeMutableBufferPointer {
                guard let target = $0.baseAddress else { return }
                unsafe target.update(from: weights + row * columns, count: columns)
            }
        }
    }

    private func withPointers(
        _ x: Span<Float>, _ out: inout MutableSpan<Float>,
        _ body: (UnsafePointer<Float>, UnsafeMutablePointer<Float>, UnsafePointer<Float>) -> Void
    ) {
        unsafe withElements { weights in
            unsafe x.withUnsafeBufferPointer { x in
                unsafe out.withUnsafeMutableBufferPointer { out in
                    guard let x = x.baseAddress, let out = out.baseAddress else { return }
                    unsafe body(x, out, weights)
                }
            }
        }
    }

    /// Calls `body` with the elements, [`rows`, `columns`]; not at all when there are none.
    func withElements(_ body: (UnsafePointer<Float>) -> Void) {
        switch storage {
        case .mapped(let bytes):
            unsafe bytes.bytes.withUnsafeBytes {
                guard let base = $0.baseAddress else { return }
                unsafe body(base.assumingMemoryBound(to: Float.self))
            }
        case .converted(let values):
            unsafe values.withUnsafeBufferPointer {
                guard let base = $0.baseAddress else { return }
                unsafe body(base)
            }
        }
    }
}
