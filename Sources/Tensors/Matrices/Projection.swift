/// A matrix that hidden states are multiplied with in fixed order, fp32 or quantised.
package protocol Projection: AnyObject, Sendable {
    /// Outputs.
    var rows: Int { get }
    /// Inputs.
    var columns: Int { get }

    /// out[t, r] = Σ over k of x[t, k] w[r, k]; the bits depend on x[t] and the matrix alone.
    ///
    /// - Parameters:
    ///   - x: `tokens` rows of `columns` elements, each `stride` elements after the one before.
    ///   - stride: At least `columns`; nil when the rows are adjacent.
    ///   - out: `tokens` rows of `rows` elements, each `outStride` elements after the one before.
    ///   - outStride: At least `rows`; nil when the rows are adjacent.
    func multiply(
        _ x: Span<Float>, tokens: Int, stride: Int?, into out: inout MutableSpan<Float>,
        outStride: Int?, team: ThreadTeam)
}

extension PackedMatrix: Projection {}
extension QuantizedMatrix: Projection {}

extension Projection {
    /// Traps when spans do not hold what a product reads and writes.
    func check(
        _ x: Span<Float>, _ tokens: Int, _ stride: Int, _ out: borrowing MutableSpan<Float>,
        _ outStride: Int
    ) {
        precondition(
            stride >= columns && outStride >= rows
                && x.count >= (tokens - 1) * stride + columns
                && out.count >= (tokens - 1) * outStride + rows,
            "\(x.count) -> \(out.count) elements by \(rows) x \(columns), \(tokens) tokens")
    }

    /// out = x Wᵀ for adjacent rows.
    package func multiply(
        _ x: Span<Float>, tokens: Int, into out: inout MutableSpan<Float>,
        team: ThreadTeam = .single
    ) {
        multiply(x, tokens: tokens, stride: nil, into: &out, outStride: nil, team: team)
    }
}
