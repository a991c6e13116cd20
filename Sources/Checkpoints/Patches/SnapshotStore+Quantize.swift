internal import Architectures
internal import Elements
internal import Objects
package import Snapshots
internal import Tensors

extension SnapshotStore {
    /// Commits a branch's model with its product-key routers quantised: each row of a query projection or of
    /// sub-keys becomes int8 with one fp32 scale, its greatest magnitude / 127, in a tensor beside it.
    ///
    /// - Parameter layers: Only these; nil for all.
    /// - Throws: `.notFound` without a model or such a layer, `.unsupported` when there are only other routers, and
    ///   for NaN or infinity in a router.
    package func quantizeRouters(
        _ request: CommitRequest, layers: [Int]?
    ) throws -> CommittedModel {
        let target = try CommitTarget(request, self)
        let (parent, before) = try target.model()
        let snapshot = try map(parent)
        var draft = try CommitDraft(self, tree: before)
        for layer in layers ?? [] where UInt32(exactly: layer).flatMap({ before.layers[$0] }) == nil
        {
            throw CambiumError(.notFound, "the model has no expert layer \(layer)")
        }
        let chosen = before.layers.filter { layers?.contains(Int($0.key)) ?? true }
        let kinds = Set(chosen.values.flatMap { $0.pools.values.map(\.routerKind) })
        guard kinds.isEmpty || kinds.contains(.productKey) else {
            throw CambiumError(
                .unsupported,
                "the routers are \(kinds.map(\.name).sorted().joined(separator: " and ")); this version "
                    + "quantises product keys only")
        }
        for (number, layer) in chosen.sorted(by: { $0.key < $1.key }) {
            for (name, pool) in layer.pools.sorted(by: { isBefore($0.key, $1.key) })
            where pool.routerKind == .productKey {
                if pool.router.keys.contains(where: { $0.hasSuffix(PeerNames.digits) }) {
                    throw CambiumError(
                        .unsupported,
                        "the router of layer \(number) is solved from evidence, which gives floats; it stays "
                            + "as it is: name the other layers (--layer)")
                }
                for (tensor, entry) in pool.router
                where entry.shape.isQuantisable && !tensor.hasSuffix(PeerNames.scale) {
                    let bytes = try snapshot.checked(entry.id).payload
                    let (values, scales) = try Self.quantised(tensor, entry.shape, bytes)
                    let scale = tensor + PeerNames.scale
                    let rows = try draft.putTensor(
                        TensorShape(.i8, entry.shape.dimensions), values.raw)
                    let rowScales = try draft.putTensor(
                        TensorShape(.f32, entry.shape.dimensions.dropLast()), scales.raw)
                    draft.tree.layers[number]?.pools[name]?.router[tensor] = rows
                    draft.tree.layers[number]?.pools[name]?.router[scale] = rowScales
                }
            }
        }
        return try target.commit(fitting: draft, request)
    }

    /// The rows' bytes and the scales' bytes.
    private static func quantised(
        _ name: String, _ shape: TensorShape, _ bytes: MappedBytes
    ) throws -> (values: [UInt8], scales: [UInt8]) {
        let columns = shape.dimensions[shape.dimensions.count - 1]
        let rows = shape.dimensions.dropLast().reduce(1, *)
        let form = QuantizedMatrix.quantize(
            Matrix(rows: rows, columns: columns, bytes: bytes, type: shape.type))
        if let row = form.scales.firstIndex(where: \.isNaN) {
            throw CambiumError(
                .unsupported, "row \(row) of \(name) holds NaN or infinity and cannot be quantised")
        }
        return (form.values.map { UInt8(bitPattern: $0) }, form.scales.littleEndianBytes)
    }
}

extension TensorShape {
    /// Rows of floats.
    fileprivate var isQuantisable: Bool {
        dimensions.count >= 2 && dimensions.allSatisfy { $0 > 0 }
            && (type == .f32 || type == .bf16 || type == .f16)
    }
}
