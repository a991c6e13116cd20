internal import BenchmarkSupport
internal import Cambium
internal import Elements
internal import Foundation
internal import Objects
internal import Snapshots

/// A store with one pool of experts in layer 0, as the benchmarks change and read it.
struct Pool {
    let path: String
    let count: Int
    let size: Int
    let snapshots: SnapshotStore
    let store: Store

    static let signature = Signature(author: "benchmark", time: 1_790_000_000)

    static func parts(_ size: Int) -> [TensorShape] {
        [TensorShape(.f32, [size / 8]), TensorShape(.f32, [size / 8])]
    }

    /// Makes the store with every expert at version 0.
    init(_ path: String, count: Int, size: Int) throws {
        try Store.create(at: path)
        try self.init(opening: path, count: count, size: size)
        try NeuronPool.commit(to: snapshots, count: count, parts: Self.parts(size)) {
            ExpertData.bytes($0, version: 0, size: size)
        }
    }

    /// Opens a store that was made here.
    init(opening path: String, count: Int, size: Int) throws {
        self.path = path
        self.count = count
        self.size = size
        snapshots = try SnapshotStore.open(path)
        store = try Store(path)
    }

    func options(_ message: String, branch: String = "main") -> CommitOptions {
        CommitOptions(message: message, branch: branch, signature: Self.signature)
    }

    /// What a round changes: ordinals and their new bytes.
    func changes(round: Int, count changed: Int) -> [(ordinal: Int, bytes: [UInt8])] {
        ExpertData.changed(round: round, count: changed, of: count).map {
            ($0, ExpertData.bytes($0, version: round, size: size))
        }
    }

    @discardableResult
    func commit(
        _ changes: [(ordinal: Int, bytes: [UInt8])], _ message: String, branch: String = "main"
    ) throws -> CommitResult {
        try store.commit(options(message, branch: branch)) { patch in
            for (ordinal, bytes) in changes {
                try patch.put(expert: ordinal, layer: 0, bytes)
            }
        }
    }

    /// Reads every expert of a revision back and compares it with what it should be.
    func check(_ revision: String = "main", rounds: [(round: Int, changes: Int)] = []) throws {
        var versions = [Int32](repeating: 0, count: count)
        for (round, changes) in rounds {
            for ordinal in ExpertData.changed(round: round, count: changes, of: count) {
                versions[ordinal] = Int32(round)
            }
        }
        let snapshot = try snapshots.map(try snapshots.resolve(revision))
        guard let experts = snapshot.experts(layer: 0, pool: ExpertPool.base) else {
            throw Failure("\(revision) has no experts")
        }
        try expect(experts.count == count, "\(experts.count) experts instead of \(count)")
        let wrong = concurrentMap(count, grain: 4096) { [versions] ordinal in
            let bytes = ExpertData.bytes(ordinal, version: Int(versions[ordinal]), size: size)
            return (try? experts.expert(ordinal).payload.copy()) != bytes
        }
        try expect(
            !wrong.contains(true),
            "expert \(wrong.firstIndex(of: true) ?? -1) of \(revision) reads back wrong")
    }

    /// Times a diff of main and its parent, which must be what a round changed.
    func diff(
        _ found: Measured, _ metric: String = "seconds",
        expected work: [(ordinal: Int, bytes: [UInt8])]
    ) throws {
        let difference = try found.time(metric) { try store.diff(from: "main~1", to: "main") }
        try expect(
            difference.pools.first?.changed.map(\.ordinal).sorted()
                == work.map(\.ordinal).sorted(),
            "the diff is not what the round changed")
    }

    var head: ObjectID {
        get throws { try snapshots.resolve("main") }
    }
}
