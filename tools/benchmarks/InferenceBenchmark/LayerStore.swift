internal import Architectures
internal import BenchmarkSupport
internal import Elements
internal import Models
internal import Objects
internal import Snapshots

/// A store whose layer 0 holds neurons of noise.
enum LayerStore {
    static let width = 256
    /// Such that u · x of a token of unit variance has about unit variance.
    static let scale: Float = 0.108

    /// The rows u and v of an expert.
    static func expert(_ ordinal: Int) -> [Float] {
        Noise.floats(tag: UInt64(ordinal), count: 2 * width, scale: scale)
    }

    /// Makes a store with `count` experts and, for a whole model, its tensors and config.
    static func make(
        _ path: String, count: Int, config: [UInt8]? = nil,
        tensors: [(name: String, dimensions: [Int], values: [Float])] = []
    ) throws {
        try SnapshotStore.create(at: path)
        let snapshots = try SnapshotStore.open(path)
        var draft = try CommitDraft(
            snapshots, tree: Tree(architecture: config == nil ? "benchmark" : "peer-lm"))
        let parts = [TensorShape(.f32, [width]), TensorShape(.f32, [width])]
        let header = try ObjectHeader(.neuron, parts)
        var ids: [ObjectID] = []
        var places: [Placement] = []
        for start in stride(from: 0, to: count, by: 4096) {
            let block = concurrentMap(min(4096, count - start), grain: 64) { index in
                let values = expert(start + index)
                return unsafe (header.id(of: values.span.bytes), values)
            }
            for (id, values) in block {
                unsafe places.append(try draft.put(id, header, values.span.bytes))
                ids.append(id)
            }
        }
        var router: [String: StoredTensor] = [:]
        for (name, dimensions, values) in tensors {
            let stored = try unsafe draft.putTensor(
                TensorShape(.f32, dimensions), values.span.bytes)
            if name.contains(".peer.") {
                router[name] = stored
            } else {
                draft.tree.trunk.tensors[name] = stored
            }
        }
        if let config { draft.tree.files["config.json"] = try draft.put(.file, config) }
        let cohort = Cohort(
            kind: .neuron, parts: parts, count: UInt64(count),
            experts: draft.putExperts(ids, places: places), routerKind: .productKey, router: router)
        draft.tree.layers[0] = Layer(cohorts: [Cohort.base: cohort])
        let note = CommitNote(time: 1_790_000_000, author: "benchmark", message: "base")
        _ = try draft.commit(to: "main", parents: [], note: note)
    }

    /// Config and weights of the model on main.
    static func weights(
        _ path: String, limit: Int? = nil
    ) throws -> (PeerConfig, SnapshotWeights) {
        let snapshot = try map(path)
        guard let file = snapshot.tree.files["config.json"] else {
            throw Failure("\(path) has no config.json")
        }
        let config = try PeerConfig(json: try snapshot.object(file).payload.copy())
        return (config, SnapshotWeights(snapshot, residency: Residency(limit: limit)))
    }

    /// Maps the snapshot on main.
    static func map(_ path: String) throws -> MappedSnapshot {
        let snapshots = try SnapshotStore.open(path)
        return try snapshots.map(try snapshots.resolve("main"))
    }
}
