import NumericSupport
import Routing
import Tensors
import Testing

@Suite("product-key selection")
struct ProductKeySelectionTests {
    private struct Top: Equatable {
        var ids: [UInt32]
        var scores: [Float]
        var margin: Float
    }

    private func select(_ first: [Float], _ second: [Float], _ k: Int) -> Top {
        var ids = [UInt32](repeating: 0, count: k)
        var scores = [Float](repeating: 0, count: k)
        var margins: [Float] = [0]
        do {
            var ids = ids.mutableSpan
            var scores = scores.mutableSpan
            var margins = margins.mutableSpan
            Kernels.productKeyTop(
                first: first.span, second: second.span, ids: &ids, scores: &scores,
                margins: &margins)
        }
        return Top(ids: ids, scores: scores, margin: margins[0])
    }

    /// All sums, sorted.
    private func search(_ first: [Float], _ second: [Float], _ k: Int) -> Top {
        var grid: [(score: Float, id: UInt32)] = []
        for (a, high) in first.enumerated() {
            for (b, low) in second.enumerated() {
                grid.append((high + low, UInt32(a * second.count + b)))
            }
        }
        grid.sort { $0.score > $1.score || ($0.score == $1.score && $0.id < $1.id) }
        return Top(
            ids: grid[..<k].map(\.id), scores: grid[..<k].map(\.score),
            margin: grid.count > k ? grid[k - 1].score - grid[k].score : .infinity)
    }

    @Test(
        "random scores pick what a search of the whole grid picks",
        arguments: [(1, 1), (2, 1), (2, 2), (7, 3), (9, 9), (16, 8), (33, 8)])
    func random(n: Int, k: Int) {
        var noise = Noise(seed: 41)
        for _ in 0..<8 {
            let (first, second) = (noise.floats(n), noise.floats(n))
            #expect(select(first, second, k) == search(first, second, k))
        }
    }

    @Test(
        "tied scores pick the lower expert ids of the whole grid",
        arguments: [(4, 2), (8, 3), (16, 8), (17, 17)])
    func ties(n: Int, k: Int) {
        var noise = Noise(seed: 42)
        for levels in [1, 2, 3, 5] as [Float] {
            for _ in 0..<6 {
                let first = noise.floats(n).map { ($0 * levels).rounded() }
                let second = noise.floats(n).map { ($0 * levels).rounded() }
                #expect(select(first, second, k) == search(first, second, k))
            }
        }
    }

    @Test("sums that only rounding makes equal tie, and the lower id wins")
    func roundingTies() {
        var noise = Noise(seed: 43)
        for _ in 0..<20 {
            // Differences far below the unit in the last place of the sums.
            let first = noise.floats(12).map { 1 + $0 * 0x1p-22 }
            let second = noise.floats(12).map { 4096 + ($0 * 2).rounded() * 0x1p-11 }
            #expect(select(first, second, 4) == search(first, second, 4))
        }
    }

    @Test(
        "sides of different lengths pick what a search of the whole grid picks",
        arguments: [(3, 40, 5), (200, 2, 9), (1, 300, 17), (150, 140, 16)])
    func rectangular(n: Int, m: Int, k: Int) {
        var noise = Noise(seed: 47)
        for levels in [3, 1e6] as [Float] {
            for _ in 0..<4 {
                let first = noise.floats(n).map { ($0 * levels).rounded() }
                let second = noise.floats(m).map { ($0 * levels).rounded() }
                #expect(select(first, second, k) == search(first, second, k))
            }
        }
    }

    @Test("equal scores everywhere pick the first ids")
    func allEqual() {
        let zeros = [Float](repeating: 0, count: 10)
        let top = select(zeros, zeros, 4)
        #expect(top == Top(ids: [0, 1, 2, 3], scores: [0, 0, 0, 0], margin: 0))
    }

    @Test("a NaN score is picked first, and infinite scores do not trap")
    func notFinite() {
        let top = select([0, .nan, 1], [0, 1, 2], 3)
        #expect(top.ids.allSatisfy { $0 / 3 == 1 } && top.scores.allSatisfy(\.isNaN))
        let extremes = select([-.infinity, .infinity], [.infinity, -.infinity], 2)
        #expect(extremes.ids.count == 2)
        #expect(select([-.infinity, -.infinity], [-.infinity, 0], 2).ids.count == 2)
    }
}
