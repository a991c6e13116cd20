import Elements
import Remotes
import Synchronization
import TestSupport
import Testing

@Suite("The probe of a remote")
struct ProbeTests {
    @Test("places that keep their word pass, and nothing is left there", arguments: Place.available)
    func honest(_ place: Place) throws {
        try place.with { remote in
            try Probe(remote).run()
            try Probe(remote, isSingleWriter: true).run()
            #expect(try remote.list("", after: nil).entries == [])
        }
    }

    /// A remote whose answers are changed.
    private final class Liar: Transport {
        enum Kind {
            case overwrites, saysYes, saysNo, racesBadly, ignoresRanges, listsNothing, keepsAll
        }

        let base = MemoryTransport()
        let kind: Kind
        private let created = Mutex<Set<String>>([])

        init(_ kind: Kind) { self.kind = kind }

        var url: String { "liar://\(kind)" }

        func read(_ key: String, _ range: Range<Int>?, limit: Int) throws -> MappedBytes? {
            let range = kind == .ignoresRanges && range != nil ? 0..<5 : range
            return try base.read(key, range, limit: limit)
        }

        func write(_ key: String, _ body: TransportBody) throws { try base.write(key, body) }

        func create(_ key: String, _ body: TransportBody) throws -> Bool {
            switch kind {
            case .overwrites:
                try base.write(key, body)
                return true
            case .saysYes: return try base.create(key, body) || true
            case .saysNo: return false
            case .racesBadly:
                let isRace = key.hasSuffix("race")
                return try base.create(key, body) || isRace
            default: return try base.create(key, body)
            }
        }

        func list(_ prefix: String, after: String?) throws -> TransportListing {
            let found = try base.list(prefix, after: after)
            guard kind == .listsNothing else { return found }
            return TransportListing(entries: [], next: nil, now: found.now)
        }

        func entry(_ key: String) throws -> (entry: TransportEntry, now: Int64)? {
            try base.entry(key)
        }

        func delete(_ key: String) throws { if kind != .keepsAll { try base.delete(key) } }
    }

    @Test(
        "a place that does otherwise is refused, with what it did",
        arguments: [
            ("overwrites", "replaced a key although"), ("saysYes", "created a key twice"),
            ("saysNo", "says that a new key was there before"),
            ("racesBadly", "told 8 of 8 that created a key at the same time"),
            ("ignoresRanges", "other bytes than those of the range"),
            ("listsNothing", "does not list a key"), ("keepsAll", "has a key that was removed"),
        ])
    func liars(_ name: String, _ words: String) throws {
        let kinds: [Liar.Kind] = [
            .overwrites, .saysYes, .saysNo, .racesBadly, .ignoresRanges, .listsNothing, .keepsAll,
        ]
        let kind = try #require(kinds.first { "\($0)" == name })
        let liar = Liar(kind)
        let error = #expect(throws: CambiumError.self) { try Probe(liar).run() }
        #expect(error?.code == .remote)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("liar://") == true)
        let isAboutConditions = ["overwrites", "saysYes", "racesBadly"].contains(name)
        #expect(error?.message.contains("--single-writer") == isAboutConditions)
        if kind != .keepsAll { #expect(liar.base.keys == []) }
    }

    @Test("a lost answer to the first creation is no lie")
    func lostAnswer() throws {
        let memory = MemoryTransport()
        try Probe(FaultyTransport(memory, .createMeetsItself, at: 1)).run()
        #expect(memory.keys == [])
    }

    @Test(
        "a server that takes conditions and ignores them is refused",
        .enabled(
            if: TestServer.isThere("rclone") && TestServer.isThere("juicefs"),
            "without the servers of rclone and JuiceFS"), arguments: ["rclone", "juicefs"])
    func lyingServers(_ name: String) throws {
        let remote = try TestServer(name).remote(prefix: "probed")
        let error = #expect(throws: CambiumError.self) { try Probe(remote).run() }
        #expect(error?.code == .remote)
        #expect(
            error?.message.contains("replaced a key although") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("--single-writer") == true)
        #expect(try remote.list("", after: nil).entries == [])
    }

    @Test(
        "a single writer may use such a server if it keeps to ranges",
        .enabled(
            if: TestServer.isThere("rclone") && TestServer.isThere("juicefs"),
            "without the servers of rclone and JuiceFS"))
    func singleWriter() throws {
        let juicefs = try TestServer("juicefs").remote(prefix: "single") {
            $0.isSingleWriter = true
        }
        try Probe(juicefs, isSingleWriter: true).run()
        #expect(try juicefs.create("key", TransportBody([1])))
        #expect(try !juicefs.create("key", TransportBody([2])))
        #expect(try juicefs.read("key", nil, limit: 1)?.copy() == [1])
        let rclone = try TestServer("rclone").remote(prefix: "single") { $0.isSingleWriter = true }
        let error = #expect(throws: CambiumError.self) {
            try Probe(rclone, isSingleWriter: true).run()
        }
        #expect(error?.code == .remote)
        #expect(error?.message.contains("the whole object where a range") == true)
    }
}

@Suite("Servers under test")
struct TestServerTests {
    @Test(
        "the conformance suite ran on SeaweedFS",
        .enabled(if: TestServer.isThere("seaweedfs"), "without SeaweedFS"))
    func seaweedfs() { #expect(Place.available.contains(.seaweedfs)) }

    @Test(
        "the conformance suite ran on Ceph's server",
        .enabled(if: TestServer.isThere("radosgw"), "asked for by tools/test --remotes"))
    func radosgw() { #expect(Place.available.contains(.radosgw)) }
}
