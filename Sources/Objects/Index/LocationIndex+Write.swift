internal import Elements
internal import KeyValue

/// One row of the location index.
struct IndexRow: Comparable {
    let prefix: UInt64
    let location: Location

    init(_ prefix: UInt64, _ location: Location) {
        self.prefix = prefix
        self.location = location
    }

    /// By prefix; the newer pack of two that hold one object comes first.
    static func < (left: IndexRow, right: IndexRow) -> Bool {
        (left.prefix, right.location.pack, right.location.unit)
            < (right.prefix, left.location.pack, left.location.unit)
    }
}

extension LocationIndex {
    /// Adds one run with `rows`, in any order, at the level of its size.
    ///
    /// Newer runs of lower levels are merged into it, which costs less than it does; then levels
    /// that are full are merged.
    static func add(
        _ rows: [IndexRow], _ transaction: borrowing WriteTransaction
    ) throws {
        guard !rows.isEmpty else { return }
        let level = level(of: rows.count)
        let smaller = try LocationIndex(transaction).runs.prefix {
            ($0.first?.level ?? .max) < level
        }
        let all = (rows + (try self.rows(of: smaller, transaction))).sorted()
        try remove(smaller, transaction)
        try writeRun(all, level: level, transaction)
        while try mergeOneLevel(transaction) {}
    }

    /// - Throws: `.corrupt` when a chunk is damaged: its entries would get a right checksum.
    private static func rows(
        of runs: some Sequence<[Chunk]>, _ transaction: borrowing WriteTransaction
    ) throws -> [IndexRow] {
        let table = transaction.environment.table(ObjectStore.indexTable)
        var rows: [IndexRow] = []
        for run in runs {
            for chunk in run {
                guard chunk.isIntact(table) else {
                    throw CambiumError(
                        .corrupt,
                        "run \(chunk.run) of the location index does not match its checksum; "
                            + "run `cambium verify`")
                }
                for index in 0..<chunk.count {
                    rows.append(IndexRow(chunk.prefix(index), chunk.location(index)))
                }
            }
        }
        return rows
    }

    private static func remove(
        _ runs: some Sequence<[Chunk]>, _ transaction: borrowing WriteTransaction
    ) throws {
        let table = transaction.environment.table(ObjectStore.indexTable)
        for run in runs {
            for (number, chunk) in run.enumerated() {
                let key = PackFormat.key(chunk.run) + PackFormat.key(UInt64(number)).suffix(4)
                try transaction.delete(table, key)
            }
        }
    }

    /// Replaces the whole index by one run with `rows`, in any order.
    static func replace(
        with rows: [IndexRow], _ transaction: borrowing WriteTransaction
    ) throws {
        try transaction.clear(transaction.environment.table(ObjectStore.indexTable))
        guard !rows.isEmpty else { return }
        try writeRun(rows.sorted(), level: level(of: rows.count), transaction)
    }

    /// The level at which a run of `count` entries would have arrived by merging.
    private static func level(of count: Int) -> UInt8 {
        var level: UInt8 = 0
        var size = 64
        while size < count {
            size *= runsPerLevel
            level += 1
        }
        return level
    }

    private static func writeRun(
        _ rows: [IndexRow], level: UInt8, _ transaction: borrowing WriteTransaction
    ) throws {
        let table = transaction.environment.table(ObjectStore.indexTable)
        let last = try transaction.last(table)
        let newest = last.map { PackFormat.number($0.key.prefix(8)) } ?? 0
        guard newest < UInt64.max else {
            throw CambiumError(.corrupt, "the location index has a run without a number")
        }
        let run = newest + 1
        for (number, start) in stride(from: 0, to: rows.count, by: chunkLimit).enumerated() {
            let slice = rows[start..<min(start + chunkLimit, rows.count)]
            var encoder = ByteEncoder(capacity: headerCount + slice.count * entryCount)
            encoder.append(magic)
            encoder.append(level)
            encoder.append(raw: [0, 0, 0])
            encoder.append(UInt32(slice.count))
            encoder.append(UInt32(0))
            for row in slice {
                encoder.append(row.prefix.byteSwapped)
                encoder.append(row.location.pack)
                encoder.append(row.location.unit)
            }
            let key = PackFormat.key(run) + PackFormat.key(UInt64(number)).suffix(4)
            try transaction.append(table, key, CheckedValue.seal(encoder.bytes, table, key))
        }
    }

    /// Merges the newest level that holds too many runs; returns whether it did.
    private static func mergeOneLevel(
        _ transaction: borrowing WriteTransaction
    ) throws -> Bool {
        let runs = try LocationIndex(transaction).runs
        // Levels do not fall from newest to oldest, so the runs to merge are the newest ones.
        guard let level = runs.first?.first?.level else { return false }
        var merged: [[Chunk]] = []
        for run in runs {
            guard let first = run.first, first.level <= level else { break }
            merged.append(run)
        }
        guard merged.count >= runsPerLevel else { return false }
        let rows = try self.rows(of: merged, transaction)
        try remove(merged, transaction)
        try writeRun(rows.sorted(), level: level + 1, transaction)
        return true
    }
}
