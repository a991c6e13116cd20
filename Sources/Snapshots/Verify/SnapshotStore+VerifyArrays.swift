internal import Elements
internal import KeyValue
internal import Objects

/// The part of a verification that looks at expert arrays.
extension SnapshotStore {
    /// Every stored array, reachable or not: its chain, that each expert is where it should be and
    /// has the pool's shape, and (unless `fast`) the root and the stored nodes.
    ///
    /// - Parameter pools: Those of the trees, by array.
    func verifyArrays(
        _ fast: Bool, _ pools: [ObjectID: ExpertPool], _ known: VerifiedObjects,
        _ report: inout VerificationReport, _ transaction: borrowing ReadTransaction
    ) throws {
        // What a chain's records hold has the shape of the pool that the chain leads up to.
        var shapes = pools
        for (root, pool) in pools {
            guard let view = try? ArrayView(root, transaction) else { continue }
            for record in view.chain where shapes[record.root] == nil {
                shapes[record.root] = pool
            }
        }
        for root in try Self.arrayRoots(transaction) {
            report.arrays += 1
            do {
                let view = try ArrayView(root, transaction)
                guard let record = view.chain.first else { continue }
                let subject = "array \(root.hex)"
                do {
                    try record.checkWhole(transaction)
                } catch let error as CambiumError {
                    report.fault(subject, error.message, about: .array(root))
                }
                let isOrdered = verifyOrder(record, subject, &report)
                let ids = verifyEntries(
                    record, shapes[root], subject, fast, known, &report, transaction)
                // Roots are computed only from what is in order and in its place.
                if isOrdered, !fast, let ids { try verifyRoot(record, ids, &report, transaction) }
            } catch let error as CambiumError {
                report.fault("array \(root.hex)", error.message, about: .array(root))
            }
        }
    }

    private func verifyOrder(
        _ record: ArrayRecord, _ subject: String, _ report: inout VerificationReport
    ) -> Bool {
        var least = 0
        for index in 0..<record.changeCount {
            let ordinal = record.changedOrdinal(index)
            guard ordinal >= least, ordinal < record.count else {
                report.fault(
                    subject,
                    "change \(index) is of expert \(ordinal) of \(record.count), out of order")
                return false
            }
            least = ordinal + 1
        }
        return true
    }

    /// The ids of a record's own entries, or nil when some are not where they should be.
    private func verifyEntries(
        _ record: ArrayRecord, _ pool: ExpertPool?, _ subject: String, _ fast: Bool,
        _ known: VerifiedObjects, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) -> [ObjectID]? {
        var ids: [ObjectID] = []
        var isWhole = true
        let count = record.isFull ? record.count : record.changeCount
        ids.reserveCapacity(count)
        for index in 0..<count {
            let entry = record.isFull ? record.entry(index) : record.changedEntry(index)
            let ordinal = record.isFull ? index : record.changedOrdinal(index)
            guard !entry.isAbsent else {
                ids.append(.zero)
                continue
            }
            guard let pack = known.packs[entry.location.pack],
                let position = pack.index(unit: entry.location.unit, check: entry.check)
            else {
                isWhole = false
                report.fault(
                    subject,
                    "expert \(ordinal) is not at unit \(entry.location.unit) of pack "
                        + "\(entry.location.pack)")
                continue
            }
            let header = pack.header(position)
            if let pool, header.kind != pool.kind || header.parts != pool.parts {
                report.fault(subject, "expert \(ordinal) is \(header.kind) \(header.parts)")
            }
            ids.append(pack.id(position))
            if !fast, !known.isIndexed(pack.id(position), transaction) {
                report.fault(
                    "object \(pack.id(position).hex)",
                    "it is in a pack but not in the location index")
            }
        }
        return isWhole ? ids : nil
    }

    /// The root and nodes of a record: of a full array from all ids, of a change set from its base,
    /// which is verified by itself.
    private func verifyRoot(
        _ record: ArrayRecord, _ ids: [ObjectID], _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) throws {
        let edit: ArrayEdit
        if record.isFull {
            edit = ArrayEdit(ids)
        } else {
            edit = try ArrayEdit(
                base: ArrayView(record.base, transaction),
                (0..<record.changeCount).map(record.changedOrdinal), ids, places: nil,
                count: record.count, ObjectReader(transaction), transaction)
        }
        let subject = "array \(record.root.hex)"
        if edit.root != record.root {
            report.fault(subject, "its ids hash to \(edit.root.short)")
        }
        for (level, height) in zip(edit.nodes.levels, ArrayRecord.storedHeights(record.count)) {
            for (index, id) in zip(level.indexes, level.ids)
            where record.node(height: height, Int(index)) != id {
                report.fault(subject, "node \(index) of height \(height) is wrong")
            }
        }
    }
}
