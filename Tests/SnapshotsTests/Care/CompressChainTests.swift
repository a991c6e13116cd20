import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

/// What broke: a pack noted its depth once, and what it needed was compressed later.
///
/// Readers then took the chain for a circle, and the history behind it was lost to them. Four commits,
/// each followed by a compression, were enough. Now depths follow from the chains themselves.
@Suite("Chains of compressed packs")
struct CompressChainTests {
    /// Versions of a model that move a little.
    private static func models(_ count: Int) -> [SyntheticModel] {
        var generator = SeededGenerator(seed: 11)
        var model = SyntheticModel.sample(experts: 300)
        return (0..<count).map { version in
            if version > 0 {
                for ordinal in 0..<300 {
                    guard var bytes = model.pools[.init(1)]?.experts[ordinal] else { continue }
                    for offset in stride(from: 0, to: bytes.count, by: 4) {
                        bytes[offset] &+= UInt8.random(in: 0...7, using: &generator)
                    }
                    model.pools[.init(1)]?.experts[ordinal] = bytes
                }
            }
            return model
        }
    }

    /// A store with these versions, compressed after each, and their commits.
    private func write(_ path: String, _ models: [SyntheticModel]) throws -> [ObjectID] {
        try SnapshotStore.create(at: path)
        var ids: [ObjectID] = []
        for (version, model) in models.enumerated() {
            ids.append(try SnapshotStore.open(path).commit(model, time: Int64(version)).id)
            _ = try SnapshotStore.repack(path, compress: true)
        }
        return ids
    }

    private func expectModels(
        _ store: SnapshotStore, _ ids: [ObjectID], _ models: [SyntheticModel]
    ) throws {
        for (id, model) in zip(ids, models) {
            let isSame = try store.model(at: id) == model
            #expect(isSame)
        }
        #expect(try store.faults().isEmpty)
    }

    private func depths(_ store: SnapshotStore) throws -> [Int] {
        try store.packs().filter(\.isCold).map(\.notedDepth)
    }

    @Test("a history that is compressed after every commit stays readable, its chains bounded")
    func again() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            let models = Self.models(14)
            let ids = try write(path, models)
            do {
                let store = try SnapshotStore.open(path)
                try expectModels(store, ids, models)
                try expectTrueDepths(store)
                // As deep as is allowed, and not deeper: so the bound was met.
                #expect(try depths(store).max() == Pack.greatestRepackDepth)
                _ = try store.collect(prune: true, now: 10_000, grace: 0)
                try expectModels(store, ids, models)
            }
            #expect(try SnapshotStore.repack(path, compress: true).compression?.packs == 0)
            try expectModels(try SnapshotStore.open(path), ids, models)
        }
    }

    @Test(
        "notes that are false, as earlier versions left them, harm nobody, and repack mends them",
        arguments: [false, true])
    func falseNotes(compress: Bool) throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            let models = Self.models(6)
            let ids = try write(path, models)
            do {
                let store = try SnapshotStore.open(path)
                let cold = try depths(store)
                #expect((cold.max() ?? 0) >= 4)
                // Each was raw when those that need it were written.
                try change(store) { pack in
                    pack.notedDepth > 1 ? Pack.record(pack.record.copy(), depth: 1) : nil
                }
                #expect(try depths(store).max() == 1)
                try expectModels(store, ids, models)
                _ = try store.collect(prune: true, now: 10_000, grace: 0)
                try expectModels(store, ids, models)
            }
            _ = try SnapshotStore.repack(path, compress: compress)
            let store = try SnapshotStore.open(path)
            try expectModels(store, ids, models)
            try expectTrueDepths(store)
        }
    }

    /// Earlier versions made a chain longer by one with each compression, without end.
    @Test("a chain that is too long can be read, and repack parts it")
    func longChain() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            let models = Self.models(20)
            var ids: [ObjectID] = []
            do {
                try SnapshotStore.create(at: path)
                let store = try SnapshotStore.open(path)
                ids = try models.enumerated().map { try store.commit($1, time: Int64($0)).id }
                try chain(store, ids)
                try expectModels(store, ids, models)
                #expect(try PackDepths(store).greatest == 19)
            }
            _ = try SnapshotStore.repack(path)
            let store = try SnapshotStore.open(path)
            try expectModels(store, ids, models)
            try expectTrueDepths(store)
            #expect(try PackDepths(store).greatest <= Pack.greatestDepth)
        }
    }

    @Test("packs that need each other are reported, and end no reader")
    func circle() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            let models = Self.models(3)
            let ids = try write(path, models)
            let store = try SnapshotStore.open(path)
            // A difference from the object itself.
            try change(store) { pack in
                guard let first = pack.predecessors.first else { return nil }
                var bytes = pack.record.copy()
                bytes.replaceSubrange(68..<100, with: pack.id(first.index).bytes)
                return bytes
            }
            #expect(code { try store.model(at: ids[0]) } == .corrupt)
            #expect(try store.faults().contains { $0.contains("lead back") })
            let isSame = try store.model(at: ids[2]) == models[2]
            #expect(isSame)
        }
    }

    /// Replaces the records for which `change` has another one.
    private func change(_ store: SnapshotStore, _ change: (Pack) -> [UInt8]?) throws {
        let table = store.environment.table("packs")
        try store.environment.write("change") { transaction in
            var changed: [(UInt32, [UInt8])] = []
            try transaction.scan(table) { key, record in
                let pack = try Pack(number: try PackFormat.packNumber(key), record: record)
                if let bytes = change(pack) { changed.append((pack.number, bytes)) }
                return true
            }
            for (number, bytes) in changed {
                try ObjectStaging.replaceRecord(number, with: bytes, transaction)
            }
        }
    }

    /// Stores the experts of each version as differences from the next one's, all of them noted as
    /// of depth 1.
    private func chain(_ store: SnapshotStore, _ ids: [ObjectID]) throws {
        var experts: [[ObjectID]] = []
        for id in ids {
            let tree = try store.tree(store.commit(id).tree)
            let pool = try #require(tree.layers[1]?.pools[ExpertPool.base])
            experts.append(try store.experts(of: pool))
        }
        let next = Dictionary(
            zip(experts, experts.dropFirst()).flatMap { zip($0, $1) },
            uniquingKeysWith: { first, _ in first })
        let last = try #require(experts.last)
        // From the newest on: what is needed is written in the new form before it is needed.
        let packs = try store.environment.read { transaction in
            let reader = try ObjectReader(transaction)
            var packs: [UInt32] = []
            for versions in experts.dropLast() {
                guard let place = try reader.location(of: versions[0], transaction) else {
                    continue
                }
                packs.append(place.pack)
            }
            return packs
        }
        #expect(!last.isEmpty && Set(packs).count == 19)
        for number in packs.sorted(by: >) {
            try store.environment.write("chain") { transaction in
                let reader = try ObjectReader(transaction)
                let pack = try reader.pack(number, transaction)
                var predecessors: [Int: StoredObject] = [:]
                for index in 0..<pack.count {
                    guard let id = next[pack.id(index)] else { continue }
                    predecessors[index] = try reader.object(id, transaction)
                }
                guard let record = try pack.compressed(predecessors: predecessors) else { return }
                #expect(record.usesPredecessors)
                try ObjectStaging.replaceRecord(
                    number, with: Pack.record(record.bytes, depth: 1), transaction)
            }
        }
    }
}

/// The depths of a store's packs as their chains say.
private struct PackDepths {
    let greatest: Int

    init(_ store: SnapshotStore) throws {
        greatest = try store.environment.read { transaction in
            let chains = try PackChains(transaction)
            return chains.inOrder.last.flatMap { chains.depth(of: $0) } ?? 0
        }
    }
}
