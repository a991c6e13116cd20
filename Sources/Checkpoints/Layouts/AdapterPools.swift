internal import Architectures
internal import Elements
internal import Snapshots

/// The experts that adapters of a `peer-lm` model have of their own: in tensors named as a model's, behind
/// `cohorts.NAME.`, where the tensor `cohorts.NAME.cohort` says what the adapter is.
enum AdapterPools {
    private static let prefix = AdapterTensorName.prefix

    /// - Throws: `.missingTensor`, `.badConfig` or `.unsupported`.
    static func pools(_ tensors: [TensorEntry]) throws -> [CheckpointPool] {
        // The longest first: a name may have dots, and one may begin as another ends.
        let names = tensors.compactMap { AdapterTensorName.adapter(describedBy: $0.name) }
            .sorted { (left: String, right: String) in
                let (leftSize, rightSize) = (left.utf8.count, right.utf8.count)
                return leftSize == rightSize ? isBefore(left, right) : leftSize > rightSize
            }
        var own: [String: [TensorEntry]] = [:]
        for tensor in tensors where tensor.name.hasPrefix(prefix) {
            let rest = tensor.name.dropFirst(prefix.count)
            guard let name = names.first(where: { rest.hasPrefix($0 + ".model.") }) else {
                continue
            }
            own[name, default: []].append(
                TensorEntry(String(rest.dropFirst(name.count + 1)), tensor.shape))
        }
        var pools: [CheckpointPool] = []
        for (name, tensors) in own.sorted(by: { isBefore($0.key, $1.key) }) {
            guard name != ExpertPool.base else {
                throw CambiumError(
                    .unsupported,
                    "the tensors \(prefix)\(name).… are of an adapter named as the model's own experts; rename "
                        + "it in the file")
            }
            // Deltas of a base's router come in tensors of such names too, but without experts.
            let neurons = tensors.contains { $0.name.hasSuffix("." + PeerNames.down) }
            let matrices = tensors.contains { $0.name.contains(".mlp.experts.") }
            var found = neurons ? try PeerLayout(tensors).pools(nil) : []
            if matrices { found += try TransformersLayout(tensors, opaque: false).pools(nil) }
            found += try HashLayout(tensors).pools(nil)
            for pool in found { pools.append(try pool.named(name, prefix + name + ".")) }
        }
        return pools
    }
}

extension CheckpointPool {
    /// The same experts as an adapter's, in tensors whose names begin with `prefix`.
    fileprivate func named(_ adapter: String, _ prefix: String) throws
        -> CheckpointPool
    {
        var renamed: [PoolTensor] = []
        for tensor in tensors {
            renamed.append(
                try PoolTensor(
                    template: prefix + tensor.template, stacked: tensor.stacked,
                    slice: TensorShape(tensor.type, tensor.sliceDimensions), parts: tensor.parts))
        }
        return CheckpointPool(
            layer: layer, pool: adapter, kind: kind, expertCount: expertCount, tensors: renamed,
            routerKind: routerKind, routerTensors: routerTensors.map { prefix + $0 })
    }
}
