import Elements
import Files
import Glibc
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

/// Nothing is removed or overwritten that Cambium did not make.
@Suite("Strangers' files")
struct StrangersFilesTests {
    private let note = ReflogNote(time: 0, author: "", message: "")
    private let precious = Array("precious".utf8)

    @Test("a new store leaves the folder's own files, whatever their names")
    func initialise() throws {
        try withScratchDirectory { directory in
            let names = [
                "init/notes.txt", "init.0/a", "init.00000000000000zz/data.mdb",
                "init.0123456789abcdef/mine", "leases/letter", "profiles/me", "training/plan",
                "data.mdb.repack", "use.lock",
            ]
            for name in names {
                let folder = name.split(separator: "/").dropLast().joined(separator: "/")
                if !folder.isEmpty { try makeDirectory(directory + "/" + folder) }
                try writeStoreFile(directory + "/" + name, precious)
            }
            try SnapshotStore.create(at: directory)
            let store = try SnapshotStore.open(directory)
            try store.commit(.sample(experts: 2))
            _ = try store.collect(prune: true, now: 1_000, grace: 0)
            for name in names { #expect(try readStoreFile(directory + "/" + name) == precious) }
        }
    }

    @Test("what an interrupted init or repack left behind goes with the next one")
    func leftOver() throws {
        try withScratchDirectory { directory in
            let aside = directory + "/init.0123456789abcdef"
            try makeDirectory(aside)
            try writeStoreFile(aside + "/data.mdb", precious)
            try SnapshotStore.create(at: directory)
            #expect(!fileExists(aside))
            let copy = directory + "/data.mdb.repack.0123456789abcdef"
            let other = directory + "/data.mdb.repack.0123456789abcdeF"
            try writeStoreFile(copy, precious)
            try writeStoreFile(other, precious)
            _ = try SnapshotStore.repack(directory)
            #expect(!fileExists(copy))
            #expect(try readStoreFile(other) == precious)
            #expect(
                try listDirectory(directory).filter { $0.hasPrefix("data.mdb") }
                    == ["data.mdb", "data.mdb.repack.0123456789abcdeF"])
        }
    }

    @Test("a store is not made over a file that is none of its own")
    func occupied() throws {
        try withScratchDirectory { directory in
            let target = directory + "/target"
            for name in ["data.mdb", "lock.mdb"] {
                let path = directory + "/" + name
                try writeStoreFile(path, precious)
                #expect(
                    code { try SnapshotStore.create(at: directory) }
                        == .exists)
                #expect(try readStoreFile(path) == precious)
                try removeFile(path)
            }
            #expect(unsafe symlink(target, directory + "/data.mdb") == 0)
            #expect(
                code { try SnapshotStore.create(at: directory) }
                    == .exists)
            #expect(!fileExists(target))
            #expect(try listDirectory(directory).filter { $0.hasPrefix("init") }.isEmpty)
        }
    }

    @Test("what lies in leases/ and is no lease neither stops a collection nor is removed")
    func strayLeases() throws {
        try withStore { store in
            let id = try store.commit(.sample(experts: 2)).id
            let leases = store.directory + "/leases"
            let lease = "\(id.hex).1.2"
            for name in ["letter", "\(id.hex)", "\(id.hex).x.2", "\(id.hex).1.2.3", "\(id.hex)..2"]
            {
                try writeStoreFile(leases + "/" + name, precious)
            }
            try makeDirectory(leases + "/folder")
            try makeDirectory(leases + "/\(id.hex).1.3")
            #expect(unsafe mkfifo(leases + "/\(id.hex).1.4", 0o666) == 0)
            #expect(unsafe symlink("letter", leases + "/\(id.hex).1.5") == 0)
            let strangers = try listDirectory(leases)
            try writeStoreFile(leases + "/" + lease, [])
            let report = try store.collect(prune: true, now: 1_000, grace: 0)
            #expect(report.leases == 0)
            #expect(try listDirectory(leases) == strangers)
            #expect(try readStoreFile(leases + "/letter") == precious)
        }
    }

    @Test("a folder of leases that is a link is refused, and nothing behind it is touched")
    func linkedLeases() throws {
        try withStore { store in
            let id = try store.commit(.sample(experts: 2)).id
            let elsewhere = store.directory + "/elsewhere"
            try makeDirectory(elsewhere)
            try writeStoreFile(elsewhere + "/\(id.hex).1.2", [])
            try removeDirectory(store.directory + "/leases")
            #expect(unsafe symlink(elsewhere, store.directory + "/leases") == 0)
            #expect(
                code {
                    try store.collect(prune: true, now: 1_000, grace: 0)
                } == .corrupt)
            #expect(code { try store.map(id) } == .corrupt)
            #expect(try listDirectory(elsewhere) == ["\(id.hex).1.2"])
        }
    }

    @Test("a listing of leases that fails stops the collection")
    func failedListing() throws {
        try withStore { store in
            let (id, model) = (
                try store.commit(.sample(experts: 20)).id, SyntheticModel.sample(experts: 20)
            )
            let snapshot = try store.map(id)
            try store.commit(.sample(experts: 3, seed: 50), to: "other", parents: [], time: 0)
            try store.setHead(.branch("other"), by: note)
            try store.moveReference(.branch, "main", from: id, to: nil, by: note)
            let leases = store.directory + "/leases"
            let found = code {
                _ = try failingCall(1, of: .reading, in: leases) {
                    try store.collect(prune: true, now: 1_000, grace: 0)
                }
            }
            #expect(found == .io)
            #expect(try store.model(at: snapshot.id) == model)
        }
    }
}
