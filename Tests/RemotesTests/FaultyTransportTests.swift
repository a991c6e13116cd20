import Elements
import Remotes
import TestSupport
import Testing

@Suite("Transports that fail when a test asks for it")
struct FaultyTransportTests {
    private let body = TransportBody([1, 2, 3, 4])

    @Test("one call fails, before or after it took effect; later ones do not")
    func once() throws {
        for (fault, isThere) in [(FaultyTransport.Fault.failsBefore, false), (.failsAfter, true)] {
            let memory = MemoryTransport()
            let remote = FaultyTransport(memory, fault, at: 2)
            try remote.write("a", body)
            #expect(code { try remote.create("b", body) } == .network)
            #expect(memory.keys == (isThere ? ["a", "b"] : ["a"]))
            #expect(try remote.create("c", body))
            #expect(remote.calls.map(\.key) == ["a", "b", "c"])
        }
    }

    @Test("a dead client does nothing any more")
    func dead() throws {
        for (fault, isThere) in [(FaultyTransport.Fault.deadBefore, false), (.deadAfter, true)] {
            let memory = MemoryTransport()
            let remote = FaultyTransport(memory, fault, at: 1)
            #expect(code { try remote.write("a", body) } == .network)
            #expect(code { try remote.write("b", body) } == .network)
            #expect(code { try remote.read("a", nil, limit: 9) } == .network)
            #expect(memory.keys == (isThere ? ["a"] : []))
        }
    }

    @Test("answers are wrong where they should be")
    func wrong() throws {
        let memory = MemoryTransport()
        #expect(try !FaultyTransport(memory, .createMeetsItself, at: 1).create("a", body))
        #expect(memory.keys == ["a"])
        func seen(_ fault: FaultyTransport.Fault) throws -> [UInt8]? {
            try FaultyTransport(memory, fault, at: 1).read("a", nil, limit: 9)?.copy()
        }
        #expect(try seen(.shortens) == [1, 2])
        #expect(try seen(.flips) == [1, 2, 2, 4])
        #expect(try seen(.hides) == nil)
        #expect(try FaultyTransport(memory, .hides, at: 1).list("", after: nil).entries == [])
        let other = FaultyTransport(memory, .meanwhile { memory.now += 5 }) { $1.kind == .entry }
        #expect(try other.entry("a")?.now == 1_700_000_005)
    }
}

@Suite("What goes to and from a remote")
struct TrafficTests {
    @Test("is counted, held to its rate, and stopped")
    func rate() throws {
        let traffic = Traffic(rate: 1_000_000)
        let start = ContinuousClock.now
        for _ in 0..<5 { try traffic.sent(100_000) }
        try traffic.received(10_000)
        // A tenth of a second is free.
        #expect(ContinuousClock.now - start > .milliseconds(390))
        #expect(traffic.bytes == (500_000, 10_000))
        let cancelled = Traffic { true }
        #expect(code { try cancelled.began() } == .cancelled)
        #expect(code { try cancelled.wait(.seconds(100)) } == .cancelled)
        #expect(cancelled.requests == 1)
    }
}
