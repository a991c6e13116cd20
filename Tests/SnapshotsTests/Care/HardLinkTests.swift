import Elements
import Files
import Glibc
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Copies by hard links")
struct HardLinkTests {
    /// A store with one commit and a copy of it as `cp -al` makes one.
    private func withCopies(_ body: (String, String, ObjectID) throws -> Void) throws {
        try withScratchDirectory { directory in
            let (first, second) = (directory + "/first", directory + "/second")
            try SnapshotStore.create(at: first)
            let id = try SnapshotStore.open(first).commit(.sample(experts: 9)).id
            try makeDirectory(second)
            try makeDirectory(second + "/leases")
            for name in try listDirectory(first) where name != "leases" {
                #expect(unsafe link(first + "/" + name, second + "/" + name) == 0)
            }
            try body(first, second, id)
        }
    }

    @Test("are read, and not written until they have files of their own")
    func refused() throws {
        try withCopies { first, second, id in
            for path in [first, second] {
                let error = #expect(throws: CambiumError.self) { try SnapshotStore.open(path) }
                #expect(error?.code == .hardLinked)
                #expect(error?.message.contains("cambium repack -C \(path)") == true)
                let store = try SnapshotStore.open(path, readOnly: true)
                #expect(try store.model(at: id) == .sample(experts: 9))
            }
            let before = try readStoreFile(first + "/data.mdb", limit: 1 << 24)
            #expect(
                code { try SnapshotStore.open(first) } == .hardLinked)
            #expect(try readStoreFile(second + "/data.mdb", limit: 1 << 24) == before)
        }
    }

    @Test("are apart after a repack of either, compressed or not", arguments: [false, true])
    func repacked(compress: Bool) async throws {
        try withCopies { first, second, id in
            _ = try SnapshotStore.repack(second, compress: compress)
            for name in ["data.mdb", "lock.mdb", "use.lock", "maintenance.lock", "opening.lock"] {
                #expect(try !isHardLinked(first + "/" + name), "\(name)")
            }
            let (one, other) = (try SnapshotStore.open(first), try SnapshotStore.open(second))
            let ids = try (0..<5).map { round in
                let left = try one.commit(.sample(experts: 9, seed: 100 + round), time: 5).id
                return (left, try other.commit(.sample(experts: 9, seed: 200 + round), time: 5).id)
            }
            for (round, pair) in ids.enumerated() {
                #expect(try one.model(at: pair.0) == .sample(experts: 9, seed: 100 + round))
                #expect(try other.model(at: pair.1) == .sample(experts: 9, seed: 200 + round))
                #expect(code { try one.commit(pair.1) } == .notFound)
            }
            #expect(try one.faults().isEmpty && other.faults().isEmpty)
            #expect(try one.model(at: id) == .sample(experts: 9))
        }
    }

    @Test("that share a lock file alone get one each when they are opened")
    func lockFile() throws {
        try withCopies { first, second, _ in
            try removeFile(second + "/data.mdb")
            try writeStoreFile(
                second + "/data.mdb", try readStoreFile(first + "/data.mdb", limit: 1 << 24))
            do {
                let store = try SnapshotStore.open(second)
                #expect(try !isHardLinked(second + "/lock.mdb"))
                try store.commit(.sample(experts: 3, seed: 4))
            }
            try SnapshotStore.open(first).commit(.sample(experts: 3, seed: 5))
        }
    }

    @Test("that share a lock file are not taken apart while one is open")
    func lockFileInUse() throws {
        try withCopies { first, second, _ in
            let open = try SnapshotStore.open(first, readOnly: true)
            try removeFile(second + "/data.mdb")
            try writeStoreFile(
                second + "/data.mdb", try readStoreFile(first + "/data.mdb", limit: 1 << 24))
            #expect(code { try SnapshotStore.open(second) } == .busy)
            withExtendedLifetime(open) {}
        }
    }
}
