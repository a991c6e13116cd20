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
        _ path: String, count: Int, config: String? = nil,
        tensors: [(name: String, dimensions: [Int], values: [Float])] = []
    ) throws {
        try SnapshotStore.create(at: path)
        try NeuronPool.commit(
            to: SnapshotStore.open(path), count: count,
            parts: [TensorShape(.f32, [width]), TensorShape(.f32, [width])], config: config,
            tensors: tensors
        ) { bytes(of: expert($0)) }
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
