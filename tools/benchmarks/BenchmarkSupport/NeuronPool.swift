package import Elements
internal import Objects
package import Snapshots

/// The base that benchmarks start from: a pool of neurons in layer 0.
package enum NeuronPool {
    /// Who commits, when: always the same, so that ids are.
    package static func note(_ message: String) -> CommitNote {
        CommitNote(time: 1_790_000_000, author: "benchmark", message: message)
    }

    /// Commits `count` neurons to main, after what is there, and for a whole model its config and tensors.
    ///
    /// - Parameter expert: The bytes of each.
    package static func commit(
        to store: SnapshotStore, count: Int, parts: [TensorShape], message: String = "base",
        config: String? = nil,
        tensors: [(name: String, dimensions: [Int], values: [Float])] = [],
        _ expert: @Sendable (Int) -> [UInt8]
    ) throws {
        var draft = try CommitDraft(
            store, tree: Tree(architecture: config == nil ? "benchmark" : "peer-lm"))
        let header = try ObjectHeader(.neuron, parts)
        var (ids, places) = ([ObjectID](), [Placement]())
        ids.reserveCapacity(count)
        places.reserveCapacity(count)
        for start in stride(from: 0, to: count, by: 4096) {
            let block = concurrentMap(min(4096, count - start), grain: 64) { index in
                let bytes = expert(start + index)
                return (header.id(of: bytes.raw), bytes)
            }
            for (id, bytes) in block {
                places.append(try draft.put(id, header, bytes.raw))
                ids.append(id)
            }
        }
        var router: [String: StoredTensor] = [:]
        for (name, dimensions, values) in tensors {
            let stored = try draft.putTensor(
                TensorShape(.f32, dimensions), bytes(of: values).raw)
            if name.contains(".peer.") {
                router[name] = stored
            } else {
                draft.tree.trunk.tensors[name] = stored
            }
        }
        if let config { draft.tree.files["config.json"] = try draft.put(.file, Array(config.utf8)) }
        let pool = ExpertPool(
            kind: .neuron, parts: parts, count: UInt64(count),
            experts: draft.putExperts(ids, places: places), routerKind: .productKey, router: router)
        draft.tree.layers[0] = Layer(pools: [ExpertPool.base: pool])
        let parent = try store.references().branches["main"]
        _ = try draft.commit(
            to: "main", parents: parent.map { [$0] } ?? [], note: note(message))
    }
}
