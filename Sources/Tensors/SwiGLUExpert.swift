internal import CKernels

/// One SwiGLU expert, read where it is mapped: out += weight · down (SiLU(gate x) ⊙ up x) (Shazeer, GLU
/// Variants Improve Transformer, 2002.05202).
///
/// Every output is a dot product of a row in 16 lanes, so a token gets the same bits alone, in a batch,
/// with any number of threads and on any CPU. Each weight is read once for each token: an expert that
/// many tokens of a batch picked is better packed (``PackedMatrix``).
package struct SwiGLUExpert: Sendable {
    private let gate: Matrix
    private let up: Matrix
    private let down: Matrix

    /// Elements of a hidden state.
    package var width: Int { gate.columns }
    /// Elements between the two steps.
    package var inner: Int { gate.rows }

    /// - Parameters:
    ///   - gate: [inner, width].
    ///   - up: [inner, width].
    ///   - down: [width, inner].
    package init(gate: Matrix, up: Matrix, down: Matrix) {
        precondition(
            up.rows == gate.rows && up.columns == gate.columns && down.rows == gate.columns
                && down.columns == gate.rows,
            "an expert of \(gate.rows) x \(gate.columns), \(up.rows) x \(up.columns), "
                + "\(down.rows) x \(down.columns)")
        self.gate = gate
        self.up = up
        self.down = down
    }

    /// Adds the expert's output for one token.
    ///
    /// - Parameters:
    ///   - x: [`width`].
    ///   - weight: The router's.
    ///   - out: [`width`].
    ///   - team: Shares the rows.
    /// - Complexity: 3 `width` `inner` multiplications.
    package func add(
        _ x: Span<Float>, weight: Float, into out: inout MutableSpan<Float>,
        team: ThreadTeam = .single
    ) {
        var hidden = FloatBuffer(count: inner)
        var lifted = FloatBuffer(count: inner)
        var result = FloatBuffer(count: width)
        do {
            var span = hidden.mutableSpan(0..<inner)
            gate.rowProducts(x, into: &span, team: team)
        }
        do {
            var span = lifted.mutableSpan(0..<inner)
            up.rowProducts(x, into: &span, team: team)
        }
        do {
            var span = hidden.mutableSpan(0..<inner)
            Kernels.siluGate(&span, up: lifted.span)
        }
        do {
            var span = result.mutableSpan(0..<width)
            down.rowProducts(hidden.span, into: &span, team: team)
        }
        Kernels.axpy(weight, result.span, into: &out)
    }
}

extension Matrix {
    /// out = W x, each row in 16 lanes, read where it is.
    ///
    /// - Parameters:
    ///   - x: [`columns`].
    ///   - out: [`rows`].
    package func rowProducts(
        _ x: Span<Float>, into out: inout MutableSpan<Float>, team: ThreadTeam
    ) {
        precondition(
            x.count == columns && out.count == rows,
            "\(x.count) -> \(out.count) elements by \(rows) x \(columns)")
        let (rows, columns) = (rows, columns)
        unsafe withElements { weights in
            unsafe x.withUnsafeBufferPointer { x in
                unsafe out.withUnsafeMutableBufferPointer { out in
                    guard let one = x.baseAddress, let two = out.baseAddress else { return }
                    nonisolated(unsafe) let weights = unsafe weights
                    nonisolated(unsafe) let x = unsafe one
                    nonisolated(unsafe) let out = unsafe two
                    let parts = rows * columns < 50_000 ? 1 : min(rows, 2 * team.count)
                    team.forEach(parts) { part in
                        let (start, end) = (rows * part / parts, rows * (part + 1) / parts)
                        unsafe cambium_row_dots(
                            weights + start * columns, x, end - start, columns, out + start)
                    }
                }
            }
        }
    }
}
