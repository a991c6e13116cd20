package import Tensors

/// Picks among n m experts by linear read-outs of their two digits: expert a · m + b scores
/// first[a] · x + second[b] · x + the biases of both, and the k best of each head are picked, exactly.
///
/// It is what a product-key router is without queries: solved in closed form from ``DigitGramSums``, so it
/// merges exactly. Digits that no evidence has seen are never picked before one that some has.
package struct DigitRouter: Router {
    package let topK: Int
    package let heads: Int
    package let expertCount: Int
    private let tables: [Table]

    /// The scores of one digit.
    private struct Table: Sendable {
        /// [heads · values, width].
        let weights: PackedMatrix
        /// [heads · values].
        let biases: [Float]
    }

    /// - Parameters:
    ///   - topK: Of each head, at most the number of experts and `Kernels.largestTopK`.
    package init(_ readOuts: DigitReadOuts, topK: Int) {
        let count = readOuts.counts.0 * readOuts.counts.1
        precondition(
            topK > 0 && topK <= count && topK <= Kernels.largestTopK, "top \(topK) of \(count)")
        self.topK = topK
        heads = readOuts.heads
        expertCount = count
        tables = (0..<2).map { digit in
            let rows = readOuts.rows(ofDigit: digit)
            let width = readOuts.width
            return Table(
                weights: PackedMatrix(
                    Matrix(
                        rows: rows.count, columns: width,
                        values: Array(
                            readOuts.weights[rows.lowerBound * width..<rows.upperBound * width]))),
                biases: Array(readOuts.biases[rows]))
        }
    }

    /// - Complexity: Per token width · heads · (n + m) multiplications.
    package func route(
        _ x: Span<Float>, tokens: Int, into selection: inout Selection, team: ThreadTeam
    ) {
        let scores = tables.map { table in
            var scores = [Float](repeating: 0, count: tokens * table.biases.count)
            do {
                var span = scores.mutableSpan
                table.weights.multiply(x, tokens: tokens, into: &span, team: team)
            }
            for token in 0..<tokens {
                for (index, bias) in table.biases.enumerated() {
                    scores[token * table.biases.count + index] += bias
                }
            }
            return scores
        }
        let (first, second) = (scores[0], scores[1])
        selection.replace(self, tokens: tokens) { ids, sums, margins in
            Kernels.productKeyTop(
                first: first.span, second: second.span, ids: &ids, scores: &sums,
                margins: &margins, team: team)
        }
    }
}
