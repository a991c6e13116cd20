package import Elements
package import Objects
package import Snapshots

/// The experts that a cohort has in a layer, as a store keeps them.
package struct CohortPool {
    package let layer: Int
    package let cohort: String
    package let kind: ObjectKind
    package let parts: [TensorShape]
    package let routerKind: RouterKind
    /// Each one's parts, one behind the other.
    package let experts: [[UInt8]]

    package init(
        layer: Int, cohort: String, kind: ObjectKind, parts: [TensorShape], routerKind: RouterKind,
        experts: [[UInt8]]
    ) {
        self.layer = layer
        self.cohort = cohort
        self.kind = kind
        self.parts = parts
        self.routerKind = routerKind
        self.experts = experts
    }
}

extension ModelPatch {
    /// Puts the tensors of a cohort into the trunk, new ones and those that it has.
    package mutating func put(
        _ tensors: [(name: String, shape: TensorShape, bytes: [UInt8])]
    ) throws {
        for tensor in tensors {
            draft.tree.trunk.tensors[tensor.name] = try draft.putTensor(
                tensor.shape, tensor.bytes.raw)
        }
    }

    /// Puts a cohort's own experts into a layer, with the tensors that route to them.
    ///
    /// - Parameters:
    ///   - experts: Each one's parts, one behind the other.
    ///   - router: By name.
    package mutating func put(
        _ pool: CohortPool, router: [(name: String, shape: TensorShape, bytes: [UInt8])]
    ) throws {
        let header = try ObjectHeader(pool.kind, pool.parts)
        draft.reserve(pool.experts.count)
        var ids: [ObjectID] = []
        ids.reserveCapacity(pool.experts.count)
        for expert in pool.experts { ids.append(try draft.put(header, expert.raw)) }
        var tensors: [String: StoredTensor] = [:]
        for tensor in router {
            tensors[tensor.name] = try draft.putTensor(tensor.shape, tensor.bytes.raw)
        }
        let cohort = Cohort(
            kind: pool.kind, parts: pool.parts, count: UInt64(ids.count),
            experts: draft.putExperts(ids), routerKind: pool.routerKind, router: tensors)
        draft.tree.layers[UInt32(pool.layer), default: Layer()].cohorts[pool.cohort] = cohort
    }

    /// Checks by ids that nothing changed but a cohort's own tensors and experts.
    ///
    /// - Throws: `corrupt`: a round must never change what is frozen.
    package func checkFrozen(exceptCohort name: String, _ own: Set<String>) throws {
        func others(_ tree: Tree) -> [UInt32: [String: Cohort]] {
            tree.layers.mapValues { $0.cohorts.filter { $0.key != name } }
                .filter { !$0.value.isEmpty }
        }
        let trunk = before.trunk.tensors.filter { !own.contains($0.key) }
        guard others(draft.tree) == others(before),
            draft.tree.trunk.tensors.filter({ !own.contains($0.key) }) == trunk,
            before.files.allSatisfy({ draft.tree.files[$0.key] == $0.value })
        else {
            throw CambiumError(
                .corrupt,
                "the round of cohort '\(name)' would have changed weights that are frozen; nothing was "
                    + "committed")
        }
    }
}
