internal import Elements
internal import Objects
internal import Snapshots

extension Patch {
    /// Puts the tensors of a cohort into the trunk, new ones and those that it has.
    ///
    /// - Parameter store: Keeps the layout, which lists the tensors of each file.
    mutating func put(
        _ tensors: [(name: String, shape: TensorShape, bytes: [UInt8])], _ store: Store
    ) throws(StoreError) {
        var added: [String] = []
        for tensor in tensors {
            if draft.tree.trunk.tensors[tensor.name] == nil { added.append(tensor.name) }
            draft.tree.trunk.tensors[tensor.name] = try carrying { () throws(SnapshotError) in
                try draft.putTensor(tensor.shape, tensor.bytes.raw)
            }
        }
        let tree = draft.tree
        guard !added.isEmpty,
            var layout = try carrying({ () throws(SnapshotError) in
                try store.snapshots.layout(of: tree)
            }), let last = layout.files.indices.last, layout.files.count > 1
        else { return }
        layout.files[last].tensors += added
        draft.tree.layout = try carrying { () throws(SnapshotError) in
            try draft.put(.layout, layout.encoded)
        }
    }

    /// Checks by ids that nothing changed but a cohort's own tensors.
    ///
    /// - Throws: `corrupt`: a round must never change what is frozen.
    func checkFrozen(exceptCohort name: String, _ own: Set<String>) throws(StoreError) {
        let trunk = before.trunk.tensors.filter { !own.contains($0.key) }
        guard draft.tree.layers == before.layers,
            draft.tree.trunk.tensors.filter({ !own.contains($0.key) }) == trunk,
            before.files.allSatisfy({ draft.tree.files[$0.key] == $0.value })
        else {
            throw StoreError(
                .corrupt,
                "the round of cohort '\(name)' would have changed weights that are frozen; nothing was "
                    + "committed")
        }
    }
}
