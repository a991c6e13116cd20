package import Tensors

/// Picks among n m experts by linear read-outs of their two digits: expert a · m + b scores
/// first[a] · x + second[b] · x + the biases of both, and the k best are picked, exactly.
///
/// It is what a product-key router is without queries: solved in closed form from ``DigitGramSums``, so it
/// merges exactly. Digits that no evidence has seen are never picked before one that some has.
package struct DigitRouter: Router, Equatable {
    package let topK: Int
    package var heads: Int { 1 }
    package let expertCount: Int
    private let tables: [Table]
    private let scales: [Float]

    /// The scores of one digit.
    private struct Table: Sendable {
        let weights: PackedMatrix
        /// [classes]; a digit without evidence has the least of floats.
        let biases: [Float]
        /// What it was made from, to compare by.
        let readOut: ReadOut
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.topK == right.topK && left.expertCount == right.expertCount
            && left.tables.map(\.readOut) == right.tables.map(\.readOut)
    }

    /// - Parameters:
    ///   - readOuts: Of the high and the low digit, over quantised features.
    ///   - counts: Values of each digit, n and m; more than any class of its read-out.
    ///   - scales: What multiplies activations before they are rounded; the weights are multiplied by
    ///     them, so that the router reads activations.
    ///   - topK: At most the number of experts and `Kernels.largestTopK`.
    package init(_ readOuts: (ReadOut, ReadOut), counts: (Int, Int), scales: [Float], topK: Int) {
        precondition(
            topK > 0 && topK <= counts.0 * counts.1 && topK <= Kernels.largestTopK,
            "top \(topK) of \(counts.0) x \(counts.1) experts")
        self.topK = topK
        expertCount = counts.0 * counts.1
        tables = [(readOuts.0, counts.0), (readOuts.1, counts.1)].map { readOut, count in
            let width = scales.count
            let (weights, biases) = readOut.dense(count: count, scales: scales)
            return Table(
                weights: PackedMatrix(Matrix(rows: count, columns: width, values: weights)),
                biases: biases, readOut: readOut)
        }
        self.scales = scales
    }

    /// What scores the values of a digit, 0 the high and 1 the low one: [values, width] and [values].
    package func dense(digit: Int) -> (weights: [Float], biases: [Float]) {
        let table = tables[digit]
        return table.readOut.dense(count: table.biases.count, scales: scales)
    }

    /// - Complexity: Per token width · (n + m) multiplications.
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
