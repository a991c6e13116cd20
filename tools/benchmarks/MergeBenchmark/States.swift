internal import Architectures
internal import BenchmarkSupport
internal import Cambium
internal import Foundation
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Tensors

/// The integer states of texts in front of a layer's experts.
struct States {
    let inputs: RouterInputs
    let quantiser: Quantiser
    var width: Int { inputs.width }
    let config: PeerConfig

    /// Commits a checkpoint to a store of its own, which goes with the process's temporary folder.
    init(_ checkpoint: String, layer: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "merge-benchmark-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appending(path: "S").path
        try Store.create(at: path)
        let store = try Store(path)
        try store.commit(checkpoint: checkpoint, CommitOptions(message: "base"))
        let snapshots = store.snapshots
        let snapshot = try snapshots.map(try snapshots.resolve("main"))
        guard let file = snapshot.tree.files["config.json"] else {
            throw Failure("\(checkpoint) has no config.json")
        }
        config = try PeerConfig(json: try snapshot.object(file).payload.copy())
        let model = try LanguageModel(
            ModelDescription(config), source: SnapshotWeights(snapshot))
        inputs = try RouterInputs(model, layer: layer, team: ThreadTeam(count: 2))
        quantiser = try Quantiser(normWeights: inputs.normWeights)
    }

    /// The states of a text, window by window: how many tokens, and [tokens, width].
    func forEachWindow(
        of text: [UInt8], _ body: (_ tokens: Int, _ states: [Float]) throws -> Void
    ) throws {
        for start in stride(from: 0, to: text.count, by: inputs.windowLength) {
            let window = text[start..<min(start + inputs.windowLength, text.count)]
            try body(window.count, try inputs.states(of: window.map { Int($0) }[...]))
        }
    }

    /// The features of a text, [bytes, width].
    func features(_ text: [UInt8]) throws -> [Int16] {
        var features: [Int16] = []
        try forEachWindow(of: text) { features += try quantiser.features($1.span) }
        return features
    }
}
