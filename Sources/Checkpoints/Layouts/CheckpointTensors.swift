internal import Architectures
internal import Elements
package import Snapshots

/// The tensors of the checkpoint that a tree is, and what each is put together from.
package struct CheckpointTensors {
    package let pools: [ExpertPool]
    package let assemblies: [TensorAssembly]
    /// Those of the trunk and of routers, by name.
    package let stored: [String: StoredTensor]

    /// - Parameter cohorts: Whether what rounds added is among them.
    /// - Throws: `corrupt` for a layout that does not fit the tree; `unsupported` for experts that it has no
    ///   place for.
    package init(_ tree: Tree, _ layout: Layout, cohorts: Bool = true) throws {
        let added = cohorts ? [] : Self.cohorts(of: tree).map { "\(CohortTensorName.prefix)\($0)." }
        func isPart(_ name: String) -> Bool { !added.contains { name.hasPrefix($0) } }
        var stored = tree.trunk.tensors.filter { isPart($0.key) }
        var pools: [ExpertPool] = []
        for pool in layout.allPools(of: tree) where cohorts || pool.cohort == Cohort.base {
            guard let cohort = tree.layers[pool.layer]?.cohorts[pool.cohort] else {
                throw CambiumError(
                    .corrupt,
                    "the layout names cohort \(pool.layer)/\(pool.cohort), which is missing")
            }
            pools.append(try ExpertPool(pool, cohort))
        }
        for (number, layer) in tree.layers {
            for (name, cohort) in layer.cohorts where cohorts || name == Cohort.base {
                guard pools.contains(where: { $0.layer == Int(number) && $0.cohort == name })
                else {
                    throw CambiumError(
                        .unsupported,
                        "cohort \(number)/\(name) has no place in the checkpoint's layout, so the "
                            + "model cannot be exported whole")
                }
                stored.merge(cohort.router) { $1 }
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

    /// The names of the cohorts that rounds added, in order.
    package static func cohorts(of tree: Tree) -> [String] {
        tree.trunk.tensors.keys.compactMap { CohortTensorName.cohort(describedBy: $0) }
            .sorted(by: isBefore)
    }

    package var byteCount: Int { assemblies.reduce(0) { $0 + ($1.shape.byteCount ?? 0) } }
}
