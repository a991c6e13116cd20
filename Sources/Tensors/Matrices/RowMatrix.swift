internal import CKernels
package import Elements

/// An immutable matrix of rows of F32, F16 or BF16, or of codes and scales, read where it is stored: nothing is
/// widened or laid out anew, so a mapped matrix takes no memory of its own.
///
/// Every output is a dot product in 16 lanes (`cambium_row_products`), so its bits depend neither on the
/// batch, nor on the threads, nor on the CPU.
package final class RowMatrix: Projection {
    package let rows: Int
    package let columns: Int
    private let content: Content

    private enum Content {
        case floats(MappedBytes, ElementType)
        case coded(CodedRows)
    }

    /// - Parameters:
    ///   - bytes: [`rows`, `columns`], little-endian, at any alignment.
    ///   - type: F32, F16 or BF16.
    package init(rows: Int, columns: Int, bytes: MappedBytes, type: ElementType) {
        precondition(
            rows >= 0 && columns >= 0 && bytes.count * 8 == rows * columns * type.bitWidth
                && type.isReadInRows,
            "\(bytes.count) bytes for a matrix of \(rows) x \(columns) \(type.name)")
        self.rows = rows
        self.columns = columns
        content = .floats(bytes, type)
    }

    package init(_ coded: CodedRows) {
        rows = coded.rows
        columns = coded.columns
        content = .coded(coded)
    }

    /// F32, F16 or BF16; nil for codes.
    package var type: ElementType? {
        if case .floats(_, let type) = content { type } else { nil }
    }

    /// Whether these are codes that lie by columns: then ``multiplyTransposed(_:_:tokens:into:team:)``, and the rows of
    /// heads, are not there.
    package var isByColumns: Bool {
        if case .coded(let rows) = content { rows.form.coding.isByColumns } else { false }
    }

    /// The bytes of floats, and the size of a row.
    ///
    /// Traps for codes, which nothing is put into.
    private var floats: (bytes: MappedBytes, type: ElementType, rowBytes: Int) {
        guard case .floats(let bytes, let type) = content else {
            preconditionFailure("rows of codes are not changed")
        }
        return (bytes, type, columns * type.bitWidth / 8)
    }

    /// Valid as long as the matrix.
    @unsafe var stored: StoredRows {
        switch content {
        case .floats(let bytes, let type):
            unsafe StoredRows(content: .floats(bytes.start, type), width: columns)
        case .coded(let rows): unsafe rows.stored
        }
    }

    /// A copy with one more row behind the last.
    ///
    /// - Parameter row: [`columns`] elements of the matrix's own type, little-endian.
    package func adding(row: [UInt8]) -> RowMatrix {
        let (bytes, type, rowBytes) = floats
        precondition(row.count == rowBytes, "\(row.count) bytes for a row of \(rowBytes)")
        return RowMatrix(
            rows: rows + 1, columns: columns, bytes: MappedBytes(copying: bytes.copy() + row),
            type: type)
    }

    /// A copy with other rows in some places.
    ///
    /// - Parameter others: By row, [`columns`] elements of the matrix's own type, little-endian.
    package func replacing(rows others: [Int: [UInt8]]) -> RowMatrix {
        let (bytes, type, rowBytes) = floats
        var copy = bytes.copy()
        for (row, bytes) in others {
            precondition(
                row >= 0 && row < rows && bytes.count == rowBytes,
                "\(bytes.count) bytes for row \(row) of \(rows) x \(columns) \(type.name)")
            copy.replaceSubrange(row * rowBytes..<(row + 1) * rowBytes, with: bytes)
        }
        return RowMatrix(
            rows: rows, columns: columns, bytes: MappedBytes(copying: copy), type: type)
    }

    package func multiply(
        _ x: Span<Float>, tokens: Int, stride: Int?, into out: inout MutableSpan<Float>,
        outStride: Int?, team: ThreadTeam
    ) {
        let stride = stride ?? columns
        let outStride = outStride ?? rows
        guard tokens > 0, rows > 0 else { return }
        check(x, tokens, stride, out, outStride)
        let (rows, columns) = (rows, columns)
        nonisolated(unsafe) let stored = unsafe stored
        unsafe x.withUnsafeBufferPointer { x in
            unsafe out.withUnsafeMutableBufferPointer { out in
                guard let source = x.baseAddress, let target = out.baseAddress else { return }
                nonisolated(unsafe) let out = unsafe target
                unsafe withRows(of: source, tokens, stride) { x in
                    nonisolated(unsafe) let x = unsafe x
                    let tiles = ProductTiles(
                        panels: (rows + 15) / 16, tokens: tokens, work: tokens * rows * columns,
                        threads: team.count)
                    team.forEach(tiles.count) { index in
                        let (panels, tokens) = tiles[index]
                        let first = 16 * panels.lowerBound
                        unsafe stored.products(
                            first, min(16 * panels.upperBound, rows) - first,
                            x + tokens.lowerBound, tokens.count,
                            out + tokens.lowerBound * outStride + first, outStride)
                    }
                }
            }
        }
    }

    /// Products with the rows of each head: out[t, h, r] = x[t, h] · row r of head h.
    ///
    /// - Parameters:
    ///   - heads: Which rows.
    ///   - x: [tokens, heads, `columns`].
    ///   - out: [tokens, heads, rows of a head].
    package func multiply(
        _ heads: HeadRows, _ x: Span<Float>, tokens: Int, into out: inout MutableSpan<Float>,
        team: ThreadTeam = .single
    ) {
        let columns = columns
        nonisolated(unsafe) let stored = unsafe stored
        unsafe forEach(heads, x, columns, tokens, &out, heads.rows, team) { head, x, out in
            unsafe stored.products(
                heads.first + head * heads.step, heads.rows, x, tokens, out,
                heads.count * heads.rows)
        }
    }

    /// Products with the transposed rows of each head: out[t, h] begins with the sum of the head's rows,
    /// each times the element of x[t, h] at its place.
    ///
    /// - Parameters:
    ///   - heads: Which rows.
    ///   - x: [tokens, heads, n], of which the first elements, one for each row of a head, are read.
    ///   - out: [tokens, heads, n], of which the first `columns` elements are set.
    package func multiplyTransposed(
        _ heads: HeadRows, _ x: Span<Float>, tokens: Int, into out: inout MutableSpan<Float>,
        team: ThreadTeam = .single
    ) {
        let columns = columns
        nonisolated(unsafe) let stored = unsafe stored
        let step = out.count / max(tokens * heads.count, 1)
        unsafe forEach(heads, x, heads.rows, tokens, &out, columns, team) { head, x, out in
            for token in 0..<tokens {
                unsafe (out + token * heads.count * step).update(repeating: 0, count: columns)
            }
            unsafe stored.sums(
                heads.first + head * heads.step, heads.rows, x, tokens, out, heads.count * step)
        }
    }

    /// Calls `body` for each head with its vectors and with where its first output is.
    ///
    /// - Parameters:
    ///   - width: Elements that are read of each vector.
    ///   - outWidth: Elements that are written of each output.
    @unsafe private func forEach(
        _ heads: HeadRows, _ x: Span<Float>, _ width: Int, _ tokens: Int,
        _ out: inout MutableSpan<Float>, _ outWidth: Int, _ team: ThreadTeam,
        _ body:
            @Sendable (
                Int, UnsafePointer<UnsafePointer<Float>?>, UnsafeMutablePointer<Float>
            ) -> Void
    ) {
        let vectors = tokens * heads.count
        guard vectors > 0 else { return }
        let (step, outStep) = (x.count / vectors, out.count / vectors)
        precondition(
            x.count == vectors * step && out.count == vectors * outStep && step >= width
                && outStep >= outWidth
                && heads.first + (heads.count - 1) * heads.step + heads.rows <= rows,
            "\(x.count) -> \(out.count) elements by \(heads) of \(rows) x \(columns)")
        unsafe x.withUnsafeBufferPointer { x in
            unsafe out.withUnsafeMutableBufferPointer { out in
                guard let source = x.baseAddress, let target = out.baseAddress else { return }
                nonisolated(unsafe) let x = unsafe source
                nonisolated(unsafe) let out = unsafe target
                team.forEach(heads.count) { head in
                    unsafe withRows(of: x + head * step, tokens, heads.count * step) { x in
                        unsafe body(head, x, out + head * outStep)
                    }
                }
            }
        }
    }

    /// Copies one row, for example the embedding of a token, as floats.
    ///
    /// Traps when there is no such row.
    package func copyRow(_ row: Int, into out: inout MutableSpan<Float>) {
        precondition(row >= 0 && row < rows, "row \(row) of \(rows)")
        guard case .floats(let bytes, let type) = content else {
            if case .coded(let coded) = content { coded.copyRow(row, into: &out) }
            return
        }
        let rowBytes = columns * type.bitWidth / 8
        let stored = bytes.slice(row * rowBytes..<(row + 1) * rowBytes)
        convertToFloat(stored.bytes, type: type, into: &out)
    }
}

/// Rows of a matrix that belong to the heads of an attention.
package struct HeadRows: Sendable, Hashable {
    /// Heads.
    package let count: Int
    /// The first head's first row.
    package let first: Int
    /// From one head's first row to the next one's.
    package let step: Int
    /// Rows of a head.
    package let rows: Int

    package init(count: Int, first: Int, step: Int, rows: Int) {
        precondition(count > 0 && first >= 0 && step >= 0 && rows >= 0, "\(count) heads of rows")
        self.count = count
        self.first = first
        self.step = step
        self.rows = rows
    }
}

extension ElementType {
    /// Whether rows of this type are multiplied where they are stored.
    package var isReadInRows: Bool { self == .f32 || self == .f16 || self == .bf16 }

    /// The kernels' word for it.
    var rowType: cambium_float_type {
        guard isReadInRows, let type = kernelType else {
            preconditionFailure("\(name) rows are not read where they are stored")
        }
        return type
    }
}

/// Calls `body` with the addresses of some vectors, each `stride` elements after the one before.
@unsafe func withRows(
    of x: UnsafePointer<Float>, _ count: Int, _ stride: Int,
    _ body: (UnsafePointer<UnsafePointer<Float>?>) -> Void
) {
    unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: count) { rows in
        for row in 0..<count { unsafe rows.initializeElement(at: row, to: x + row * stride) }
        guard let start = rows.baseAddress else { return }
        unsafe body(start)
    }
}
