internal import Elements
internal import Files
internal import KeyValue
internal import Objects

/// What a collection found, and what it removed when it was told to prune.
package struct CollectionReport: Sendable {
    package var pruned = false
    package var liveObjects = 0
    package var liveBytes = 0
    package var deadObjects = 0
    package var deadBytes = 0
    /// Packs without a live object: removed.
    package var deadPacks = 0
    /// Packs mostly dead: their live objects move to new packs.
    package var sparsePacks = 0
    /// Packs that would go but for a lease.
    package var leasedPacks = 0
    package var leases = 0
    package var expiredReflogEntries = 0
    package var deadArrays = 0
    /// Notes about commits that nothing needs.
    package var deadNotes = 0
    /// Bytes of pages that later commits may reuse, before and after.
    package var freeBefore = 0
    package var freeAfter = 0
}

extension CollectionReport {
    /// Adds what another pass removed; what is live is what that pass found.
    fileprivate mutating func add(_ other: CollectionReport?) {
        guard let other else { return }
        liveObjects = other.liveObjects
        liveBytes = other.liveBytes
        deadObjects += other.deadObjects
        deadBytes += other.deadBytes
        deadPacks += other.deadPacks
        sparsePacks = other.sparsePacks
        deadArrays += other.deadArrays
        expiredReflogEntries += other.expiredReflogEntries
    }
}

extension SnapshotStore {
    /// Finds, and with `prune` removes, what no branch, tag, reflog entry within the grace period
    /// or lease needs.
    ///
    /// Each step is one transaction, so it may be killed anywhere and run again. Holds the
    /// maintenance lock alone: drafts wait, readers do not.
    ///
    /// - Parameters:
    ///   - now: Seconds since 1970.
    ///   - grace: Reflog entries younger than this many seconds keep their commits.
    ///   - movesAll: Whether every pack that holds something dead is written anew, so that nothing of it
    ///     stays beside what is live; otherwise a small share may.
    /// - Throws: `.busy` while a commit is under way; `.corrupt` when something live is missing, and
    ///   then nothing was removed.
    package func collect(
        prune: Bool, now: Int64, grace: Int64, movesAll: Bool = false
    ) throws -> CollectionReport {
        // No grace is none, whatever the clock said when an entry was written.
        let (difference, overflow) = now.subtractingReportingOverflow(grace)
        let threshold = grace <= 0 ? .max : overflow ? Int64.min : difference
        guard prune else {
            let leases = try Set(leasedCommits(removingStale: false))
            return try environment.read { transaction in
                try Sweep(leases, threshold, transaction).report
            }
        }
        let lock = try maintenanceLock(.exclusive, wait: false)
        try environment.forgetDeadReaders()
        let freeBefore = try sizes().free
        var report: CollectionReport
        do {
            report = try remove(try moveSparse(threshold, all: movesAll), threshold)
        } catch let error as CambiumError where error.code == .diskFull {
            // No room to copy what shares packs with dead objects: whole dead packs first, whose pages then have
            // room for the copies.
            report = try remove([:], threshold)
            do {
                report.add(try remove(try moveSparse(threshold, all: movesAll), threshold))
            } catch let error as CambiumError where error.code == .diskFull && !movesAll {
                // What shares packs may stay.
            }
        }
        _ = lock
        try keepReserve()
        report.pruned = true
        report.freeBefore = freeBefore
        report.freeAfter = try sizes().free
        return report
    }

    /// Removes what is dead, when some objects were moved.
    ///
    /// Whoever opens a snapshot waits for this one transaction; see `leasing`.
    private func remove(
        _ moved: [Location: Location], _ threshold: Int64
    ) throws -> CollectionReport {
        let gate = try Self.lock(directory, "opening.lock", .exclusive, wait: true)
        let leases = try Set(leasedCommits(removingStale: true))
        let report = try settle(moved, leases, threshold)
        _ = gate
        return report
    }

    /// Copies the live objects of sparse packs to new packs, and returns the new places by the old
    /// ones.
    private func moveSparse(
        _ threshold: Int64, all: Bool
    ) throws -> [Location: Location] {
        let leases = try Set(leasedCommits(removingStale: false))
        let (sparse, marks) = try environment.read { transaction in
            let sweep = try Sweep(leases, threshold, transaction)
            return (all ? sweep.mixed : sweep.sparse, sweep.live.marks)
        }
        return try move(sparse, marks)
    }

    /// Copies the marked objects of some packs to new packs, and returns the new places by the old
    /// ones.
    ///
    /// The index then names the copies. The arrays name the old places until the removing
    /// transaction rewrites them; if it never comes, the copies are dead.
    ///
    /// - Parameter hot: Objects that go to packs of their own, apart from the others.
    func move(
        _ numbers: [UInt32], _ marks: PlaceMarks, apart hot: PlaceMarks? = nil
    ) throws -> [Location: Location] {
        var moved: [Location: Location] = [:]
        for group in stride(from: 0, to: numbers.count, by: 32) {
            try environment.write("gc move", drawsReserve: true) {
                transaction in
                let reader = try ObjectReader(transaction)
                var objects: [StoredObject] = []
                for number in numbers[group..<min(group + 32, numbers.count)] {
                    guard
                        let pack = try ObjectReader.packIfPresent(number, transaction)
                    else { continue }
                    let readable = try reader.readable(pack, transaction)
                    for index in 0..<pack.count where marks.contains(pack.location(index)) {
                        objects.append(readable.stored(index))
                    }
                }
                for part in [false, true] {
                    let chosen = objects.filter {
                        (hot?.contains($0.location) ?? true) == part
                    }
                    let places = try ObjectStaging.move(chosen, transaction)
                    for (object, place) in zip(chosen, places) {
                        moved[object.location] = place
                    }
                }
            }
        }
        return moved
    }

    /// The transaction that ends a collection: the arrays name the new places, and what is dead is
    /// removed.
    ///
    /// Only for a caller that keeps snapshots from being opened meanwhile.
    func settle(
        _ moved: [Location: Location], _ leases: Set<ObjectID>, _ threshold: Int64
    ) throws -> CollectionReport {
        try environment.write("gc", drawsReserve: true) { transaction in
            // Whoever has an array mapped keeps it, and the packs that it names.
            let mapped = try Sweep.leased(leases, transaction)
            try ArrayRecord.move(moved, keeping: mapped.records, transaction)
            environment.step("gc: places rewritten")
            // Marked anew inside the transaction: a branch made meanwhile keeps its objects.
            let sweep = try Sweep(leases, threshold, transaction)
            try sweep.remove(transaction)
            return sweep.report
        }
    }

    /// Sizes of the store's file.
    package func sizes() throws -> (file: Int, free: Int) {
        let sizes = try environment.sizes()
        return (sizes.file, sizes.free)
    }
}
