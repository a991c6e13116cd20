import Glibc
import Testing

@testable import Serving

@Suite("bounds")
struct BoundsTests {
    @Test("of all bodies hold, and what a request had is given back with it")
    func bodies() throws {
        let bodies = Bodies(most: 10)
        var share: Bodies.Share? = bodies.share()
        try share?.take(8)
        let other = bodies.share()
        let error = #expect(throws: APIError.self) { try other.take(3) }
        #expect(error?.status == 429)
        try other.take(2)
        share = nil
        try other.take(8)
    }

    @Test("of work that computes hold", .timeLimit(.minutes(1)))
    func pool() async throws {
        let pool = WorkPool(threads: 1, most: 2)
        let (running, most) = (Count(), Count())
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<6 {
                group.addTask {
                    do {
                        try await pool.run {
                            _ = running.next()
                            usleep(20_000)
                        }
                        return true
                    } catch let error as APIError {
                        #expect(error.status == 429)
                        return false
                    }
                }
            }
            for try await isDone in group where isDone { _ = most.next() }
        }
        #expect(running.value == most.value && (2...6).contains(most.value))
        #expect(try await pool.run { 7 } == 7)
    }

    @Test("of standard error: a line that cannot be written ends nothing, and is counted")
    func lostLines() {
        Server.keepsAlive()
        var ends: [Int32] = [0, 0]
        #expect(unsafe pipe(&ends) == 0)
        close(ends[0])
        let before = StandardError.linesLost
        StandardError.write("nobody reads this", to: ends[1])
        close(ends[1])
        let full = unsafe open("/dev/full", O_WRONLY)
        StandardError.write("nor this", to: full)
        close(full)
        #expect(StandardError.linesLost == before + 2)
    }
}
