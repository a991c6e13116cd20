internal import Architectures
internal import Elements
internal import Files
internal import Models
internal import Objects
internal import Snapshots

/// Making a model of a tree, to see whether it can be made.
struct Opening {
    private let tree: Tree
    private let file: (String) -> [UInt8]?

    /// - Parameter file: Its bytes; nil for one that the tree does not have, or that is not at hand.
    init(_ tree: Tree, file: @escaping (String) -> [UInt8]?) {
        self.tree = tree
        self.file = file
    }

    /// Why no model can be made of the weights; nil when one can, or when that cannot be told.
    func failure(_ weights: some WeightSource) -> String? {
        guard ModelDescription.isKnown(tree.architecture), let config = file("config.json") else {
            return nil
        }
        do {
            let description = try ModelDescription(
                architecture: tree.architecture, json: config,
                generation: file("generation_config.json"))
            _ = try LanguageModel(description, source: weights)
            return nil
        } catch {
            return "\(error)"
        }
    }
}

/// What decides whether a model can be opened, without its numbers.
struct Outline: Equatable {
    struct Pool: Equatable {
        let kind: ObjectKind
        let parts: [TensorShape]
        let count: UInt64
        let router: [String: TensorShape]
    }

    let files: [ObjectID?]
    let trunk: [String: TensorShape]
    let pools: [UInt32: [String: Pool]]

    init(_ tree: Tree) {
        files = ["config.json", "generation_config.json"].map { tree.files[$0] }
        trunk = tree.trunk.tensors.mapValues(\.shape)
        pools = tree.layers.mapValues { layer in
            layer.pools.mapValues {
                Pool(
                    kind: $0.kind, parts: $0.parts, count: $0.count,
                    router: $0.router.mapValues(\.shape))
            }
        }
    }
}

/// The weights of a checkpoint where they are mapped, to see whether a model can be made of them.
struct CheckpointWeights: WeightSource {
    private let checkpoint: Checkpoint
    private let tree: Tree

    init(_ checkpoint: Checkpoint, _ tree: Tree) {
        self.checkpoint = checkpoint
        self.tree = tree
    }

    func tensor(_ name: String) throws -> Weights {
        guard let found = checkpoint.tensor(named: name) else {
            throw CambiumError(.missingTensor, "the checkpoint has no tensor \(name)")
        }
        return Weights(shape: found.shape, bytes: found.bytes)
    }

    var inventory: WeightInventory? { WeightInventory(tree) }

    func experts(layer: Int) throws -> any ExpertTable {
        guard let own = tree.layers[UInt32(clamping: layer)]?.pools[ExpertPool.base] else {
            throw CambiumError(.missingTensor, "the checkpoint has no experts in layer \(layer)")
        }
        return UnreadExperts(parts: own.parts, count: Int(clamping: own.count))
    }
}

/// Zeros in the shapes of a tree's tensors, which may be in no store yet.
struct OutlineWeights: WeightSource {
    private let tree: Tree
    private let tensors: [String: StoredTensor]

    init(_ tree: Tree) {
        self.tree = tree
        tensors = tree.tensors
    }

    func tensor(_ name: String) throws -> Weights {
        guard let entry = tensors[name], let count = entry.shape.byteCount else {
            throw CambiumError(.missingTensor, "the model has no tensor \(name)")
        }
        return Weights(shape: entry.shape, bytes: MappedBytes(count: count) { _ in })
    }

    var inventory: WeightInventory? { WeightInventory(tree) }

    /// By their names: the same content has the same.
    func isSame(_ one: String, _ other: String) throws -> Bool {
        guard let one = tensors[one], let other = tensors[other] else { return false }
        return one == other
    }

    func experts(layer: Int) throws -> any ExpertTable {
        guard let own = tree.layers[UInt32(clamping: layer)]?.pools[ExpertPool.base] else {
            throw CambiumError(.missingTensor, "the model has no experts in layer \(layer)")
        }
        return UnreadExperts(parts: own.parts, count: Int(clamping: own.count))
    }
}

/// Experts of which only the sizes are asked for.
private final class UnreadExperts: ExpertTable {
    let parts: [TensorShape]
    let count: Int

    init(parts: [TensorShape], count: Int) {
        self.parts = parts
        self.count = count
    }

    func find(_ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses) throws {
        throw CambiumError(.unsupported, "experts of which only the sizes are known are not run")
    }
}
