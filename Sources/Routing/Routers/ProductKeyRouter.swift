package import Tensors

/// Picks among n m experts by sets of n and m sub-keys (product keys: Lample et al., Large Memory
/// Layers with Product Keys, 1907.05242; experts of one neuron: He, Mixture of A Million Experts,
/// 2407.04153).
///
/// A head's query has two halves, each normalised to a root mean square of 1 (epsilon 1e-6, no
/// weight). Expert a * m + b scores first[a] + second[b], unscaled, where first and second are the
/// dot products of a half with its sub-keys, which all heads share or each has of its own; the sum is
/// rounded to float. The k best are picked, and weighted by the softmax of their scores.
///
/// **Exact.** The result equals a search of the whole grid, for finite scores: rounding is monotone,
/// so an expert outside the best k + 1 of either side can only tie with the last pick; when such a tie
/// is possible the grid is searched (`select_body.h` in CKernels has the argument).
package struct ProductKeyRouter: Router {
    /// The epsilon under the root of the queries' norm; fixed by the peer-lm architecture.
    package static let epsilon: Float = 1e-6

    package let heads: Int
    package let topK: Int
    private let query: any Projection
    private let keys: ProductKeys

    package var expertCount: Int { keys.firstCount * keys.secondCount }

    /// - Parameters:
    ///   - query: [heads * keySize, width]; head h owns rows h * keySize…, first half then second.
    ///   - keys: Shared by the heads, or one set for each; their halves are keySize / 2.
    ///   - topK: At most the number of experts and `Kernels.largestTopK`.
    package init(query: any Projection, keys: ProductKeys, heads: Int, topK: Int) {
        precondition(
            heads > 0 && query.rows == heads * 2 * keys.half
                && (keys.sets == 1 || keys.sets == heads),
            "a query of \(query.rows) rows for \(heads) heads of 2 x \(keys.half)")
        precondition(
            topK > 0 && topK <= keys.firstCount * keys.secondCount && topK <= Kernels.largestTopK,
            "top \(topK) of \(keys.firstCount) x \(keys.secondCount) experts")
        self.heads = heads
        self.topK = topK
        self.query = query
        self.keys = keys
    }

    /// - Complexity: Per token width · heads · keySize + heads · keySize / 2 · (n + m)
    ///   multiplications.
    package func route(
        _ x: Span<Float>, tokens: Int, into selection: inout Selection, team: ThreadTeam
    ) {
        var queries = FloatBuffer(count: tokens * query.rows)
        do {
            var span = queries.mutableSpan(0..<queries.count)
            query.multiply(x, tokens: tokens, into: &span, team: team)
            Kernels.rmsNormalise(&span, width: keys.half, epsilon: Self.epsilon)
        }
        selection.replace(self, tokens: tokens) { ids, scores, margins in
            keys.select(
                queries.span, tokens: tokens, heads: heads, ids: &ids, scores: &scores,
                margins: &margins, team: team)
        }
    }
}
