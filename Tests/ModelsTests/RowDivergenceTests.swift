import Foundation
import Tensors
import Testing

@testable import Models

@Suite("Router rows nearest to given shares")
struct RowDivergenceTests {
    private static let (width, rows) = (6, 5)

    /// Tokens whose shares come of rows that are known, the last of which has none.
    private func tokens(_ count: Int, seed: UInt64, bias: [Float]) -> RowDivergence.Tokens {
        var random = SplitMix64(seed: seed)
        var known = SplitMix64(seed: 99)
        let truth = (0..<Self.rows * Self.width).map { _ in Float(2 * known.nextUnit() - 1) }
        let inputs = (0..<count * Self.width).map { _ in Float(4 * random.nextUnit() - 2) }
        var shares: [Float] = []
        for token in 0..<count {
            var scores = (0..<Self.rows - 1).map { row in
                (0..<Self.width).reduce(bias[row]) {
                    $0 + truth[row * Self.width + $1] * inputs[token * Self.width + $1]
                }
            }
            var span = scores.mutableSpan
            Kernels.softmax(&span, width: Self.rows - 1)
            shares += scores + [0]
        }
        return RowDivergence.Tokens(
            inputs: inputs, shares: shares, root: (1 / Double(count)).squareRoot())
    }

    private func solve(
        _ sources: [RowDivergence.Tokens], bias: Bool, threads: Int = 1
    ) -> [Double]? {
        let size = bias ? Self.width + 1 : Self.width
        return RowDivergence(
            sources, width: Self.width, rows: Self.rows, hasBias: bias,
            team: threads == 1 ? .single : ThreadTeam(count: threads)
        ).solve(from: [Double](repeating: 0, count: Self.rows * size))
    }

    /// Σ KL of other tokens.
    private func divergence(_ rows: [Double], _ bias: [Float]) -> Double {
        let held = tokens(400, seed: 7, bias: bias)
        let size = rows.count / Self.rows
        var sum = 0.0
        for token in 0..<400 {
            var scores = (0..<Self.rows).map { row in
                (0..<Self.width).reduce(
                    size > Self.width ? Float(rows[row * size + Self.width]) : 0
                ) {
                    $0 + Float(rows[row * size + $1]) * held.inputs[token * Self.width + $1]
                }
            }
            var span = scores.mutableSpan
            Kernels.softmax(&span, width: Self.rows)
            for row in 0..<Self.rows {
                let share = Double(held.shares[token * Self.rows + row])
                if share > 0 { sum += share * log(share / Double(scores[row])) / 400 }
            }
        }
        return sum
    }

    @Test("what has a share gets it on other tokens, and what has none next to nothing")
    func fits() throws {
        let bias: [Float] = [0.5, -0.5, 1, 0]
        let rows = try #require(solve([tokens(3_000, seed: 1, bias: bias)], bias: true))
        #expect(divergence(rows, bias) < 0.05)
        let plain = try #require(
            solve([tokens(3_000, seed: 1, bias: [0, 0, 0, 0])], bias: false))
        let untouched = [Double](repeating: 0, count: plain.count)
        let zeros: [Float] = [0, 0, 0, 0]
        // Without a bias no linear function is low everywhere.
        #expect(divergence(plain, zeros) < 0.5 * divergence(untouched, zeros))
    }

    @Test("the bits do not depend on the number of threads, and numbers must be finite")
    func deterministic() throws {
        let bias: [Float] = [0, 0.25, 0, 0]
        let sources = [tokens(700, seed: 1, bias: bias), tokens(300, seed: 2, bias: bias)]
        let rows = try #require(solve(sources, bias: true))
        #expect(solve(sources, bias: true, threads: 3) == rows)
        var inputs = sources[0].inputs
        inputs[3] = .nan
        let broken = RowDivergence.Tokens(
            inputs: inputs, shares: sources[0].shares, root: sources[0].root)
        #expect(solve([broken], bias: true) == nil)
    }
}
