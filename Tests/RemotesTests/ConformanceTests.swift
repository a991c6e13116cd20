import Elements
import Objects
import Remotes
import TestSupport
import Testing

/// What every remote must do.
@Suite("Conformance of remotes")
struct ConformanceTests {
    private func body(_ text: String) -> TransportBody { TransportBody(Array(text.utf8)) }

    private func text(_ transport: any Transport, _ key: String) throws -> String? {
        try transport.read(key, nil, limit: 1 << 20).map {
            String(decoding: $0.copy(), as: UTF8.self)
        }
    }

    @Test("what was written is read back, whole and in ranges", arguments: Place.available)
    func roundTrip(_ place: Place) throws {
        try place.with { (remote) throws in
            let bytes = noise(100_000, 1)
            // In pieces of several sizes, an empty one among them.
            let pieces = [0..<1, 1..<1, 1..<70_000, 70_000..<100_000].map {
                MappedBytes(copying: Array(bytes[$0]))
            }
            try remote.write(
                "packs/one", TransportBody(pieces, digest: ObjectID(hashing: bytes)))
            #expect(try remote.read("packs/one", nil, limit: 100_000)?.copy() == bytes)
            for range in [0..<1, 5..<5, 99_999..<100_000, 12_345..<67_890, 0..<100_000] {
                #expect(
                    try remote.read("packs/one", range, limit: 100_000)?.copy()
                        == Array(bytes[range]),
                    "\(range)")
            }
            let found = try #require(try remote.entry("packs/one"))
            #expect(found.entry.key == "packs/one" && found.entry.size == 100_000)
            #expect(abs(found.now - found.entry.modified) < 60)
        }
    }

    @Test("empty bodies are kept", arguments: Place.available)
    func empty(_ place: Place) throws {
        try place.with { (remote) throws in
            try remote.write("empty", TransportBody([]))
            #expect(try remote.create("empty-too", TransportBody([])))
            #expect(try remote.read("empty", nil, limit: 0)?.count == 0)
            #expect(try remote.read("empty-too", 0..<0, limit: 0)?.count == 0)
            #expect(try remote.entry("empty")?.entry.size == 0)
            #expect(try remote.list("", after: nil).entries.map(\.size) == [0, 0])
        }
    }

    @Test("a key that is not there is none", arguments: Place.available)
    func missing(_ place: Place) throws {
        try place.with { (remote) throws in
            #expect(try remote.read("no/such", nil, limit: 10) == nil)
            #expect(try remote.read("no/such", 0..<5, limit: 10) == nil)
            #expect(try remote.entry("no/such") == nil)
            #expect(try remote.list("no/", after: nil).entries == [])
            try remote.delete("no/such")
            try remote.write("no/such/key", body("a"))
            // A folder is no key.
            #expect(try remote.read("no/such", nil, limit: 10) == nil)
            #expect(try remote.entry("no/such") == nil)
            #expect(try remote.list("no/such/", after: nil).entries.map(\.key) == ["no/such/key"])
        }
    }

    @Test("writes replace, deletes remove", arguments: Place.available)
    func replacing(_ place: Place) throws {
        try place.with { (remote) throws in
            try remote.write("key", body("first, and longer"))
            try remote.write("key", body("second"))
            #expect(try text(remote, "key") == "second")
            try remote.delete("key")
            #expect(try text(remote, "key") == nil)
            #expect(try remote.list("", after: nil).entries == [])
            try remote.delete("key")
            #expect(try remote.create("key", body("third")))
            #expect(try text(remote, "key") == "third")
        }
    }

    @Test("a key is created once", arguments: Place.available)
    func creating(_ place: Place) throws {
        try place.with { (remote) throws in
            #expect(try remote.create("refs/heads/main/00000000000000000000", body("one")))
            #expect(try !remote.create("refs/heads/main/00000000000000000000", body("two")))
            #expect(try text(remote, "refs/heads/main/00000000000000000000") == "one")
        }
    }

    @Test("of eight that create a key at the same time one wins", arguments: Place.available)
    func racing(_ place: Place) throws {
        try place.with { (remote) throws in
            for round in 0..<12 {
                let key = "race/\(round)"
                let racers = (0..<8).map { number in
                    Background {
                        Swift::Result { try remote.create(key, body("racer \(number)")) }
                    }
                }
                let won = try racers.map { try $0.wait().get() }
                let winners = won.indices.filter { won[$0] }
                #expect(winners.count == 1, "round \(round): \(won)")
                #expect(try text(remote, key) == winners.first.map { "racer \($0)" })
            }
        }
    }

    @Test(
        "readers see all of a key that is being replaced, or all of what it was",
        arguments: Place.available)
    func wholeWrites(_ place: Place) throws {
        try place.with { (remote) throws in
            let bodies = (0..<2).map { TransportBody([UInt8](repeating: $0, count: 300_000)) }
            try remote.write("key", bodies[0])
            let writer = Background {
                Swift::Result { for round in 0..<20 { try remote.write("key", bodies[round % 2]) } }
            }
            for _ in 0..<40 {
                let seen = try remote.read("key", nil, limit: 1 << 20)?.copy() ?? []
                #expect(seen.count == 300_000 && Set(seen).count == 1)
            }
            try writer.wait().get()
        }
    }

    @Test(
        "lists are in the order of bytes, and go on behind a thousand keys",
        arguments: Place.available)
    func longList(_ place: Place) throws {
        try place.with { (remote) throws in
            let names = (0..<1_203).map { String($0 * 7_919 % 1_203, radix: 36) }.map {
                "many/k\($0)"
            }
            try writeAll(names, to: remote)
            try remote.write("man", body("before"))
            try remote.write("mano", body("behind"))
            let pages = try pages(of: "many/", in: remote)
            let found = pages.flatMap { $0 }
            #expect(pages.map(\.count) == [1_000, 203])
            #expect(found == names.sorted(by: isBefore))
            #expect(
                try remote.list("many/k1", after: nil).entries.allSatisfy {
                    $0.key.hasPrefix("many/k1")
                })
            #expect(
                try remote.list("many/", after: "many/kx").entries.first?.key
                    == found.first { isBefore("many/kx", $0) })
        }
    }

    @Test(
        "keys of every character that is allowed are told apart and sorted by bytes",
        arguments: Place.available)
    func oddKeys(_ place: Place) throws {
        try place.with { (remote) throws in
            let keys = [
                "a-b/1", "a.b/1", "a/1", "a0/1", "a_b/1", "a~20b/1", "aB/1", "ab/1", "A/1", "~/1",
                "-/1", "_", "z",
                "refs/heads/x~2Fy/00000000000000000000", String(repeating: "k", count: 200) + "/1",
                "...", ".x/..y",
                "many/folders/deep/in/the/tree/of/this/key", "0",
            ]
            for key in keys { try remote.write(key, body(key)) }
            #expect(try remote.list("", after: nil).entries.map(\.key) == keys.sorted(by: isBefore))
            for key in keys { #expect(try text(remote, key) == key) }
            for prefix in ["a", "a/", "a-", "refs/heads/", "refs/he", "~", "."] {
                #expect(
                    try remote.list(prefix, after: nil).entries.map(\.key)
                        == keys.filter { $0.hasPrefix(prefix) }.sorted(by: isBefore), "\(prefix)")
            }
        }
    }

    @Test("a list of folders whose names begin alike is complete", arguments: Place.available)
    func folderOrder(_ place: Place) throws {
        try place.with { (remote) throws in
            // Slash sorts between them; a server that goes through folders has another order than that of bytes.
            let names = ["a", "a-b", "a.b", "a0"].flatMap { folder in
                (0..<310).map { "refs/\(folder)/\(10_000 + $0)" }
            }
            try writeAll(names, to: remote)
            let pages = try pages(of: "refs/", in: remote)
            #expect(pages.count == 2)
            #expect(pages.flatMap { $0 }.sorted(by: isBefore) == names.sorted(by: isBefore))
            #expect(pages.allSatisfy { $0 == $0.sorted(by: isBefore) })
            let behind = try remote.list("refs/a/", after: "refs/a/10299").entries.map(\.key)
            #expect(behind == (10_300..<10_310).map { "refs/a/\($0)" })
        }
    }

    private func writeAll(_ names: [String], to remote: any Transport) throws {
        let failures = concurrentMap(names.count, grain: 50) { number -> String? in
            do {
                try remote.write(names[number], body("x"))
                return nil
            } catch {
                return "\(error)"
            }
        }
        #expect(failures.compactMap { $0 } == [])
    }

    private func pages(of prefix: String, in remote: any Transport) throws -> [[String]] {
        var pages: [[String]] = []
        var after: String?
        repeat {
            let page = try remote.list(prefix, after: after)
            pages.append(page.entries.map(\.key))
            after = page.next
        } while after != nil && pages.count < 10
        return pages
    }

    @Test("keys that could lead elsewhere are refused by every call", arguments: Place.available)
    func badKeys(_ place: Place) throws {
        try place.with { (remote) throws in
            let bad = [
                "", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", ".", "a/./b", "a b", "a\u{0}b",
                "ä", "a\\b", "a%2Fb",
                "a?b", "a#b", ".cambium-x.tmp", "a/.cambium-1", String(repeating: "k", count: 256),
                String(repeating: "a/", count: 400) + "a",
            ]
            for key in bad {
                #expect(code { try remote.read(key, nil, limit: 1) } == .usage, "\(key)")
                #expect(code { try remote.write(key, body("x")) } == .usage, "\(key)")
                #expect(code { try remote.create(key, body("x")) } == .usage, "\(key)")
                #expect(code { try remote.entry(key) } == .usage, "\(key)")
                #expect(code { try remote.delete(key) } == .usage, "\(key)")
            }
            #expect(code { try remote.list("../", after: nil) } == .usage)
            #expect(code { try remote.list("/", after: nil) } == .usage)
            #expect(try remote.list("", after: nil).entries == [])
        }
    }

    @Test("more than the limit, and ranges outside, are refused", arguments: Place.available)
    func limits(_ place: Place) throws {
        try place.with { (remote) throws in
            try remote.write("key", body("0123456789"))
            #expect(code { try remote.read("key", nil, limit: 9) } == .network)
            #expect(code { try remote.read("key", 0..<10, limit: 9) } == .network)
            #expect(code { try remote.read("key", 5..<11, limit: 100) } == .network)
            #expect(code { try remote.read("key", 20..<30, limit: 100) } == .network)
            #expect(try remote.read("key", 9..<10, limit: 1)?.copy() == Array("9".utf8))
        }
    }

    @Test("a body of 64 MiB comes back", arguments: Place.available)
    func large(_ place: Place) throws {
        try place.with { (remote) throws in
            let block = MappedBytes(copying: noise(1 << 20, 7))
            let pieces = Array(repeating: block, count: 64)
            let digest = ObjectID(hashing: []) { part in pieces.forEach { part($0.bytes) } }
            try remote.write("packs/large", TransportBody(pieces, digest: digest))
            let back = try #require(try remote.read("packs/large", nil, limit: 64 << 20))
            #expect(ObjectID(hashing: [], back.bytes) == digest)
            #expect(try remote.entry("packs/large")?.entry.size == 64 << 20)
            let range = (32 << 20) - 3..<(32 << 20) + 3
            let whole = block.copy()
            #expect(
                try remote.read("packs/large", range, limit: 6)?.copy() == whole.suffix(3)
                    + whole.prefix(3))
        }
    }
}
