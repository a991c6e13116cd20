import Routing
import Testing

@Suite("Counting a text that comes part by part")
struct NGramCounterTests {
    /// A text of few letters, in which sequences come again, and one in which hardly any does.
    private func text(_ count: Int, letters: UInt64) -> [UInt8] {
        var state: UInt64 = 7
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8((state >> 33) % letters)
        }
    }

    /// By definition.
    private func counted(_ text: [UInt8], _ order: Int) -> [UInt64: UInt64] {
        guard text.count >= order else { return [:] }
        return Dictionary(
            (0...text.count - order).map { start in
                (text[start..<start + order].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }, UInt64(1))
            }, uniquingKeysWith: +)
    }

    @Test(
        "gives the counts of the whole, however it is cut",
        arguments: [(3, 2), (8, 250), (1, 250), (6, 4)])
    func parts(order: Int, letters: UInt64) {
        // Longer than what is sorted at once.
        let text = text(700_000, letters: letters)
        let whole = NGramCounts(of: text, order: order)
        var counter = NGramCounter(order: order)
        var start = 0
        for length in [0, 1, 2, 5, 300_000, 7, 399_985] {
            counter.add(Array(text[start..<start + length]))
            start += length
        }
        #expect(start == text.count && counter.counts == whole)
        let expected = counted(text, order)
        #expect(whole.entries.count == expected.count)
        #expect(whole.entries.allSatisfy { expected[$0.key] == $0.count })
        #expect(zip(whole.entries, whole.entries.dropFirst()).allSatisfy { $0.key < $1.key })
    }

    @Test("a text shorter than a sequence has none")
    func short() {
        var counter = NGramCounter(order: 3)
        #expect(counter.counts.entries.isEmpty)
        counter.add([1, 2])
        #expect(counter.counts.entries.isEmpty)
        counter.add([3])
        #expect(counter.counts.entries == [NGramCounts.Entry(key: 0x010203, count: 1)])
    }
}
