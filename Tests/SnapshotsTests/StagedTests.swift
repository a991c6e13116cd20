import Elements
import Files
import Glibc
import KeyValue
import Objects
import Snapshots
import Synchronization
import TestSupport
import Testing

@Suite("What a commit wrote ahead and did not finish")
struct StagedTests {
    /// Small, so that a commit of the model writes each of its eleven full packs ahead.
    private static let threshold = 100_000
    private static let model = {
        var model = SyntheticModel()
        model.files["config.json"] = Array("{}".utf8)
        model.pools[.init(1)] = .init(neurons: 6_000, width: 256, seed: 5)
        return model
    }()
    /// Less than two packs.
    private static let tolerance = 1_500_000

    private static func draft(_ store: SnapshotStore) throws -> CommitDraft {
        var draft = try CommitDraft(
            store, tree: Tree(architecture: ""), flushThreshold: threshold)
        try model.stage(in: &draft)
        return draft
    }

    @discardableResult
    private static func commit(_ store: SnapshotStore) throws -> ObjectID {
        let draft = try draft(store)
        return try draft.commit(to: "main", parents: [], note: .sample()).id
    }

    private static func keys(_ store: SnapshotStore) throws -> [[UInt8]] {
        try store.environment.read { transaction in
            try StagedPacks.keys(transaction)
        }
    }

    /// The length of a store's file after the commit and nothing else.
    private static func undisturbed(_ directory: String) throws -> Int {
        try SnapshotStore.create(at: directory)
        try commit(try SnapshotStore.open(directory))
        return try fileLength(directory + "/data.mdb")
    }

    private func check(_ path: String, _ length: Int) throws {
        let store = try SnapshotStore.open(path)
        #expect(try store.faults().isEmpty)
        let id = try Self.commit(store)
        #expect(try Self.keys(store).isEmpty)
        #expect(try store.faults().isEmpty)
        #expect(try store.model(at: id) == Self.model)
        #expect(try fileLength(path + "/data.mdb") <= length + Self.tolerance)
    }

    @Test("after a kill the retry writes into the same pages", arguments: [3, 6, 10])
    func killed(writes: Int) async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let length = try Self.undisturbed(directory + "/undisturbed")
        let path = directory + "/store"
        try SnapshotStore.create(at: path)
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = path as String, writes = writes as Int] in
            let count = Mutex(0)
            let store = try SnapshotStore.open(
                path,
                observer: { step in
                    guard step == "packs: after commit" else { return }
                    let now = count.withLock { count in
                        count += 1
                        return count
                    }
                    if now == writes { kill(getpid(), SIGKILL) }
                })
            try Self.commit(store)
        }
        #expect(try Self.keys(try SnapshotStore.open(path)).count == 1)
        try check(path, length)
    }

    @Test("a process that is ending frees what it staged, and stages nothing more")
    func abandoned() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let length = try Self.undisturbed(directory + "/undisturbed")
        let path = directory + "/store"
        try SnapshotStore.create(at: path)
        await #expect(processExitsWith: .signal(SIGTERM)) { [path = path as String] in
            let store = try SnapshotStore.open(path)
            let draft = try Self.draft(store)
            guard try !Self.keys(store).isEmpty else { return }
            Stagings.abandon(seconds: 60)
            guard try Self.keys(store).isEmpty else { return }
            // Would commit names of packs that are gone.
            let late = Background {
                _ = try? Self.commit(store)
                exit(1)
            }
            usleep(200_000)
            kill(getpid(), SIGTERM)
            late.wait()
            _ = consume draft
        }
        let store = try SnapshotStore.open(path)
        #expect(try Self.keys(store).isEmpty)
        #expect(try store.references().branches.isEmpty)
        #expect(try store.sizes().free > 2_000_000)
        try check(path, length)
    }

    @Test("a damaged pack that was left keeps no commit from being made, and verify tells of it")
    func damagedPack() throws {
        try withStore { store in
            _ = try Self.draft(store)
            try store.environment.write("damage") { transaction in
                let table = store.environment.table(ObjectStore.packTable)
                let (key, record) = try #require(try transaction.last(table))
                var bytes = record.copy()
                bytes[0] ^= 0xFF
                try transaction.put(table, key, bytes)
            }
            let id = try Self.commit(store)
            #expect(try store.model(at: id) == Self.model)
            #expect(try Self.keys(store).isEmpty)
            #expect(try !store.faults().isEmpty)
        }
    }

    @Test("what another draft has staged is left alone")
    func underWay() throws {
        try withStore { store in
            let first = try Self.draft(store)
            let second = try CommitDraft(store, tree: Tree(architecture: "other"))
            #expect(try Self.keys(store).count == 1)
            _ = try second.commit(to: "other", parents: [], note: .sample())
            let id = try first.commit(to: "main", parents: [], note: .sample()).id
            #expect(try Self.keys(store).isEmpty)
            #expect(try store.model(at: id) == Self.model)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a draft that is given up is freed by the next one, and by a collection")
    func givenUp() throws {
        try withStore { store in
            _ = try Self.draft(store)
            #expect(try Self.keys(store).count == 1)
            #expect(try store.faults().isEmpty)
            _ = try CommitDraft(store, tree: Tree(architecture: ""))
            #expect(try Self.keys(store).isEmpty)
            _ = try Self.draft(store)
            #expect(try Self.keys(store).count == 1)
            _ = try store.collect(prune: true, now: 10_000, grace: 1_000_000)
            #expect(try Self.keys(store).isEmpty)
            #expect(try store.collect(prune: false, now: 10_000, grace: 0).deadPacks == 0)
        }
    }

    /// A record as an earlier staging of the same packs would have left it.
    private func name(
        _ numbers: [UInt32], _ store: SnapshotStore, isDamaged: Bool = false
    ) throws -> [UInt8] {
        let key = Array("staged ".utf8) + [1, 2, 3, 4, 5, 6, 7, 8]
        var encoder = ByteEncoder()
        for number in numbers { encoder.append(number) }
        let bytes = encoder.bytes
        try store.environment.write("test") { transaction in
            let table = store.environment.table(ObjectStore.metaTable)
            var value = CheckedValue.seal(bytes, table, key)
            if isDamaged { value[0] ^= 1 }
            try transaction.put(table, key, value)
        }
        return key
    }

    @Test("packs that a commit uses stay, whatever a record says")
    func inUse() throws {
        try withStore { store in
            let id = try Self.commit(store)
            let last = try store.environment.read { transaction in
                try ObjectReader.lastPack(transaction)
            }
            _ = try name(Array(1...last + 3), store)
            _ = try CommitDraft(store, tree: Tree(architecture: ""))
            #expect(try Self.keys(store).isEmpty)
            #expect(try store.model(at: id) == Self.model)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a damaged record keeps nobody from committing, and is found")
    func damaged() throws {
        try withStore { store in
            let key = try name([1, 2], store, isDamaged: true)
            try store.commit(.sample(experts: 5), time: 1)
            #expect(try Self.keys(store) == [key])
            let faults = try store.faults()
            #expect(faults.count == 1 && faults[0].hasPrefix("table meta: "))
            _ = try store.collect(prune: true, now: 10_000, grace: 0)
            #expect(try store.faults().isEmpty)
        }
    }
}
