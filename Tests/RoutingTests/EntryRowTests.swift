import Elements
import NumericSupport
import Routing
import Tensors
import Testing

@Suite("the router row of a further expert")
struct EntryRowTests {
    private static let width = 12

    /// Tokens of two kinds that differ in the first features, as a router reads them, with their entries.
    private struct Tokens {
        var features: [Int16] = []
        var entries: [Float] = []

        /// - Parameter side: 1 or -1, how the first three features lie.
        init(_ count: Int, side: Float, seed: UInt64) {
            var noise = Noise(seed: seed)
            for _ in 0..<count {
                for feature in 0..<EntryRowTests.width {
                    let centre: Float = feature < 3 ? 150 * side : feature == 3 ? 200 : 0
                    features.append(Int16((centre + 60 * noise.float()).rounded()))
                }
                entries.append(2 + noise.float())
            }
        }

        func gramSums(_ range: Range<Int>) throws -> EntryGramSums {
            var gramSums = EntryGramSums(width: EntryRowTests.width)
            let width = EntryRowTests.width
            try gramSums.add(
                Array(features[range.lowerBound * width..<range.upperBound * width]),
                entries: Array(entries[range]))
            return gramSums
        }

        var held: EntryRow.HeldOut {
            var held = EntryRow.HeldOut()
            held.add(features, entries: entries)
            return held
        }

        /// For what share the row's score is above the entry.
        func picked(_ row: EntryRow, scale: Float) -> Double {
            let width = EntryRowTests.width
            let count = entries.indices.count { token in
                var score = row.bias
                for feature in 0..<width {
                    score += row.weights[feature] * Float(features[token * width + feature]) / scale
                }
                return score > entries[token]
            }
            return Double(count) / Double(entries.count)
        }
    }

    private func row(
        hasBias: Bool = false, aim: EntryRow.Aim = .atMostOld(0.002), threads: Int = 1,
        divided: Bool = false
    ) throws -> EntryRow {
        let (old, new) = (Tokens(4000, side: -1, seed: 1), Tokens(1000, side: 1, seed: 2))
        var (oldGramSums, newGramSums) = (try old.gramSums(0..<4000), try new.gramSums(0..<1000))
        if divided {
            oldGramSums = try old.gramSums(2500..<4000)
            try oldGramSums.add(old.gramSums(0..<2500))
            newGramSums = try new.gramSums(10..<1000)
            try newGramSums.add(new.gramSums(0..<10))
        }
        return try EntryRow(
            old: oldGramSums, new: newGramSums, margins: [1, 2, 4],
            heldOld: Tokens(2000, side: -1, seed: 3).held,
            heldNew: Tokens(500, side: 1, seed: 4).held,
            scales: [Float](repeating: 64, count: Self.width), hasBias: hasBias, aim: aim,
            team: threads == 1 ? .single : ThreadTeam(count: threads))
    }

    @Test(
        "is above the entry on new tokens and below it on old ones that it never saw",
        arguments: [true, false])
    func separates(hasBias: Bool) throws {
        let row = try row(hasBias: hasBias)
        #expect(row.weights.count == Self.width && (row.bias != 0) == hasBias)
        #expect(Tokens(2000, side: 1, seed: 5).picked(row, scale: 64) > 0.99)
        #expect(Tokens(5000, side: -1, seed: 6).picked(row, scale: 64) < 0.005)
    }

    @Test("any division of the evidence and any number of threads gives the same bits")
    func divided() throws {
        let whole = try row()
        #expect(try row(divided: true) == whole)
        #expect(try row(threads: 3) == whole)
    }

    @Test("without a loss no old token that was held out picks it")
    func lossless() throws {
        let row = try row(aim: .atMostOld(0))
        #expect(Tokens(2000, side: -1, seed: 3).picked(row, scale: 64) == 0)
    }

    @Test(
        "of the new tokens that were held out at least as many pick it as are asked for",
        arguments: [0.3, 0.8, 1])
    func share(wanted: Double) throws {
        let row = try row(aim: .atLeastNew(wanted))
        let picked = Tokens(500, side: 1, seed: 4).picked(row, scale: 64)
        #expect(picked >= wanted - 0.004 && picked < wanted + 0.05, "\(picked)")
        #expect(Tokens(2000, side: -1, seed: 3).picked(row, scale: 64) < 0.01)
    }

    @Test("Gram sums of other widths do not add, nor do sums beyond 64 bits")
    func refused() throws {
        var gramSums = EntryGramSums(width: 3)
        #expect(throws: CambiumError.self) { try gramSums.add(EntryGramSums(width: 4)) }
        var sum = EntryGramSums(width: 1)
        try sum.add([32_767], entries: [127])
        // Doubling 2^30 reaches 2^63 within 40 steps.
        #expect(throws: CambiumError.self) {
            for _ in 0..<40 { try sum.add(sum) }
        }
    }

    @Test("entries beyond 16 bits are limited, not trapped")
    func limited() throws {
        var gramSums = EntryGramSums(width: 1)
        try gramSums.add([1, 1], entries: [.greatestFiniteMagnitude, -1e9])
        #expect(gramSums.count == 2)
    }

    @Test("the entry is the last pick's score, of sigmoids what exceeds its corrected share")
    func entries() {
        let matrix = Matrix(rows: 4, columns: 1, values: [1, 2, 3, 4])
        let packed = PackedMatrix(matrix)
        let x: [Float] = [1, -1]
        let plain = LinearRouter(packed, bias: [0, 0, 0.5, 0], topK: 2)
        let (entry, best) = plain.entries(x.span, tokens: 2, correction: 0, team: .single)
        #expect(entry == [3.5, -2] && best == [4, -1])
        let sigmoid = LinearRouter(
            packed, topK: 2,
            scoring: .grouped(
                GroupedScoring(
                    correction: [0, 0, 0, 0.25], groups: 1, pickedGroups: 1, isNormalised: true,
                    scale: 1)))
        let steered = sigmoid.entries(x.span, tokens: 1, correction: 0.25, team: .single).entry[0]
        // The second is expert 2 with a share of sigmoid(3); with a correction of 0.25 less is enough.
        let share = 1 / (1 + Kernels.exp(Float(-3))) - 0.25
        #expect(abs(steered - Kernels.log(share / (1 - share))) < 1e-5)
    }
}
