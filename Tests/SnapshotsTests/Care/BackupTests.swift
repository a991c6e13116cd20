import Elements
import Files
import Glibc
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Backups")
struct BackupTests {
    /// A store with some commits, a tag, a note, and free pages inside.
    private func prepared(_ path: String) throws -> SnapshotStore {
        try SnapshotStore.create(at: path)
        let store = try SnapshotStore.open(path)
        var model = SyntheticModel.sample(experts: 200)
        for step in 0..<6 {
            model.edit(step, seed: step)
            let id = try store.commit(model, time: Int64(step)).id
            if step == 2 { try store.createReference(.tag, "v1", at: id, by: .sample) }
            if step == 3 {
                try store.add([Note(commit: id, time: 1, author: "Ada", text: "good")])
            }
        }
        try writeStoreFile(path + "/config", Array("grace = 3d\n".utf8))
        return store
    }

    @Test("a folder is a store like the first; a file becomes one when it is restored")
    func forms() throws {
        try withScratchDirectory { directory in
            let store = try prepared(directory + "/S")
            let head = try #require(try store.references().headCommit)
            let report = try store.backup(to: directory + "/copy", asFile: false)
            #expect(report.verification.commits == 6 && report.bytes > 0)
            let copy = try SnapshotStore.open(directory + "/copy")
            #expect(try copy.references().branches == store.references().branches)
            #expect(try copy.references().tags == store.references().tags)
            #expect(try copy.model(at: head) == store.model(at: head))
            #expect(try copy.reflog().count == store.reflog().count)
            #expect(
                try copy.notes(of: copy.resolve("v1~0")) == store.notes(of: store.resolve("v1")))
            #expect(try readStoreFile(directory + "/copy/config") == Array("grace = 3d\n".utf8))
            try copy.commit(.sample(experts: 3))
            #expect(try store.references().headCommit == head)

            _ = try store.backup(to: directory + "/S.mdb", asFile: true)
            try makeDirectory(directory + "/empty")
            for target in ["/restored", "/empty"] {
                _ = try SnapshotStore.restore(directory + "/S.mdb", to: directory + target)
                let restored = try SnapshotStore.open(directory + target)
                #expect(try restored.model(at: head) == store.model(at: head))
                #expect(try restored.faults().isEmpty)
            }
            // Nothing is left beside the targets.
            #expect(
                try listDirectory(directory) == ["S", "S.mdb", "copy", "empty", "restored"])
        }
    }

    @Test("nothing that is there is replaced")
    func exists() throws {
        try withScratchDirectory { directory in
            let store = try prepared(directory + "/S")
            try makeDirectory(directory + "/folder")
            try writeStoreFile(directory + "/file.mdb", [1, 2, 3])
            _ = unsafe symlink("nowhere", directory + "/link")
            for target in ["/folder", "/file.mdb", "/link", "/S"] {
                for asFile in [false, true] {
                    #expect(
                        code {
                            try store.backup(to: directory + target, asFile: asFile)
                        } == .exists)
                }
            }
            _ = try store.backup(to: directory + "/B.mdb", asFile: true)
            #expect(
                code {
                    try SnapshotStore.restore(directory + "/B.mdb", to: directory + "/S")
                } == .exists)
            #expect(try readStoreFile(directory + "/file.mdb") == [1, 2, 3])
            #expect(
                code {
                    try store.backup(to: directory + "/none/deep", asFile: false)
                } == .notFound)
            #expect(
                code {
                    try SnapshotStore.restore(directory + "/file.mdb", to: directory + "/new")
                } == .notAStore)
            #expect(!fileExists(directory + "/new"))
            #expect(try !listDirectory(directory).contains { $0.hasPrefix(".cambium") })
        }
    }

    @Test("while a writer commits, every copy is one state of the store, without a fault")
    func online() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            let directory = try makeScratchDirectory()
            defer { removeTree(directory) }
            let store = try prepared(directory + "/S")
            let known = Set(try store.history(from: [store.resolve("main")]).map(\.id))
            group.addTask {
                var model = SyntheticModel.sample(experts: 200)
                for step in 0..<30 {
                    model.edit(step % 200, seed: 1_000 + step)
                    try store.commit(model, time: Int64(100 + step))
                }
            }
            for number in 0..<3 {
                let path = "\(directory)/copy\(number)"
                _ = try store.backup(to: path, asFile: false)
                let copy = try SnapshotStore.open(path)
                let head = try copy.resolve("main")
                #expect(try known.isSubset(of: copy.history(from: [head]).map(\.id)))
                #expect(try copy.model(at: head) == store.model(at: head))
            }
            try await group.waitForAll()
        }
    }

    @Test("killed at any step, a backup has no name yet, or is whole")
    func killed() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let head = try #require(try prepared(directory + "/S").references().headCommit)
        for asFile in [false, true] {
            for number in 1...2 {
                let target = "\(directory)/B\(number)\(asFile ? ".mdb" : "")"
                await #expect(processExitsWith: .signal(SIGKILL)) {
                    [
                        path = directory + "/S" as String, target = target as String,
                        asFile = asFile as Bool, number = number as Int
                    ] in
                    let counter = StepCounter(killingAt: number)
                    let store = try SnapshotStore.open(path, observer: counter.call)
                    _ = try store.backup(to: target, asFile: asFile)
                }
                #expect(!fileExists(target))
                _ = try SnapshotStore.open(directory + "/S").backup(to: target, asFile: asFile)
                #expect(fileExists(target))
            }
        }
        #expect(
            try SnapshotStore.open(directory + "/B1").model(at: head)
                == SnapshotStore.open(directory + "/S").model(at: head))
    }
}
