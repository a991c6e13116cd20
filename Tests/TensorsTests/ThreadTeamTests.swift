import Dispatch
import Synchronization
import Testing

@testable import Tensors

@Suite("teams of threads")
struct ThreadTeamTests {
    @Test("every part runs once", arguments: [1, 2, 5], [0, 1, 2, 3, 100])
    func everyPart(threads: Int, parts: Int) {
        let calls = Mutex([Int](repeating: 0, count: parts))
        ThreadTeam(count: threads).forEach(parts) { part in calls.withLock { $0[part] += 1 } }
        #expect(calls.withLock { $0 } == [Int](repeating: 1, count: parts))
    }

    @Test("loops that follow each other do not mix")
    func manyLoops() {
        let team = ThreadTeam(count: 3)
        let sum = Atomic(0)
        var expected = 0
        for loop in 0..<5000 {
            let parts = loop % 7
            team.forEach(parts) { sum.add($0 + loop, ordering: .relaxed) }
            for part in 0..<parts { expected += part + loop }
            #expect(sum.load(ordering: .relaxed) == expected)
        }
    }

    @Test("a loop within a loop, and loops of several threads at once, end")
    func busy() {
        let team = ThreadTeam(count: 2)
        let count = Atomic(0)
        team.forEach(4) { _ in team.forEach(5) { _ in count.add(1, ordering: .relaxed) } }
        #expect(count.load(ordering: .relaxed) == 20)
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for _ in 0..<200 { team.forEach(3) { _ in count.add(1, ordering: .relaxed) } }
        }
        #expect(count.load(ordering: .relaxed) == 20 + 4 * 200 * 3)
    }

    @Test("a team that slept wakes up")
    func sleep() async throws {
        let team = ThreadTeam(count: 2)
        let count = Atomic(0)
        for _ in 0..<20 {
            try await Task.sleep(for: .milliseconds(2))
            team.forEach(2) { _ in count.add(1, ordering: .relaxed) }
        }
        #expect(count.load(ordering: .relaxed) == 40)
    }
}
