import Testing

@testable import Serving

@Suite("the queue of what waits")
struct FairQueueTests {
    private func filled() -> FairQueue<String> {
        var queue = FairQueue<String>()
        for (client, element) in [
            ("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("c", "c1"), ("b", "b2"),
        ] { queue.add(element, of: client) }
        return queue
    }

    @Test("each client has its turn before any has a second")
    func turns() {
        var queue = filled()
        var order: [String] = []
        while let element = queue.next() { order.append(element) }
        #expect(order == ["a1", "b1", "c1", "a2", "b2", "a3"])
        #expect(queue.count == 0)
    }

    @Test("what is gone is taken out")
    func removed() {
        var queue = filled()
        #expect(Set(queue.remove { $0.hasSuffix("1") }) == ["a1", "b1", "c1"])
        #expect(queue.count == 3)
        #expect(queue.next() == "a2" && queue.next() == "b2" && queue.next() == "a3")
        #expect(queue.next() == nil)
    }

    @Test("what goes while it is looked at is counted once, or stays")
    func removedMeanwhile() {
        var queue = filled()
        var asked = 0
        // The fifth time and from then on the answer is another one.
        let removed = queue.remove { _ in
            asked += 1
            return asked > 4
        }
        #expect(asked == 6 && removed.count == 2)
        #expect(queue.count == 4)
        var left = 0
        while queue.next() != nil { left += 1 }
        #expect(left == 4 && queue.count == 0)
    }
}
