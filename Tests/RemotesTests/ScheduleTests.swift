import SimulatedRemotes
import TestSupport
import Testing

@Suite("Random schedules of pushes, fetches and collections in virtual time")
struct ScheduleTests {
    @Test("nothing acknowledged is lost, nothing is served wrong, and garbage goes away")
    func random() throws {
        var generator = SeededGenerator.announced()
        let first = UInt64.random(in: 0..<1 << 32, using: &generator)
        for seed in first..<(first + 20) {
            let report = try Schedule(seed: seed).run()
            #expect(report.faults == [], "remote-simulation schedules --first \(seed) --count 1")
        }
    }

    /// A push looked for the base of a branch among entries that a collection was removing.
    @Test("schedules that found something", arguments: [138] as [UInt64])
    func found(seed: UInt64) throws { #expect(try Schedule(seed: seed).run().faults == []) }

    @Test("a seed is a schedule")
    func repeats() throws {
        let first = try Schedule(seed: 7).run()
        let second = try Schedule(seed: 7).run()
        #expect(first.requests > 50)
        #expect(first.requests == second.requests)
        #expect(first.done == second.done)
    }
}
