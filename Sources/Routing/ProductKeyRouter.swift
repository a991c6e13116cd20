package import Tensors

/// Picks among n² experts by two sets of n sub-keys (PEER: Product Key Expert Retrieval).
///
/// A head's query has two halves, each normalised to a root mean square of 1 (epsilon 1e-6, no
/// weight). Expert a * n + b scores first[a] + second[b], unscaled, where first and second are the
/// dot products of a half with its sub-keys; the sum is rounded to float. The k best are picked.
///
/// **Order.** Picks come in descending score; equal scores in ascending expert id, also where a tie
/// decides who is picked. The result equals a search of the whole grid, for finite scores: rounding
/// is monotone, so an expert outside the best k + 1 of either side can only tie with the last pick;
/// when such a tie is possible the grid is searched (`cambium_product_key_top` in CKernels has the
/// argument). A NaN score is picked first, so that it shows in the output.
///
/// **Bits.** All sums run in fixed order: a token gets the same picks and weights alone or in a
/// batch, provided that its x has the same bits.
package struct ProductKeyRouter: Sendable {
    /// The epsilon under the root of the queries' norm; fixed by the peer-lm architecture.
    package static let epsilon: Float = 1e-6

    package let heads: Int
    package let topK: Int
    private let query: Matrix
    private let firstKeys: Matrix
    private let secondKeys: Matrix

    /// Experts that can be picked: n².
    package var expertCount: Int { firstKeys.rows * firstKeys.rows }

    /// - Parameters:
    ///   - query: [heads * keySize, width]; head h owns rows h * keySize…, first half then second.
    ///   - firstKeys: [n, keySize / 2], for the high digit of an expert's id.
    ///   - secondKeys: [n, keySize / 2], for the low digit.
    ///   - topK: At most n and `Kernels.largestTopK`.
    package init(
        query: Matrix, firstKeys: Matrix, secondKeys: Matrix, heads: Int, topK: Int
    ) {
        precondition(
            firstKeys.rows == secondKeys.rows && firstKeys.columns == secondKeys.columns
                && query.rows == heads * 2 * firstKeys.columns,
            "a query of \(query.rows) rows for \(heads) heads of 2 x \(firstKeys.columns)")
        precondition(
            heads > 0 && topK > 0 && topK <= firstKeys.rows && topK <= Kernels.largestTopK,
            "top \(topK) of \(firstKeys.rows) sub-keys, \(heads) heads")
        self.heads = heads
        self.topK = topK
        self.query = query
        self.firstKeys = firstKeys
        self.secondKeys = secondKeys
    }

    /// Routes a batch.
    ///
    /// - Parameters:
    ///   - x: [tokens, width], the normalised hidden state.
    ///   - picks: Replaced by the picks of these tokens; its heads and topK are the router's.
    /// - Complexity: Per token width * heads * keySize + heads * keySize * n multiplications.
    package func route(_ x: Span<Float>, tokens: Int, into picks: inout Picks) {
        precondition(
            picks.heads == heads && picks.topK == topK,
            "picks of \(picks.heads) x \(picks.topK) for a router of \(heads) x \(topK)")
        let half = firstKeys.columns
        var queries = FloatBuffer(count: tokens * query.rows)
        do {
            var span = queries.mutableSpan(0..<queries.count)
            query.multiplyInFixedOrder(x, tokens: tokens, into: &span)
            Kernels.rmsNormalise(&span, width: half, epsilon: Self.epsilon)
        }
        let groups = tokens * heads
        let first = scores(firstKeys, queries.span, groups: groups)
        let secondHalves = queries.span(min(half, queries.count)..<queries.count)
        let second = scores(secondKeys, secondHalves, groups: groups)
        picks.select(tokens: tokens, first: first.span, second: second.span)
    }

    /// [groups, n]: one half of each group's query against one set of sub-keys.
    private func scores(_ keys: Matrix, _ halves: Span<Float>, groups: Int) -> FloatBuffer {
        var scores = FloatBuffer(count: groups * keys.rows)
        var span = scores.mutableSpan(0..<scores.count)
        keys.multiplyInFixedOrder(
            halves, tokens: groups, stride: 2 * keys.columns, into: &span)
        return scores
    }
}
