import Synchronization
import Testing

@testable import Tensors

struct ThreadTeamTests {
    @Test(arguments: [1, 2, 5], [0, 1, 2, 3, 100])
    func everyPartRunsOnce(threads: Int, parts: Int) {
        let calls = Mutex([Int](repeating: 0, count: parts))
        ThreadTeam(count: threads).forEach(parts) { part in calls.withLock { $0[part] += 1 } }
        #expect(calls.withLock { $0 } == [Int](repeating: 1, count: parts))
    }
}
