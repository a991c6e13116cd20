internal import Architectures
internal import Elements
package import Objects
package import Snapshots

/// The tensors of the checkpoint that a tree is, and what each is put together from.
package struct CheckpointTensors {
    package let pools: [CheckpointPool]
    package let assemblies: [TensorAssembly]
    /// Those of the trunk and of routers, by name.
    package let stored: [String: StoredTensor]

    /// - Parameters:
    ///   - adapters: Whether what rounds added is among them.
    ///   - absent: Gives the ordinals of an array, by its root, that no expert has: their tensors are not there.
    /// - Throws: `corrupt` for a layout that does not fit the tree; `unsupported` for experts that it has no
    ///   place for.
    package init(
        _ tree: Tree, _ layout: Layout, adapters: Bool = true, absent: (ObjectID) throws -> [Int]
    ) throws {
        let names = adapters ? [] : Self.adapters(of: tree)
        let added = names.map { "\(AdapterTensorName.prefix)\($0)." }
        func isPart(_ name: String) -> Bool { !added.contains { name.hasPrefix($0) } }
        var stored = tree.trunk.tensors.filter { isPart($0.key) }
        var pools: [CheckpointPool] = []
        for place in layout.allPools(of: tree) where !names.contains(place.pool) {
            guard let pool = tree.layers[place.layer]?.pools[place.pool] else {
                throw CambiumError(
                    .corrupt,
                    "the layout names pool \(place.layer)/\(place.pool), which is missing")
            }
            let isStacked = place.tensors.allSatisfy(\.stacked)
            pools.append(
                try CheckpointPool(
                    place, pool, absent: isStacked ? [] : absent(pool.experts)))
        }
        for (number, layer) in tree.layers {
            for (name, pool) in layer.pools where !names.contains(name) {
                guard pools.contains(where: { $0.layer == Int(number) && $0.pool == name })
                else {
                    throw CambiumError(
                        .unsupported,
                        "pool \(number)/\(name) has no place in the checkpoint's layout, so the "
                            + "model cannot be exported whole")
                }
                stored.merge(pool.router) { $1 }
            }
        }
        self.pools = pools
        self.stored = stored
        assemblies = TensorAssembly.all(
            pools: pools,
            others: stored.sorted { isBefore($0.key, $1.key) }.map {
                TensorEntry($0.key, $0.value.shape)
            })
    }

    /// The experts of ``pools``, in place.
    ///
    /// - Throws: `corrupt` for a pool that the snapshot does not have.
    func experts(in snapshot: MappedSnapshot) throws -> [MappedExperts] {
        try pools.map { pool in
            guard let mapped = snapshot.experts(layer: UInt32(pool.layer), pool: pool.pool) else {
                throw CambiumError(
                    .corrupt,
                    "the layout names pool \(pool.layer)/\(pool.pool), which is missing")
            }
            return mapped
        }
    }

    /// The names of the adapters that rounds added, in order.
    package static func adapters(of tree: Tree) -> [String] {
        tree.trunk.tensors.keys.compactMap { AdapterTensorName.adapter(describedBy: $0) }
            .sorted(by: isBefore)
    }

    package var byteCount: Int { assemblies.reduce(0) { $0 + ($1.shape.byteCount ?? 0) } }
}
