internal import Architectures
internal import Elements
internal import Objects
internal import Snapshots

/// The experts of `peer-lm`: pools of single neurons below product keys or a tree, two stacked tables per layer.
struct PeerLayout {
    private struct Layer {
        var prefix: Substring = ""
        var shapes: [String: TensorShape] = [:]
    }

    /// In the order in which they are read: u rows, v rows.
    private static let rows = [PeerNames.down, PeerNames.up]
    /// Of a product-key router.
    private static let keys = [PeerNames.query, PeerNames.subKeys]
    /// Of one that is solved from evidence.
    private static let digits = [PeerNames.digits, PeerNames.digitBiases]
    /// Of a quantised router: one scale per row.
    private static let scales = keys.map { $0 + PeerNames.scale }

    private var layers: [Int: Layer] = [:]

    init(_ tensors: [TensorEntry]) {
        for tensor in tensors {
            guard let name = LayerName(tensor.name) else { continue }
            let part = String(name.rest)
            guard
                Self.rows.contains(part) || Self.keys.contains(part) || Self.scales.contains(part)
                    || Self.digits.contains(part) || part.hasPrefix(PeerNames.tree)
            else { continue }
            layers[name.layer, default: Layer()].prefix = name.prefix
            layers[name.layer, default: Layer()].shapes[part] = tensor.shape
        }
    }

    /// - Parameter config: Of the model; nil for a pool's experts, whose sizes are the pool's.
    /// - Throws: `.missingTensor`, `.badConfig` or `.unsupported`.
    func pools(_ config: CheckpointConfig?) throws -> [CheckpointPool] {
        if let stated = try config?.peerLayers() {
            for layer in stated where layers[layer] == nil {
                throw CambiumError(
                    .missingTensor,
                    "config.json lists \(layer) in peer_layers, but there is no tensor "
                        + "model.layers.\(layer).\(PeerNames.down)")
            }
            for layer in layers.keys.sorted() where !stated.contains(layer) {
                throw CambiumError(
                    .badConfig,
                    "layer \(layer) has experts, but peer_layers of config.json is \(stated)")
            }
        }
        let subKeys = try config?.subKeyCount()
        var pools: [CheckpointPool] = []
        for (number, layer) in layers.sorted(by: { $0.key < $1.key }) {
            pools.append(try pool(number, layer, subKeys: subKeys))
        }
        return pools
    }

    private func pool(_ number: Int, _ layer: Layer, subKeys: Int?) throws -> CheckpointPool {
        let prefix = String(layer.prefix)
        let isTree = layer.shapes.keys.contains { $0.hasPrefix(PeerNames.tree) }
        let isSolved = Self.digits.contains { layer.shapes[$0] != nil }
        let needed = Self.rows + (isTree ? [] : isSolved ? Self.digits : Self.keys)
        var shapes: [TensorShape] = []
        for name in needed {
            guard let shape = layer.shapes[name] else {
                throw CambiumError(
                    .missingTensor,
                    "tensor \(prefix)\(name) is missing; a PEER layer has "
                        + "\(needed.map { String($0.dropFirst(PeerNames.block.count)) })")
            }
            shapes.append(shape)
        }
        let (down, up) = (shapes[0], shapes[1])
        guard down.dimensions.count == 2, up.dimensions == down.dimensions, down.dimensions[0] > 0
        else {
            throw CambiumError(
                .badConfig,
                "\(prefix)\(PeerNames.down) is \(down) and up.weight \(up); both are expected to be "
                    + "[experts, hidden]")
        }
        let others = isTree ? Self.keys + Self.digits : isSolved ? Self.keys : []
        if let other = others.first(where: { layer.shapes[$0] != nil }) {
            throw CambiumError(
                .badConfig,
                "layer \(number) has \(prefix)\(other) beside the tensors of another router; a layer has one"
            )
        }
        let router =
            isTree
            ? try treeNames(layer, prefix, experts: down.dimensions[0])
            : isSolved
                ? try digitNames(prefix, shapes[2], shapes[3], down.dimensions[0], subKeys)
                : try keyNames(layer, prefix, shapes[3], down.dimensions[0], subKeys)
        var tensors: [PoolTensor] = []
        for (name, shape) in zip(Self.rows, [down, up]) {
            let row = TensorShape(shape.type, [shape.dimensions[1]])
            tensors.append(try PoolTensor(template: prefix + name, stacked: true, slice: row))
        }
        return CheckpointPool(
            layer: number, kind: .neuron, expertCount: down.dimensions[0], tensors: tensors,
            routerKind: isTree ? .tree : .productKey, routerTensors: router)
    }

    /// The names of a product-key router's tensors, checked against the number of experts.
    private func keyNames(
        _ layer: Layer, _ prefix: String, _ keys: TensorShape, _ count: Int, _ subKeys: Int?
    ) throws -> [String] {
        guard keys.dimensions.count == 3, keys.dimensions[0] == 2,
            keys.dimensions[1] > 0, count / keys.dimensions[1] == keys.dimensions[1],
            count % keys.dimensions[1] == 0
        else {
            throw CambiumError(
                .badConfig,
                "\(prefix)\(PeerNames.subKeys) is \(keys), but \(count) experts in down.weight take "
                    + "[2, square root of \(count), key size / 2]")
        }
        if let subKeys, subKeys != keys.dimensions[1] {
            throw CambiumError(
                .badConfig,
                "config.json says peer.sub_keys is \(subKeys), but \(prefix)\(PeerNames.subKeys) is \(keys)"
            )
        }
        return Self.keys.map { prefix + $0 }
            + Self.scales.filter { layer.shapes[$0] != nil }.map { prefix + $0 }
    }

    /// The names of a solved product-key router's tensors, checked against the number of experts.
    private func digitNames(
        _ prefix: String, _ weights: TensorShape, _ biases: TensorShape, _ count: Int,
        _ subKeys: Int?
    ) throws -> [String] {
        let side = Int(Double(count).squareRoot().rounded())
        guard weights.dimensions.count == 2, side * side == count, weights.dimensions[0] > 0,
            weights.dimensions[0] % (2 * side) == 0,
            biases.dimensions == [weights.dimensions[0]], subKeys == nil || subKeys == side
        else {
            throw CambiumError(
                .badConfig,
                "\(prefix)\(PeerNames.digits) is \(weights) and its bias \(biases), but \(count) experts in "
                    + "down.weight take [2 heads x square root of \(count), hidden] and a bias for each row"
            )
        }
        return Self.digits.map { prefix + $0 }
    }

    /// The names of a tree's levels, which are numbered from 0; the last has a key for each expert.
    private func treeNames(_ layer: Layer, _ prefix: String, experts: Int) throws -> [String] {
        let levels = layer.shapes.keys.count {
            $0.hasPrefix(PeerNames.tree) && !$0.hasSuffix(PeerNames.bias)
        }
        var names: [String] = []
        for level in 0..<levels {
            guard let shape = layer.shapes["\(PeerNames.tree)\(level)"] else {
                throw CambiumError(
                    .missingTensor,
                    "tensor \(prefix)\(PeerNames.tree)\(level) is missing, one of \(levels) levels of a tree"
                )
            }
            guard shape.dimensions.count == 2, level < levels - 1 || shape.dimensions[0] == experts
            else {
                throw CambiumError(
                    .badConfig,
                    "\(prefix)\(PeerNames.tree)\(level) is \(shape); a tree's last level has a key for each of "
                        + "the \(experts) experts in down.weight")
            }
            names.append("\(prefix)\(PeerNames.tree)\(level)")
            let bias = "\(PeerNames.tree)\(level)\(PeerNames.bias)"
            guard let biases = layer.shapes[bias] else { continue }
            guard biases.dimensions == [shape.dimensions[0]] else {
                throw CambiumError(
                    .badConfig,
                    "\(prefix)\(bias) is \(biases); a level of \(shape) has one for each key")
            }
            names.append(prefix + bias)
        }
        return names
    }
}
