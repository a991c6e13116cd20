internal import COpenBLAS

/// A matrix in shared memory, row by row: an operand of ``multiply(_:_:into:scale:keeping:)``.
package struct MatrixSlice: Sendable {
    fileprivate let elements: FloatSlice
    package let rows: Int
    package let columns: Int
    /// Elements from one row to the next.
    fileprivate let stride: Int
    fileprivate let isTransposed: Bool

    /// - Parameters:
    ///   - elements: `rows` rows of `columns` elements, each `stride` elements after the one before.
    ///   - stride: At least `columns`; nil when rows are adjacent.
    package init(_ elements: FloatSlice, rows: Int, columns: Int, stride: Int? = nil) {
        let stride = stride ?? columns
        precondition(
            rows >= 1 && columns >= 1 && stride >= columns
                && elements.count >= (rows - 1) * stride + columns,
            "\(elements.count) elements for \(rows) x \(columns) by \(stride)")
        self.init(elements, rows, columns, stride, false)
    }

    private init(
        _ elements: FloatSlice, _ rows: Int, _ columns: Int, _ stride: Int, _ isTransposed: Bool
    ) {
        self.elements = elements
        self.rows = rows
        self.columns = columns
        self.stride = stride
        self.isTransposed = isTransposed
    }

    /// The same elements, read by columns.
    package var transposed: MatrixSlice {
        MatrixSlice(elements, columns, rows, stride, !isTransposed)
    }
}

/// c = scale a b + keeping c by OpenBLAS, on this thread alone unless ``BLASThreads`` was told otherwise.
///
/// Fast, but its bits depend on the CPU; on one machine, with one setting of ``BLASThreads``, equal
/// operands give equal bits. The corresponding function is `cblas_sgemm`.
package func multiply(
    _ a: MatrixSlice, _ b: MatrixSlice, into c: MatrixSlice, scale: Float = 1, keeping: Float = 0
) {
    precondition(
        a.columns == b.rows && c.rows == a.rows && c.columns == b.columns && !c.isTransposed,
        "\(a.rows) x \(a.columns) by \(b.rows) x \(b.columns) into \(c.rows) x \(c.columns)")
    BLASThreads.settle()
    unsafe cambium_blas_sgemm(
        a.isTransposed, b.isTransposed, Int32(a.rows), Int32(b.columns), Int32(a.columns), scale,
        a.elements.pointer, Int32(a.stride), b.elements.pointer,
        Int32(b.stride), keeping, c.elements.pointer, Int32(c.stride))
}
