import Elements
import Objects
import Remotes
import Snapshots
import TestSupport
import Testing

/// A remote that somebody else wrote, to do harm.
@Suite("Hostile remotes")
struct HostileRemoteTests {
    /// A remote with two commits, the second of which is stored as differences.
    private func remote() throws -> (MemoryTransport, ObjectID, SyntheticModel) {
        try withStore { mine in
            var model = SyntheticModel.sample(experts: 200)
            model.trunk["head"] = .init([500, 64], seed: 3)
            try mine.commit(model)
            for element in 0..<200 { model.trunk["head"]?.bytes[element * 509] &+= 1 }
            let head = try mine.commit(model).id
            let remote = MemoryTransport()
            try mine.push(to: remote, packSize: 40_000)
            return (remote, head, model)
        }
    }

    @Test("bytes turned anywhere are an error or what was pushed, and never end the process")
    func flips() throws {
        let (origin, head, model) = try remote()
        var generator = SeededGenerator(seed: 20)
        for key in origin.keys {
            guard let bytes = try origin.read(key, nil, limit: 1 << 30)?.copy() else { continue }
            for _ in 0..<(key.hasPrefix("refs/") ? 60 : 25) where !bytes.isEmpty {
                var changed = bytes
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: changed.removeLast(Int.random(in: 1...changed.count, using: &generator))
                case 1: changed += [UInt8](repeating: 0xFF, count: 64)
                default:
                    for _ in 0..<Int.random(in: 1...8, using: &generator) {
                        let at = Int.random(in: 0..<changed.count, using: &generator)
                        changed[at] = UInt8.random(in: 0...255, using: &generator)
                    }
                }
                let remote = MemoryTransport(copying: origin)
                try remote.write(key, TransportBody(changed))
                try withStore { theirs in
                    _ = code { try theirs.fetch(from: remote) }
                    if try theirs.tracked() != nil {
                        #expect(try theirs.tracked() == head)
                        #expect(try theirs.model(at: head, checks: true) == model)
                    }
                    #expect(try theirs.faults(fast: true) == [])
                    _ = code { try RemoteVerification(Remote(remote)).run(readsAll: true) }
                    _ = code {
                        try RemoteCollection(Remote(remote)).run(prune: false)
                    }
                }
            }
        }
    }

    @Test("names that no store may have are left out")
    func names() throws {
        let (remote, head, _) = try remote()
        let tip = try #require(try Remote(remote).tip(.branch, "main"))
        for name in ["~2E.", "a~20b", "x~1B[2J", "HEAD", "-d", "a~00"] {
            try remote.write(
                "refs/heads/\(name.replacing("[", with: "~5B"))/00000000000000000001",
                TransportBody(tip.entry.encoded))
        }
        // Keys that stand for nothing.
        for name in ["~2e", "~", "a~4", "~61"] {
            try remote.write(
                "refs/heads/\(name)/00000000000000000001", TransportBody(tip.entry.encoded))
        }
        try withStore { theirs in
            let report = try theirs.fetch(from: remote)
            #expect(try theirs.references().remotes == ["origin/main": head])
            #expect(report.refused.count == 6)
        }
    }

    @Test("a bundle that claims more than there can be is refused before memory is taken")
    func bombs() throws {
        let (remote, _, _) = try remote()
        let tip = try #require(try Remote(remote).tip(.branch, "main"))
        let bundle = try Remote(remote).bundleBytes(tip)
        // The length of the content stands behind the list of packs and its checksum.
        let packs = Int(bundle[8]) | Int(bundle[9]) << 8
        var changed = bundle
        let at = 12 + packs * 40 + 16
        for index in 0..<8 { changed[at + index] = index < 5 ? 0xFF : 0 }
        #expect(code { try CommitBundle(decoding: changed) } == .corrupt)
        var short = changed
        for index in 0..<8 { short[at + index] = index == 0 ? 9 : 0 }
        #expect(code { try CommitBundle(decoding: short) } == .corrupt)
    }

    @Test("what is a commit's must come under its name: another tree in its place is refused")
    func substitution() throws {
        let (remote, _, _) = try remote()
        let other = MemoryTransport()
        try withStore { mine in
            try mine.commit(.sample(experts: 30, seed: 77))
            try mine.push(to: other)
        }
        // The entry names the first store's commit and the other's bundles.
        let mine = try #require(try Remote(remote).tip(.branch, "main"))
        let theirs = try #require(try Remote(other).tip(.branch, "main"))
        var entry = theirs.entry
        entry.commit = mine.entry.commit
        try other.write("refs/heads/main/00000000000000000002", TransportBody(entry.encoded))
        try withStore { store in
            let failure = code { try store.fetch(from: other) }
            let tracked = try store.tracked()
            #expect(failure == .corrupt)
            #expect(tracked == nil)
        }
    }
}

extension Remote {
    fileprivate func bundleBytes(_ tip: ReferenceTip) throws -> [UInt8] {
        let bundle = try #require(tip.entry.bundles.last)
        let bytes = try transport.read(RemoteKey.bundle(bundle.id), nil, limit: 1 << 20)
        return try #require(bytes).copy()
    }
}
