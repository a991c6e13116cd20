internal import Architectures
internal import Elements
internal import Snapshots

/// The experts of the transformers library's models, in either of its two forms, layer by layer.
///
/// *Separate*: `…mlp.experts.E.{gate,up,down}_proj.weight` (Mixtral: `block_sparse_moe`, `w1`, `w3`,
/// `w2`). *Stacked* ("fused"): `…mlp.experts.gate_up_proj` [E, 2I, H], gate rows first, and
/// `…mlp.experts.down_proj` [E, H, I] (Granite: `block_sparse_moe.input_linear.weight`, `output_linear.weight`). GPT-OSS is always stacked, transposed and interleaved, and so
/// *opaque*: its tensors are kept as they are. So are experts with further tensors, such as the
/// blocks and scales of quantised ones. (transformers 5.23)
struct TransformersLayout {
    /// What one layer has.
    struct Layer {
        /// The layer and the block in it: `model.layers.3.mlp.`.
        var block: String
        /// By the part of the name after the expert's number.
        var separate: [String: [(expert: Int, shape: TensorShape)]] = [:]
        /// By the part of the name after ``stackedPrefix``.
        var stacked: [String: TensorShape] = [:]
        /// What stands between the block and stacked tensors.
        var stackedPrefix = ExpertNames.experts
        /// By the part of the name after the block.
        var routers: [String: TensorShape] = [:]
    }

    private var layers: [Int: Layer] = [:]
    private let opaque: Bool

    /// - Throws: `.badConfig` when a layer has two blocks with experts.
    init(_ tensors: [TensorEntry], opaque: Bool) throws {
        self.opaque = opaque
        for tensor in tensors {
            guard let name = LayerName(tensor.name),
                let block = ExpertNames.blocks.first(where: { name.rest.hasPrefix($0) })
            else { continue }
            let rest = name.rest.dropFirst(block.count)
            let isRouter = ExpertNames.routers.contains(String(rest))
            let isBeside = ExpertNames.stackedBeside.contains(String(rest))
            guard isRouter || isBeside || rest.hasPrefix(ExpertNames.experts) else { continue }
            let prefix = String(name.prefix) + block
            var layer = layers.removeValue(forKey: name.layer) ?? Layer(block: prefix)
            guard layer.block == prefix else {
                throw CambiumError(
                    .badConfig,
                    "layer \(name.layer) has experts or routers both under \(layer.block) and "
                        + "\(prefix); one is expected")
            }
            if isRouter {
                layer.routers[String(rest)] = tensor.shape
            } else if isBeside {
                layer.stackedPrefix = ""
                layer.stacked[String(rest)] = tensor.shape
            } else {
                layer.addExpert(rest.dropFirst(ExpertNames.experts.count), tensor.shape)
            }
            layers[name.layer] = layer
        }
    }

    /// - Parameter config: Of the model; nil for a pool's experts, whose number is the pool's.
    /// - Throws: `.missingTensor`, `.badConfig` or `.unsupported`.
    func pools(_ config: CheckpointConfig?) throws -> [CheckpointPool] {
        let stated = try config?.expertCount()
        var pools: [CheckpointPool] = []
        for (number, layer) in layers.sorted(by: { $0.key < $1.key }) {
            pools.append(try pool(number, layer, stated))
        }
        return pools
    }

    private func pool(
        _ number: Int, _ layer: Layer, _ stated: (key: String, value: Int)?
    ) throws -> CheckpointPool {
        guard layer.separate.isEmpty || layer.stacked.isEmpty else {
            throw CambiumError(
                .badConfig,
                "layer \(number) has experts both stacked (\(layer.block)\(layer.stackedPrefix)"
                    + "\(layer.stacked.keys.sorted()[0])) and in tensors of their own; one form is "
                    + "expected in a layer")
        }
        let found =
            layer.separate.isEmpty
            ? try layer.stackedExperts(expected: stated?.value, opaque: opaque)
            : try layer.separateExperts(expected: stated?.value, opaque: opaque)
        if let stated, stated.value != found.count {
            throw CambiumError(
                .badConfig,
                "config.json says \(stated.key) is \(stated.value), but layer \(number) has "
                    + "\(found.count) experts under \(layer.block)experts")
        }
        return CheckpointPool(
            layer: number, kind: found.kind, expertCount: found.count, tensors: found.tensors,
            routerKind: .linear, routerTensors: try layer.routerTensors(experts: found.count))
    }
}

extension TransformersLayout.Layer {
    /// Takes in a tensor under `experts.`.
    fileprivate mutating func addExpert(_ rest: Substring, _ shape: TensorShape) {
        if let dot = rest.utf8.firstIndex(of: UInt8(ascii: ".")), let expert = ordinal(rest[..<dot])
        {
            let part = String(rest[rest.utf8.index(after: dot)...])
            separate[part, default: []].append((expert, shape))
        } else {
            stacked[String(rest)] = shape
        }
    }

    /// The names of the tensors that route, each checked to have one row for each expert.
    fileprivate func routerTensors(experts: Int) throws -> [String] {
        guard ExpertNames.routerWeights.contains(where: { routers[$0] != nil }) else {
            let names = ExpertNames.routerWeights.map { block + $0 }.joined(separator: " nor ")
            throw CambiumError(
                .missingTensor,
                "there are experts under \(block)experts, but no router: neither \(names)")
        }
        var names: [String] = []
        for name in ExpertNames.routers {
            guard let shape = routers[name] else { continue }
            // One for each, or one row of all (ERNIE).
            guard shape.dimensions.first == experts || shape.dimensions == [1, experts] else {
                throw CambiumError(
                    .badConfig,
                    "tensor \(block)\(name) is \(shape), but there are \(experts) experts")
            }
            names.append(block + name)
        }
        return names
    }
}
