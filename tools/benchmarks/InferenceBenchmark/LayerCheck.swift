internal import BenchmarkSupport
internal import Foundation
internal import Routing
internal import Tensors

extension LayerUnderTest {
    /// Compares the first tokens with a plain computation in doubles over the whole grid.
    ///
    /// - Returns: The greatest difference of the outputs, relative to the greatest output, and the
    ///   share of fp32 picks that the int8 router picks too.
    func check(tokens: Int = 6) throws -> Figures {
        let selection = try route("fp32", 0, tokens)
        let made = try outputs(selection, 0, tokens)
        let width = LayerStore.width
        var (difference, greatest) = (0.0, 0.0)
        for token in 0..<tokens {
            let input = x[token * width..<(token + 1) * width].map(Double.init)
            var sum = [Double](repeating: 0, count: width)
            for head in 0..<Self.heads {
                let wanted = plainRoute(input, head)
                let route = selection.route(token: token, head: head)
                try expect(
                    wanted.margin < 1e-5 || Set(wanted.experts) == Set(route.experts.map(Int.init)),
                    "token \(token), head \(head): \(route.experts) instead of \(wanted.experts)")
                for (expert, weight) in zip(wanted.experts, wanted.weights) {
                    let rows = LayerStore.expert(expert).map(Double.init)
                    let dot = zip(rows, input).reduce(0) { $0 + $1.0 * $1.1 }
                    let gelu = dot * 0.5 * (1 + erf(dot / 2.0.squareRoot()))
                    for column in 0..<width { sum[column] += weight * gelu * rows[width + column] }
                }
            }
            for column in 0..<width {
                difference = max(
                    difference, abs(sum[column] - Double(made[token * width + column])))
                greatest = max(greatest, abs(sum[column]))
            }
        }
        try expect(difference < 1e-4 * greatest, "outputs differ by \(difference) of \(greatest)")
        try checkBatches()
        let many = 512
        let (exact, fast) = (try route("fp32", 0, many), try route("int8", 0, many))
        var kept = 0
        for token in 0..<many {
            for head in 0..<Self.heads {
                let wanted = Set(exact.route(token: token, head: head).experts)
                kept += fast.route(token: token, head: head).experts.count(where: wanted.contains)
            }
        }
        return [
            "difference": difference / greatest,
            "int8_recall": Double(kept) / Double(many * Self.heads * Self.topK),
        ]
    }

    /// A token gives the same bits alone and in a batch.
    private func checkBatches() throws {
        for name in ["fp32", "int8"] {
            let together = try route(name, 0, 33)
            let all = try outputs(together, 0, 33)
            for token in [0, 17, 32] {
                let alone = try route(name, token, 1)
                let width = LayerStore.width
                let out = try outputs(alone, token, 1)
                try expect(
                    (0..<Self.heads).allSatisfy {
                        alone.route(token: 0, head: $0) == together.route(token: token, head: $0)
                    } && out == Array(all[token * width..<(token + 1) * width]),
                    "token \(token) differs alone and in a batch with the \(name) router")
            }
        }
    }

    /// The best pairs of the whole grid, their weights, and by how much the last one won.
    private func plainRoute(
        _ input: [Double], _ head: Int
    ) -> (experts: [Int], weights: [Double], margin: Double) {
        let sides = [first, second].enumerated().map { side, sets in
            let start = (head * 2 + side) * Self.half
            let query = (0..<Self.half).map { dot(self.query, start + $0, input) }
            let square = query.reduce(0) { $0 + $1 * $1 } / Double(Self.half)
            let normed = query.map { $0 / (square + 1e-6).squareRoot() }
            let keys = sets[sets.count == 1 ? 0 : head]
            return (0..<keys.rows).map { dot(keys, $0, normed) }
        }
        // The best pairs are among the best of each side.
        let best = sides.map { scores in
            scores.indices.sorted { scores[$0] > scores[$1] }.prefix(Self.topK + 1)
        }
        var pairs: [(score: Double, expert: Int)] = []
        for high in best[0] {
            for low in best[1] {
                pairs.append((sides[0][high] + sides[1][low], high * sides[1].count + low))
            }
        }
        pairs.sort { $0.score > $1.score }
        let picked = pairs.prefix(Self.topK)
        let weights = picked.map { exp($0.score - pairs[0].score) }
        let sum = weights.reduce(0, +)
        return (
            picked.map(\.expert), weights.map { $0 / sum },
            pairs[Self.topK - 1].score - pairs[Self.topK].score
        )
    }

    private func dot(_ matrix: Matrix, _ row: Int, _ x: [Double]) -> Double {
        var values = [Float](repeating: 0, count: matrix.columns)
        var span = values.mutableSpan
        matrix.copyRow(row, into: &span)
        return zip(values, x).reduce(0) { $0 + Double($1.0) * $1.1 }
    }
}
