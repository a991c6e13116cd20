internal import Architectures
package import Checkpoints
package import Elements
internal import Evidence
internal import Models
internal import Objects
package import Snapshots
internal import Tensors

/// What recording squared gradients did.
package struct RecordedGradients {
    package let model: CommittedModel
    /// Bytes that were predicted.
    package let tokens: Int
    /// Experts with a record, and those of them that the texts picked.
    package let experts: Int
    package let picked: Int
    /// Tensors of the trunk and the routers with a record.
    package let tensors: Int
}

extension SnapshotStore {
    /// Experts of which squared gradients are recorded: each is a file of the tree.
    private static let mostRecorded = 65_536

    /// Records squared gradients of all tensors and experts of a branch's model, in place of those before.
    ///
    /// - Throws: `.usage`, `.notFound`, `.unsupported`, `.diverged`, `.branchMoved`; then nothing is committed.
    package func addSquaredGradients(
        _ texts: [[UInt8]], threads: Int, _ request: CommitRequest, progress: ProgressReporter
    ) throws -> RecordedGradients {
        try ThreadTeam.check(threads)
        for (index, text) in texts.enumerated() where text.count < 2 {
            throw CambiumError(
                .usage,
                "\(texts.count == 1 ? "the text" : "text \(index + 1)") has \(text.count) bytes; a "
                    + "gradient needs at least 2")
        }
        let target = try CommitTarget(request, self)
        let parent = try target.model().parent
        let snapshot = try map(parent)
        let config = try snapshot.peerConfig()
        let total = config.expertLayers.count * config.expertCount
        guard total <= Self.mostRecorded else {
            throw CambiumError(
                .unsupported,
                "the model has \(total) experts, and a record of each is a file of the tree, of which "
                    + "\(Self.mostRecorded) are supported; record those that a round changed with its "
                    + "commit (Patch.record)")
        }
        let model = try TrainableModel(
            config: config, source: SnapshotWeights(snapshot, checks: true))
        let found = try SquaredGradients(of: texts, under: model, threads: threads) {
            try progress(Progress("windows", $0, $1))
        }
        // The gradients are those of this very model.
        var request = request
        request.expectedParent = parent.hex
        var (experts, picked) = (0, 0)
        let committed = try commit(request) { patch in
            try patch.forgetSquaredGradients(exceptOf: Self.objects(of: snapshot))
            for entry in model.layout.entries where entry.role != .expert {
                try patch.record(
                    squaredGradients: Array(found.dense[entry.range]), ofTensor: entry.name)
            }
            let size =
                config.linear.map { 3 * $0.width * config.hiddenSize } ?? 2 * config.hiddenSize
            for (slot, layer) in config.expertLayers.enumerated() {
                guard
                    let stored = snapshot.experts(layer: UInt32(layer), pool: ExpertPool.base)
                else { continue }
                // Experts of the same bytes are one object: it minds what all of them mind.
                var sums: [ObjectID: [Float]] = [:]
                for ordinal in 0..<stored.count {
                    let id = try stored.id(ordinal)
                    guard id != .zero else { continue }
                    experts += 1
                    let known =
                        model.layout.expert(ordinal, layer: layer).map { Array(found.dense[$0]) }
                        ?? found.experts[slot][ordinal]
                    let own = known ?? [Float](repeating: 0, count: size)
                    if own.contains(where: { $0 != 0 }) { picked += 1 }
                    if let known = sums[id] {
                        sums[id] = zip(known, own).map { $0 + $1 }
                    } else {
                        sums[id] = own
                    }
                }
                for (id, values) in sums.sorted(by: { $0.key.hex < $1.key.hex }) {
                    try patch.record(values, size, of: id)
                }
            }
        }
        return RecordedGradients(
            model: committed, tokens: found.tokens, experts: experts, picked: picked,
            tensors: model.layout.entries.count { $0.role != .expert })
    }

    /// The ids of all tensors and experts of a snapshot.
    private static func objects(of snapshot: MappedSnapshot) throws -> Set<ObjectID> {
        var ids = Set(snapshot.tree.trunk.tensors.values.map(\.id))
        for (layer, value) in snapshot.tree.layers {
            for (name, pool) in value.pools {
                ids.formUnion(pool.router.values.map(\.id))
                guard let stored = snapshot.experts(layer: layer, pool: name) else { continue }
                for ordinal in 0..<stored.count {
                    ids.insert(try stored.id(ordinal))
                }
            }
        }
        return ids
    }
}

extension ModelPatch {
    /// Removes the squared gradients of objects that are not among some.
    fileprivate mutating func forgetSquaredGradients(exceptOf known: Set<ObjectID>) {
        for name in draft.tree.files.keys where name.hasPrefix(FisherFile.prefix) {
            let id = ObjectID(hex: String(name.dropFirst(FisherFile.prefix.count)))
            if id.map({ !known.contains($0) }) ?? false { draft.tree.files[name] = nil }
        }
    }
}
