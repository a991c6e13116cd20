import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Compressing what only history needs")
struct CompressTests {
    /// A model whose experts are floats, and versions of it that move a little.
    private static func models(_ count: Int) -> [SyntheticModel] {
        var generator = SeededGenerator(seed: 7)
        var model = SyntheticModel.sample(experts: 400)
        func floats(_ bytes: Int) -> [UInt8] {
            (0..<(bytes / 4)).flatMap { _ in
                let value = Float.random(in: -0.1...0.1, using: &generator).bitPattern
                return (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
            }
        }
        for ordinal in 0..<400 { model.pools[.init(1)]?.experts[ordinal] = floats(128) }
        var models = [model]
        for version in 1..<count {
            for ordinal in stride(from: version % 3, to: 400, by: 3) {
                guard var bytes = model.pools[.init(1)]?.experts[ordinal] else { continue }
                // Low bits of each element: a step of training.
                for offset in stride(from: 0, to: bytes.count, by: 4) {
                    bytes[offset] &+= UInt8.random(in: 0...15, using: &generator)
                }
                model.pools[.init(1)]?.experts[ordinal] = bytes
            }
            models.append(model)
        }
        return models
    }

    /// A store with these versions on main, and their commits.
    private func write(_ path: String, _ models: [SyntheticModel]) throws -> [ObjectID] {
        try SnapshotStore.create(at: path)
        let store = try SnapshotStore.open(path)
        return try models.enumerated().map { try store.commit($1, time: Int64($0)).id }
    }

    @Test("every snapshot reads back, verifies and can be built on, and the store is smaller")
    func roundTrip() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            let models = Self.models(8)
            let ids = try write(path, models)
            let report = try SnapshotStore.repack(path, compress: true)
            let compression = try #require(report.compression)
            #expect(compression.packs >= 1)
            #expect(compression.coldBytes * 10 < compression.rawBytes * 9)
            #expect(report.bytesAfter < report.bytesBefore)
            let store = try SnapshotStore.open(path)
            #expect(try store.faults().isEmpty)
            for (id, model) in zip(ids, models) {
                let isSame = try store.model(at: id) == model
                #expect(isSame)
            }
            // A revert to a compressed version stores nothing again.
            var draft = try CommitDraft(store, tree: Tree(architecture: ""))
            try models[2].stage(in: &draft)
            let outcome = try draft.commit(
                to: "main", parents: [ids[7]], note: .sample(time: 50))
            let isSame = try store.model(at: outcome.id) == models[2]
            #expect(isSame)
            let difference = try store.difference(
                from: store.tree(store.commit(ids[0]).tree),
                to: store.tree(store.commit(ids[1]).tree))
            #expect(difference.pools.first?.changed.count == 133)
        }
    }

    @Test("compressing twice finds nothing more; heads stay raw")
    func twice() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            _ = try write(path, Self.models(4))
            _ = try SnapshotStore.repack(path, compress: true)
            #expect(try SnapshotStore.repack(path, compress: true).compression?.packs == 0)
            let single = directory + "/single"
            _ = try write(single, Self.models(1))
            #expect(try SnapshotStore.repack(single, compress: true).compression?.packs == 0)
        }
    }

    @Test("a collection keeps what differences are taken from, and moves compressed objects")
    func collects() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            let models = Self.models(8)
            let ids = try write(path, models)
            _ = try SnapshotStore.repack(path, compress: true)
            let store = try SnapshotStore.open(path)
            // Only the fourth version stays: what it differs from lies in later packs.
            try store.createReference(.tag, "kept", at: ids[3], by: .sample)
            try store.createReference(.branch, "other", at: ids[3], by: .sample)
            try store.setHead(.branch("other"), by: .sample)
            try store.moveReference(.branch, "main", from: ids[7], to: nil, by: .sample)
            _ = try store.collect(prune: true, now: 10_000, grace: 0)
            #expect(try store.faults().isEmpty)
            for index in 0...3 {
                let isSame = try store.model(at: ids[index]) == models[index]
                #expect(isSame)
            }
            _ = try store.collect(prune: true, now: 10_000, grace: 0)
            #expect(try store.faults().isEmpty)
            let isSame = try store.model(at: ids[3]) == models[3]
            #expect(isSame)
        }
    }

    @Test("no flipped byte of a compressed pack is served, and verify names the pack")
    func damaged() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            let models = Self.models(5)
            let ids = try write(path, models)
            _ = try SnapshotStore.repack(path, compress: true)
            let store = try SnapshotStore.open(path)
            var generator = SeededGenerator.announced()
            let environment = store.environment
            var unread = 0
            for _ in 0..<60 {
                var old: [UInt8] = []
                var key: [UInt8] = []
                try environment.write("damage") { transaction in
                    // The first compressed pack.
                    try transaction.scan(environment.table("packs")) {
                        found, value in
                        let flags = value.bytes.number(at: 6, as: UInt16.self)
                        guard flags == 1 || flags == 5 else { return true }
                        (key, old) = (found, value.copy())
                        return false
                    }
                    var new = old
                    let end = Int(old.raw.number(at: 24, as: UInt64.self))
                    new[Int.random(in: 48..<end, using: &generator)] ^= 1
                    try transaction.put(environment.table("packs"), key, new)
                }
                // A bit that zstd does not read, such as the padding of a stream, changes nothing.
                if try store.faults().isEmpty {
                    unread += 1
                    for (id, model) in zip(ids, models) {
                        let isSame = try store.model(at: id) == model
                        #expect(isSame)
                    }
                }
                let isServed = (try? store.model(at: ids[0])).map { $0 == models[0] } ?? true
                #expect(isServed)
                try environment.write("mend") { transaction in
                    try transaction.put(environment.table("packs"), key, old)
                }
            }
            #expect(try store.faults().isEmpty)
            #expect(unread < 6, "\(unread) of 60 flips went unnoticed")
        }
    }
}
