internal import Architectures
internal import Elements
internal import Objects
package import Snapshots

// Between the words of checkpoints and those of the store.

extension CheckpointPool {
    /// The pool that a stored layout and pool describe.
    ///
    /// - Parameter absent: Ordinals that no expert has; of stacked experts they do not matter.
    package init(_ stored: Layout.Pool, _ pool: ExpertPool, absent: [Int] = []) throws {
        var rest = pool.parts[...]
        var tensors: [PoolTensor] = []
        for tensor in stored.tensors {
            let parts = Array(rest.prefix(tensor.partCount))
            rest = rest.dropFirst(parts.count)
            guard let first = parts.first else {
                throw CambiumError(
                    .corrupt, "the layout of layer \(stored.layer) does not fit its experts")
            }
            let slice = TensorShape(first.type, tensor.slice)
            guard slice.byteCount == parts.reduce(0, { $0 + ($1.byteCount ?? 0) }) else {
                throw CambiumError(
                    .corrupt, "the layout of layer \(stored.layer) does not fit its experts")
            }
            tensors.append(
                try PoolTensor(
                    template: tensor.template, stacked: tensor.stacked, slice: slice,
                    parts: parts))
        }
        self.init(
            layer: Int(stored.layer), pool: stored.pool, kind: pool.kind,
            expertCount: Int(clamping: pool.count), absent: absent, tensors: tensors,
            routerKind: pool.routerKind,
            routerTensors: pool.router.keys.sorted(by: isBefore))
    }
}

extension Layout {
    /// Bytes of headers that a layout keeps beyond what names, shapes and metadata say.
    package static let greatestSplices = 256 << 20

    /// What the store keeps of the layout, so that the checkpoint can be written back as it was.
    package init(
        _ checkpoint: Checkpoint, _ layout: CheckpointLayout, limit: Int = greatestSplices,
        _ notes: inout [String]
    ) throws {
        var files: [File] = []
        var room = limit
        for (number, file) in checkpoint.files.enumerated() {
            let metadata = file.content.header.metadata.map { metadata in
                Dictionary(metadata.entries.map { ($0.key, $0.value) }) { $1 }
            }
            let form = try file.content.form()
            var splice = form.splice.map(Splice.init)
            room -= splice?.middle.count ?? 0
            if splice != nil, room < 0 {
                notes.append(
                    "\(file.name): its header is not kept byte for byte, as the headers of this model differ "
                        + "from plain ones by more than \(limit) bytes; an export writes a plain one"
                )
                splice = nil
            }
            let isListed = checkpoint.files.count > 1 || !form.isInFileOrder
            files.append(
                File(
                    name: file.name, metadata: metadata,
                    tensors: isListed
                        ? checkpoint.tensors.filter { $0.file == number }.map(\.name) : [],
                    splice: splice))
        }
        // Those of adapters have places that follow from their names (`allPools`).
        let pools = layout.pools.filter { pool in
            pool.pool == ExpertPool.base
                || checkpoint.tensor(named: AdapterTensorName.description(of: pool.pool)) == nil
        }.map(Pool.init)
        self.init(files: files, pools: pools)
    }
}

extension Layout.Pool {
    package init(_ pool: CheckpointPool) {
        self.init(
            layer: UInt32(pool.layer), pool: pool.pool,
            tensors: pool.tensors.map {
                Layout.PoolTensor(
                    template: $0.template, stacked: $0.stacked, slice: $0.sliceDimensions,
                    partCount: $0.parts.count)
            })
    }
}

extension Layout.Splice {
    init(_ splice: HeaderSplice) {
        // A header has at most 100,000,000 bytes.
        self.init(
            prefix: UInt32(clamping: splice.prefix), suffix: UInt32(clamping: splice.suffix),
            middle: splice.middle)
    }
}

extension HeaderSplice {
    package init(_ splice: Layout.Splice) {
        self.init(prefix: Int(splice.prefix), suffix: Int(splice.suffix), middle: splice.middle)
    }
}

extension Layout {
    /// The layout of rows that have the parts of a tree's: of codes the scales are in a tensor beside.
    func fittingRows(of tree: Tree) throws -> Layout {
        var layout = self
        for (index, place) in pools.enumerated() {
            guard let pool = tree.layers[place.layer]?.pools[place.pool], pool.kind == .row,
                let name = place.tensors.first?.template
            else { continue }
            layout.pools[index] = Pool(
                layer: place.layer, pool: place.pool,
                tensors: zip([name, name + PeerNames.scale], pool.parts).map {
                    PoolTensor(
                        template: $0, stacked: true, slice: $1.dimensions, partCount: 1)
                })
        }
        return layout
    }

    /// The pools that the layout lists, and those of adapters that training added.
    ///
    /// Their experts are in tensors named as a model's, behind `cohorts.NAME.`; no layout lists them, so that
    /// rounds on two branches leave it alone.
    package func allPools(of tree: Tree) -> [Layout.Pool] {
        var all = pools
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            for (name, pool) in layer.pools.sorted(by: { isBefore($0.key, $1.key) })
            where tree.trunk.tensors[AdapterTensorName.description(of: name)] != nil
                && !pools.contains(where: { $0.layer == number && $0.pool == name })
            {
                let prefix = AdapterTensorName.prefix(of: name) + "model.layers.\(number)."
                let names =
                    switch pool.kind {
                    case .neuron: [PeerNames.down, PeerNames.up]
                    case .row: [PeerNames.rows, PeerNames.rows + PeerNames.scale]
                    default:
                        ExpertNames.gated.map {
                            "mlp.experts.\(Checkpoints.PoolTensor.placeholder).\($0)"
                        }
                    }
                all.append(
                    Pool(
                        layer: number, pool: name,
                        tensors: zip(names, pool.parts).map {
                            PoolTensor(
                                template: prefix + $0,
                                stacked: pool.kind == .neuron || pool.kind == .row,
                                slice: $1.dimensions,
                                partCount: 1)
                        }))
            }
        }
        return all
    }
}
