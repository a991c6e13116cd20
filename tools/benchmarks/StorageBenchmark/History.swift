internal import BenchmarkSupport
internal import Cambium
internal import Elements
internal import Objects
internal import Snapshots

/// What is done with many snapshots: diff, merge, collect.
extension Benchmark {
    func diff(_ found: Measured) throws {
        let pool = try Pool(path, count: experts, size: size)
        let work = pool.changes(round: 1, count: changes)
        try pool.commit(work, "round 1")
        for _ in 1...rounds { try pool.diff(found, expected: work) }
    }

    func merge(_ found: Measured) throws {
        let pool = try Pool(path, count: experts, size: size)
        let store = pool.store
        // Different experts on each side, so that there is nothing to settle.
        let left = pool.changes(round: 1, count: changes)
        let taken = Set(left.map(\.ordinal))
        let right = pool.changes(round: 2, count: min(2 * changes, experts)).filter {
            !taken.contains($0.ordinal)
        }.prefix(changes)
        for (name, work) in [("left", left), ("right", Array(right))] {
            try store.createBranch(name, at: "main", Pool.signature)
            try pool.commit(work, name, branch: name)
        }
        for round in 1...rounds {
            try store.createBranch("merged-\(round)", at: "main", Pool.signature)
            let result = try found.time {
                try store.merge(["left", "right"], into: "merged-\(round)")
            }
            try expect(result.conflicts.isEmpty, "\(result.conflicts.count) conflicts")
            let expected = Set(left.map(\.ordinal)).union(right.map(\.ordinal)).sorted()
            let difference = try store.diff(from: "main", to: "merged-\(round)")
            try expect(
                difference.pools.first?.changed.map(\.ordinal).sorted() == expected,
                "the merge does not hold both sides' changes")
        }
    }

    /// A quarter of the snapshots stays on main, the others are branches that are deleted.
    func collect(_ found: Measured) throws {
        let pool = try Pool(path, count: experts, size: size)
        let kept = max(1, commits / 4)
        for round in 1...kept {
            try pool.commit(pool.changes(round: round, count: changes), "kept \(round)")
        }
        let dropped = commits - kept
        for round in 1...dropped {
            let branch = "dropped-\(round)"
            try pool.store.createBranch(branch, at: "main", Pool.signature)
            try pool.commit(
                pool.changes(round: kept + round, count: changes), branch, branch: branch)
        }
        for round in 1...dropped {
            try pool.store.deleteBranch("dropped-\(round)", Pool.signature)
        }
        let now = Pool.signature.time + 1_000
        func collect(prune: Bool) throws -> CollectionReport {
            try pool.snapshots.collect(prune: prune, now: now, grace: 0)
        }
        for _ in 0..<3 { try found.time("mark_seconds") { try collect(prune: false) } }
        let result = try found.time("prune_seconds") { try collect(prune: true) }
        let reclaimable = Double(result.deadBytes)
        found.add("reclaimable_bytes", reclaimable, unit: "bytes")
        found.add("free_bytes", Double(result.freeAfter - result.freeBefore), unit: "bytes")
        let rounds = (1...kept).map { (round: $0, changes: changes) }
        try pool.check(rounds: rounds)
        // What came free serves later commits: as many bytes again, and the file hardly grows.
        let before = try bytesOnDisk(path)
        var put = 0.0
        for round in (commits + 1)...(commits + dropped) {
            try pool.commit(pool.changes(round: round, count: changes), "again \(round)")
            put += Double(changes * size)
        }
        let growth = try bytesOnDisk(path) - before
        found.add("returned_bytes", min(put, reclaimable) - max(0, growth), unit: "bytes")
        found.add("growth_after_prune", growth, unit: "bytes")
        let faults = try pool.store.verify().faults
        try expect(faults.isEmpty, "\(faults.count) faults")
    }
}
