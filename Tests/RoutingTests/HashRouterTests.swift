import Routing
import Testing

@Suite("hash router")
struct HashRouterTests {
    /// Rows that the formula gives in another language, of the first, second and last token of a text.
    struct Golden: Sendable, CustomTestStringConvertible {
        let text: [UInt8]
        let orders: [Int]
        let tableSize: Int
        let rows: [[UInt32]]

        var testDescription: String { "orders \(orders) of \(tableSize) rows" }
    }

    static let golden = [
        Golden(
            text: Array("hashed experts".utf8), orders: [2, 3, 4, 5], tableSize: 1 << 18,
            rows: [
                [244_138, 450_512, 532_916, 884_565], [105_971, 449_014, 588_144, 951_815],
                [230_699, 276_222, 644_619, 1_024_968],
            ]),
        Golden(
            text: [UInt8](repeating: 255, count: 9), orders: [1, 7, 8], tableSize: 1 << 4,
            rows: [[14, 18, 35], [14, 24, 39], [14, 23, 40]]),
        Golden(
            text: Array("hashed experts".utf8), orders: [1, 2, 3, 4, 5, 6, 7, 8],
            tableSize: 1 << 26,
            rows: [
                [
                    41_403_998, 129_608_210, 182_440_169, 203_535_517, 293_557_549, 396_304_327,
                    449_136_286, 477_711_332,
                ],
                [
                    63_297_454, 94_237_489, 182_056_489, 217_673_915, 310_773_615, 360_933_607,
                    448_752_606, 484_370_033,
                ],
                [
                    19_510_541, 126_167_997, 137_821_876, 232_131_349, 329_500_683, 370_144_315,
                    404_510_888, 501_128_179,
                ],
            ]),
        // Zero bytes at the start are what was in front of it.
        Golden(
            text: [0, 0, 97], orders: [1, 2, 8], tableSize: 1 << 10,
            rows: [[235, 1_238, 2_907], [235, 1_238, 2_907], [965, 1_643, 2_745]]),
    ]

    @Test("rows are those of the formula", arguments: golden)
    func formula(golden: Golden) {
        let router = HashRouter(orders: golden.orders, tableSize: golden.tableSize)
        let rows = router.rows(of: golden.text)
        let width = golden.orders.count
        #expect(router.picksPerToken == width && rows.count == golden.text.count * width)
        for (token, expected) in zip([0, 1, golden.text.count - 1], golden.rows) {
            #expect(Array(rows[token * width..<(token + 1) * width]) == expected)
        }
    }

    @Test("a text in pieces has the rows of the whole")
    func pieces() {
        let router = HashRouter(orders: [1, 3, 8], tableSize: 1 << 12)
        let text = (0..<100).map { UInt8($0 * 37 % 256) }
        var (history, rows) = (HashRouter.History(), [UInt32]())
        for range in [0..<1, 1..<5, 5..<5, 5..<100] {
            var piece = [UInt32](repeating: .max, count: range.count * 3)
            var span = piece.mutableSpan
            router.route(Array(text[range]).span, history: &history, into: &span)
            rows += piece
        }
        #expect(rows == router.rows(of: text))
        var (last, alone) = ([UInt32](repeating: 0, count: 3), HashRouter.History())
        for token in text.suffix(8) { alone.append(token) }
        var span = last.mutableSpan
        router.route(alone, into: &span)
        #expect(last == Array(rows.suffix(3)) && alone == history)
    }

    @Test("counts tell how often texts use each row")
    func uses() {
        let router = HashRouter(orders: [1, 3, 5], tableSize: 16)
        let texts = ["abcabcabd, abc", "xyz", "abcab"].map { Array($0.utf8) }
        var expected = [UInt32](repeating: 0, count: 48)
        for text in texts {
            let rows = router.rows(of: text)
            // Sequences of 3 bytes end at the third one; those of 5 were not counted.
            for (position, row) in rows.enumerated()
            where position / 3 >= 2 && position % 3 < 2 { expected[Int(row)] += 1 }
        }
        let counts = texts.map { NGramCounts(of: $0, order: 3) }
        #expect(router.uses(counts, window: 1 << 20) == expected)
        #expect(router.uses([], window: 4) == [UInt32](repeating: 0, count: 48))
        // Two of eight windows of 4 begin with "a", in front of which there is nothing then.
        var begun = [UInt32](repeating: 0, count: 48)
        for text in texts {
            for start in 0..<text.count - 2 {
                for end in start + 1..<start + 4 {
                    let rows = router.rows(of: Array(text[start..<end])).suffix(3)
                    for (order, row) in zip(router.orders, rows) where order > end - start {
                        begun[Int(row)] += 1
                    }
                }
            }
        }
        #expect(
            router.uses(counts, window: 4) == zip(expected, begun).map { $0 + $1 / 4 })
        #expect(begun.contains { $0 >= 4 })
    }

    @Test("uses of a text are those of its windows where these use a row more")
    func windows() {
        let router = HashRouter(orders: [2, 3], tableSize: 64)
        let text = Array("the cat sat on the mat".utf8)
        let uses = router.uses(of: [text], window: 4)
        for start in stride(from: 0, to: text.count, by: 4) {
            for row in router.rows(of: Array(text[start..<min(start + 4, text.count)])) {
                #expect(uses[Int(row)] > 0)
            }
        }
        for row in router.rows(of: text) { #expect(uses[Int(row)] > 0) }
        #expect(uses.reduce(0, +) < 4 * text.count)
    }

    @Test("a row depends on the last n tokens alone, and lies in the table of its order")
    func window() {
        let router = HashRouter(orders: [2, 5], tableSize: 1 << 16)
        let one = router.rows(of: Array("xxxx, abcde".utf8))
        let other = router.rows(of: Array("something else abcde".utf8))
        #expect(one.suffix(2) == other.suffix(2))
        let third = router.rows(of: Array("bbcde".utf8))
        #expect(one[one.count - 2] == third[third.count - 2])
        #expect(one[one.count - 1] != third[third.count - 1])
        for (index, row) in one.enumerated() {
            #expect(Int(row) / (1 << 16) == index % 2)
        }
        #expect(router.expertCount == 1 << 17)
    }
}
