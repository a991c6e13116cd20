internal import Architectures
internal import Elements
internal import Objects
internal import Snapshots

/// The hashed experts of `peer-lm`: one table of rows in a layer, and of quantised ones their scales.
///
/// A row of zeros is an expert that is not there.
struct HashLayout {
    private struct Layer {
        let prefix: Substring
        var rows: TensorShape?
        var scale: TensorShape?
    }

    private var layers: [Int: Layer] = [:]

    init(_ tensors: [TensorEntry]) {
        for tensor in tensors {
            guard let name = LayerName(tensor.name), name.rest.hasPrefix(PeerNames.rows) else {
                continue
            }
            switch name.rest.dropFirst(PeerNames.rows.count) {
            case "": layers[name.layer, default: Layer(prefix: name.prefix)].rows = tensor.shape
            case PeerNames.scale:
                layers[name.layer, default: Layer(prefix: name.prefix)].scale = tensor.shape
            default: continue
            }
        }
    }

    /// - Parameter config: Of the model; nil for an adapter's rows, whose sizes its description has.
    /// - Throws: `.missingTensor` or `.badConfig`.
    func pools(_ config: CheckpointConfig?) throws -> [CheckpointPool] {
        let stated = try config?.hashSizes()
        if config != nil {
            let listed = stated?.layers ?? []
            for layer in listed where layers[layer]?.rows == nil {
                throw CambiumError(
                    .missingTensor,
                    "config.json lists \(layer) in hash.layers, but there is no tensor "
                        + "model.layers.\(layer).\(PeerNames.rows)")
            }
            for layer in layers.keys.sorted() where !listed.contains(layer) {
                throw CambiumError(
                    .badConfig,
                    "layer \(layer) has hashed rows, but hash.layers of config.json is \(listed)")
            }
        }
        return try layers.sorted { $0.key < $1.key }.map { number, layer in
            try pool(number, layer, expected: stated?.rows)
        }
    }

    private func pool(_ number: Int, _ layer: Layer, expected: Int?) throws -> CheckpointPool {
        let name = layer.prefix + PeerNames.rows
        guard let rows = layer.rows else {
            throw CambiumError(
                .missingTensor, "there is \(name)\(PeerNames.scale), but no tensor \(name)")
        }
        guard rows.dimensions.count == 2, rows.dimensions[0] > 0,
            expected ?? rows.dimensions[0] == rows.dimensions[0]
        else {
            throw CambiumError(
                .badConfig,
                "\(name) is \(rows); \(expected.map { "config.json says [\($0), width]" } ?? "it is expected to be [rows, width]")"
            )
        }
        let count = rows.dimensions[0]
        var tensors = [
            try PoolTensor(
                template: String(name), stacked: true,
                slice: TensorShape(rows.type, [rows.dimensions[1]]))
        ]
        if let scale = layer.scale {
            guard scale == TensorShape(.f32, [count]) else {
                throw CambiumError(
                    .badConfig,
                    "\(name)\(PeerNames.scale) is \(scale); it is expected to be F32 [\(count)]")
            }
            tensors.append(
                try PoolTensor(
                    template: name + PeerNames.scale, stacked: true, slice: TensorShape(.f32, [])))
        }
        return CheckpointPool(
            layer: number, kind: .row, expertCount: count, tensors: tensors, routerKind: .hash,
            routerTensors: [])
    }
}
