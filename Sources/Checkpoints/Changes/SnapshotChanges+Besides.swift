internal import Elements
internal import Objects
internal import Snapshots

extension SnapshotChanges {
    /// Experts that the newer snapshot does not have any more, as `cat` spells them.
    package var removedExperts: [String] {
        difference.pools.flatMap { pool in pool.removed.map { Self.path(pool, $0) } }
    }

    /// Experts that only the newer snapshot has.
    package var addedExperts: [String] {
        difference.pools.flatMap { pool in pool.added.map { Self.path(pool, $0) } }
    }

    private static func path(_ pool: TreeDifference.PoolDifference, _ ordinal: Int) -> String {
        MergeEntity.expert(layer: pool.layer, pool: pool.pool, ordinal: ordinal).path
    }

    /// What differs besides tensors: files, the layout and the architecture.
    package var besidesTensors: [String] {
        (difference.architectureChanged ? ["the architecture"] : [])
            + (difference.layoutChanged ? ["the layout: names, shards or order"] : [])
            + difference.files.map { "the file \($0)" }
    }

    /// What differs that no elements of the older snapshot's tensors can tell, in words.
    var besidesElements: [String] {
        var all = besidesTensors.map { "\($0) changed" }
        for pool in difference.pools {
            // A row that is there no more is zeros.
            let isOfRows = right.experts(layer: pool.layer, pool: pool.pool)?.pool.kind == .row
            all += (isOfRows ? [] : pool.removed).map {
                "expert \(Self.path(pool, $0)) was removed"
            }
            let count = left.experts(layer: pool.layer, pool: pool.pool)?.count ?? 0
            // One that was removed before has its place still.
            all += pool.added.filter { $0 >= count }.map {
                "expert \(Self.path(pool, $0)) was added"
            }
        }
        for tensor in tensors {
            if case .experts = tensor.source { continue }
            if tensor.old == nil {
                all.append("tensor \(tensor.name) is new")
            } else if tensor.new == nil {
                all.append("tensor \(tensor.name) is gone")
            } else if tensor.old != tensor.new {
                all.append("tensor \(tensor.name) has another shape")
            }
        }
        return all
    }

    /// Whether a tensor stacks experts of which some are not there.
    func hasHoles(_ tensor: ChangedTensor) -> Bool {
        switch tensor.source {
        case .places(_, let new):
            guard case .experts(let experts, let ordinals, _)? = new?.source else { return false }
            return ordinals.contains { experts.isMissing($0) }
        case .experts(let number, let position, _, _):
            let experts = pools[number].new
            return pools[number].pool.tensors[position].stacked
                && (0..<experts.count).contains { experts.isMissing($0) }
        }
    }
}
