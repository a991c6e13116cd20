import TestSupport
import Testing

@testable import KeyValue

@Suite("Sets of pages")
struct PageSetTests {
    @Test("a run goes in as its pages would one by one, or not at all")
    func runs() {
        var generator = SeededGenerator.announced()
        for _ in 0..<300 {
            let count = Int.random(in: 1...400, using: &generator)
            var set = PageSet(count: count)
            var pages: Set<UInt64> = []
            for _ in 0..<12 {
                let first = UInt64.random(in: 0..<UInt64(count), using: &generator)
                let end = UInt64.random(in: first...UInt64(count), using: &generator)
                let isNew = pages.isDisjoint(with: first..<end)
                #expect(set.insert(first..<end) == isNew)
                if isNew { pages.formUnion(first..<end) }
                let none = PageSet(count: count)
                let free = set.common(with: none, neither: true, in: 0..<UInt64(count)).joined()
                #expect(Set(free) == Set(0..<UInt64(count)).subtracting(pages))
            }
        }
    }
}
