internal import Elements

/// The experts of `peer-lm`: product-key pools of single neurons, two stacked tables per layer.
struct PeerLayout {
    private struct Layer {
        var prefix: Substring = ""
        var shapes: [String: TensorShape] = [:]
    }

    /// In the order in which they are read: u rows, v rows, then the router.
    private static let names = ["down.weight", "up.weight", "query.weight", "sub_keys"]
    /// Of a quantised router: one scale per row.
    private static let scales = ["query.weight.scale", "sub_keys.scale"]

    private var layers: [Int: Layer] = [:]

    init(_ tensors: [TensorEntry]) {
        for tensor in tensors {
            guard let name = LayerName(tensor.name), name.rest.hasPrefix("peer.") else { continue }
            let part = String(name.rest.dropFirst("peer.".count))
            guard Self.names.contains(part) || Self.scales.contains(part) else { continue }
            layers[name.layer, default: Layer()].prefix = name.prefix
            layers[name.layer, default: Layer()].shapes[part] = tensor.shape
        }
    }

    /// - Parameter config: Of the model; nil for a cohort's experts, whose sizes are the cohort's.
    /// - Throws: `.missingTensor`, `.badConfig` or `.unsupported`.
    func pools(_ config: CheckpointConfig?) throws(InterchangeError) -> [ExpertPool] {
        if let stated = try config?.peerLayers() {
            for layer in stated where layers[layer] == nil {
                throw InterchangeError(
                    .missingTensor,
                    "config.json lists \(layer) in peer_layers, but there is no tensor "
                        + "model.layers.\(layer).peer.down.weight")
            }
            for layer in layers.keys.sorted() where !stated.contains(layer) {
                throw InterchangeError(
                    .badConfig,
                    "layer \(layer) has experts, but peer_layers of config.json is \(stated)")
            }
        }
        let subKeys = try config?.subKeyCount()
        var pools: [ExpertPool] = []
        for (number, layer) in layers.sorted(by: { $0.key < $1.key }) {
            pools.append(try pool(number, layer, subKeys: subKeys))
        }
        return pools
    }

    private func pool(
        _ number: Int, _ layer: Layer, subKeys: Int?
    ) throws(InterchangeError) -> ExpertPool {
        let prefix = "\(layer.prefix)peer."
        var shapes: [TensorShape] = []
        for name in Self.names {
            guard let shape = layer.shapes[name] else {
                throw InterchangeError(
                    .missingTensor,
                    "tensor \(prefix)\(name) is missing; a PEER layer has \(Self.names)")
            }
            shapes.append(shape)
        }
        let (down, up, keys) = (shapes[0], shapes[1], shapes[3])
        guard down.dimensions.count == 2, up.dimensions == down.dimensions else {
            throw InterchangeError(
                .badConfig,
                "\(prefix)down.weight is \(down) and up.weight \(up); both are expected to be "
                    + "[experts, hidden]")
        }
        let count = down.dimensions[0]
        guard count > 0, keys.dimensions.count == 3, keys.dimensions[0] == 2,
            keys.dimensions[1] > 0, count / keys.dimensions[1] == keys.dimensions[1],
            count % keys.dimensions[1] == 0
        else {
            throw InterchangeError(
                .badConfig,
                "\(prefix)sub_keys is \(keys), but \(count) experts in down.weight take "
                    + "[2, square root of \(count), key size / 2]")
        }
        if let subKeys, subKeys != keys.dimensions[1] {
            throw InterchangeError(
                .badConfig,
                "config.json says peer.sub_keys is \(subKeys), but \(prefix)sub_keys is \(keys)")
        }
        let tables = [("down.weight", down), ("up.weight", up)]
        var tensors: [PoolTensor] = []
        for (name, shape) in tables {
            let row = TensorShape(shape.type, [shape.dimensions[1]])
            tensors.append(try PoolTensor(template: prefix + name, stacked: true, slice: row))
        }
        return ExpertPool(
            layer: number, kind: .neuron, expertCount: count, tensors: tensors,
            routerKind: .productKey,
            routerTensors: ["\(prefix)query.weight", "\(prefix)sub_keys"]
                + Self.scales.filter { layer.shapes[$0] != nil }.map { prefix + $0 })
    }
}
