internal import Elements
internal import KeyValue
internal import Objects

/// What a compression did.
package struct CompressionReport: Sendable {
    /// Packs that are compressed now and were not before.
    package var packs = 0
    /// Bytes of their records before and after.
    package var rawBytes = 0
    package var coldBytes = 0
}

extension SnapshotStore {
    /// Compresses what no branch's or tag's own model needs.
    ///
    /// What the heads of branches and tags need stays raw, to be mapped. Packs that hold both are
    /// parted first, as a collection moves objects. An expert's earlier version is stored as a
    /// difference to a later one where that helps. Objects keep their names. Each step is one transaction, so it may be killed
    /// anywhere and run again. Only for a caller that has the store alone: what maps a pack would
    /// see other bytes.
    ///
    /// - Parameter progress: Called with the packs looked at and their number.
    func compress(
        progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws -> CompressionReport {
        try partMixed()
        var chains = try mendChains()
        let (cold, later) = try environment.read { transaction in
            (try coldPacks(transaction), try laterVersions(transaction))
        }
        var report = CompressionReport()
        // From the newest pack on: mostly what a difference is taken from is settled before it, so
        // that chains grow to their greatest length and no further.
        let batch = 32
        for start in stride(from: 0, to: cold.count, by: batch) {
            let numbers = Array(cold[start..<min(start + batch, cold.count)])
            try environment.write("compress") { transaction in
                try compress(numbers, later, &chains, &report, transaction)
            }
            try progress(start + numbers.count, cold.count)
        }
        return report
    }

    /// Moves hot and cold objects apart where a raw pack holds both.
    private func partMixed() throws {
        // Nobody has the store but this process, so there are no leases; and nothing that a reflog
        // entry of any age keeps is removed here.
        let threshold = Int64.min
        let (mixed, live, hot) = try environment.read { transaction in
            let live = try Sweep([], threshold, transaction).live.marks
            let hot = try hotPlaces(transaction)
            return (try mixedPacks(live, hot, transaction), live, hot)
        }
        guard !mixed.isEmpty else { return }
        _ = try settle(try move(mixed, live, apart: hot), [], threshold)
    }

    /// Raw packs with hot objects of which at least a tenth is cold.
    private func mixedPacks(
        _ live: PlaceMarks, _ hot: PlaceMarks, _ transaction: borrowing ReadTransaction
    ) throws -> [UInt32] {
        var numbers: [UInt32] = []
        let table = environment.table(ObjectStore.packTable)
        try transaction.scan(table) { key, record in
            let pack = try Pack(
                number: try PackFormat.packNumber(key), record: record, checksum: false)
            guard !pack.isCold, hot.isMarked(pack: pack.number) else { return true }
            var coldBytes = 0
            for index in 0..<pack.count {
                let place = pack.location(index)
                if live.contains(place), !hot.contains(place) {
                    coldBytes += pack.header(index).payloadCount
                }
            }
            if coldBytes * 10 >= pack.dataCount, coldBytes > 0 { numbers.append(pack.number) }
            return true
        }
        return numbers
    }

    /// Makes raw what the heads of branches need and is stored as differences.
    ///
    /// Only for a caller that has the store alone. Nothing else moves; each step is a transaction.
    func restoreHeads() throws {
        let (numbers, hot) = try environment.read { transaction in
            let hot = try hotPlaces(transaction, tags: false)
            let reader = try ObjectReader(transaction)
            var numbers: [UInt32] = []
            try transaction.scan(environment.table(ObjectStore.packTable)) { key, record in
                let pack = try Pack(
                    number: try PackFormat.packNumber(key), record: record, checksum: false)
                if pack.segments == nil, !pack.predecessors.isEmpty,
                    hot.isMarked(pack: pack.number), try reader.isHere(pack, transaction)
                {
                    numbers.append(pack.number)
                }
                return true
            }
            return (numbers, hot)
        }
        guard !numbers.isEmpty else { return }
        _ = try settle(try move(numbers, hot), [], .min)
    }

    /// What the heads of branches and tags need for themselves.
    private func hotPlaces(
        _ transaction: borrowing ReadTransaction, tags: Bool = true
    ) throws -> PlaceMarks {
        let references = try References(transaction)
        var heads = Set(references.branches.values)
        if tags { heads.formUnion(references.tags.values) }
        if let head = references.headCommit { heads.insert(head) }
        var hot = try Reachability(transaction)
        for head in heads { try hot.addModel(of: head, transaction) }
        return hot.marks
    }

    /// Numbers of raw packs that only history needs, newest first.
    private func coldPacks(
        _ transaction: borrowing ReadTransaction
    ) throws -> [UInt32] {
        let marks = try hotPlaces(transaction)
        var numbers: [UInt32] = []
        let table = environment.table(ObjectStore.packTable)
        try transaction.scan(table) { key, record in
            let pack = try Pack(
                number: try PackFormat.packNumber(key), record: record, checksum: false)
            // A page is the least that a record takes.
            if !pack.isCold, record.count > 8192, pack.dataCount <= Pack.greatestColdData,
                !marks.isMarked(pack: pack.number)
            {
                numbers.append(pack.number)
            }
            return true
        }
        return numbers.reversed()
    }

    /// Where the next version of an expert lies, by the place of the version before, over every
    /// commit of every branch and tag.
    ///
    /// - Complexity: What each commit changed; all experts where an array was written whole.
    private func laterVersions(
        _ transaction: borrowing ReadTransaction
    ) throws -> [Location: ArrayEntry] {
        let references = try References(transaction)
        let reader = try ObjectReader(transaction)
        var stack = Array(references.tips)
        var seen: Set<ObjectID> = []
        var compared: Set<[ObjectID]> = []
        var later: [Location: ArrayEntry] = [:]
        while let id = stack.popLast() {
            guard seen.insert(id).inserted else { continue }
            let commit = try Self.commit(id, reader, transaction)
            stack.append(contentsOf: commit.parents)
            guard let parent = commit.parents.first else { continue }
            let before = try Self.tree(
                try Self.commit(parent, reader, transaction).tree, reader, transaction)
            let after = try Self.tree(commit.tree, reader, transaction)
            for (number, layer) in after.layers {
                for (name, pool) in layer.pools {
                    guard let old = before.layers[number]?.pools[name]?.experts,
                        old != pool.experts, compared.insert([old, pool.experts]).inserted
                    else { continue }
                    let (left, right) = (
                        try ArrayView(old, transaction), try ArrayView(pool.experts, transaction)
                    )
                    for ordinal in try left.differences(from: right, reader, transaction)
                    where ordinal < left.count && ordinal < right.count {
                        let (from, to) = (left.entry(ordinal), right.entry(ordinal))
                        if !from.isAbsent, !to.isAbsent { later[from.location] = to }
                    }
                }
            }
        }
        return later
    }

    private func compress(
        _ numbers: [UInt32], _ later: [Location: ArrayEntry], _ chains: inout PackChains,
        _ report: inout CompressionReport, _ transaction: borrowing WriteTransaction
    ) throws {
        var reader = try ObjectReader(transaction)
        reader.fetches = false
        var sources: [Pack] = []
        var versions: [[Int: StoredObject]] = []
        for number in numbers {
            let pack = try reader.pack(number, transaction)
            let found = try Self.predecessors(of: pack, later, chains, reader, transaction)
            // Noted before it is certain, so that the next one's chains neither come back to this
            // one nor become too long together with it.
            chains.set(number, needs: Set(found.values.map(\.location.pack)))
            sources.append(pack)
            versions.append(found)
        }
        let results = concurrentMap(sources.count, grain: 1) {
            [sources, versions] position in
            Result {
                try sources[position].compressed(predecessors: versions[position])
            }
        }
        var records: [(raw: Pack, record: [UInt8])] = []
        for (pack, result) in zip(sources, results) {
            let compressed = try result.get()
            if compressed?.usesPredecessors != true { chains.set(pack.number, needs: []) }
            if let compressed { records.append((pack, compressed.bytes)) }
        }
        for (pack, record) in records {
            report.packs += 1
            report.rawBytes += pack.record.count
            report.coldBytes += record.count
            try ObjectStaging.replaceRecord(
                pack.number,
                with: Pack.record(record, depth: chains.depth(of: pack.number) ?? 0),
                transaction)
        }
        // What needs these packs lies deeper now.
        try Self.noteDepths(of: chains.takeChanges(), chains, transaction)
    }

    /// The later versions from which a pack's objects may be stored as differences, by position.
    private static func predecessors(
        of pack: Pack, _ later: [Location: ArrayEntry], _ chains: PackChains,
        _ reader: ObjectReader, _ transaction: borrowing WriteTransaction
    ) throws -> [Int: StoredObject] {
        let demands = chains.demands(on: pack.number)
        var found: [Int: StoredObject] = [:]
        for index in 0..<pack.count {
            guard let entry = later[pack.location(index)] else { continue }
            // A difference names an object, and is read with the copy that the index has then.
            let id = try reader.id(at: entry.location, check: entry.check, transaction)
            guard let place = try reader.location(of: id, transaction),
                chains.mayNeed(place.pack, demands)
            else { continue }
            do {
                let object = try reader.object(id, transaction)
                if object.header == pack.header(index) { found[index] = object }
            } catch let error as CambiumError where error.code == .remote {
                // A remote's is not worth a download.
            }
        }
        return found
    }
}
