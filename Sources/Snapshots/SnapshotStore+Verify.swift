internal import Elements
internal import KeyValue
internal import Objects

extension SnapshotStore {
    /// Checks the whole store and reports every fault; changes nothing.
    ///
    /// - Parameters:
    ///   - fast: Structure and references only; otherwise every object is hashed against its name.
    ///   - progress: Called with the packs done and their number.
    package func verify(
        fast: Bool, progress: (Int, Int) -> Void = { _, _ in }
    ) throws(SnapshotError) -> VerificationReport {
        try environment.read { (transaction) throws(SnapshotError) in
            var report = VerificationReport()
            let packs = try verifyPacks(fast, progress, &report, transaction)
            if !fast { verifyCompressed(packs, &report, transaction) }
            let known = VerifiedObjects(packs, transaction)
            verifyIndex(&report, transaction)
            let roots = try verifyReferences(known, &report, transaction)
            try verifyNotes(known, &report, transaction)
            let arrays = try verifyGraph(roots, known, &report, transaction)
            try verifyArrays(fast, arrays, known, &report, transaction)
            return report
        }
    }

    /// Every pack that is whole, by number.
    private func verifyPacks(
        _ fast: Bool, _ progress: (Int, Int) -> Void, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) throws(SnapshotError) -> [UInt32: Pack] {
        var packs: [UInt32: Pack] = [:]
        var found = report
        var damaged: [DamagedCopy] = []
        let table = environment.table(ObjectStore.packTable)
        let total: Int
        do throws(KeyValueError) {
            total = try transaction.statistics(table).entries
        } catch {
            throw SnapshotError(error)
        }
        try transaction.scan(table) { (key, record) throws(SnapshotError) in
            found.packs += 1
            do throws(ObjectError) {
                let pack = try Pack(number: try PackFormat.packNumber(key), record: record)
                packs[pack.number] = pack
                found.objects += pack.count
                for index in 0..<pack.count { found.bytes += pack.header(index).payloadCount }
                if !fast, !pack.isCold { damaged += verifyData(pack) }
            } catch {
                found.fault("pack \(PackFormat.number(key.prefix(8)))", error.message)
            }
            progress(found.packs, total)
            return true
        }
        let copies = damaged.isEmpty ? nil : SupersededCopies(transaction)
        for copy in damaged where copies?.contains(copy.location, of: copy.id, transaction) != true
        {
            found.fault(
                "object \(copy.id.hex)",
                "its data in pack \(copy.location.pack) hash to \(copy.actual.short): damaged on disk"
            )
        }
        report = found
        return packs
    }

    private struct DamagedCopy {
        let id: ObjectID
        let location: Location
        /// What the data hash to.
        let actual: ObjectID
    }

    /// Hashes every object of a pack against its name, on all cores.
    private func verifyData(_ pack: Pack) -> [DamagedCopy] {
        let actual = concurrentMap(pack.count, grain: 32) { index in
            pack.header(index).id(of: pack.payload(index).bytes)
        }
        return (0..<pack.count).filter { actual[$0] != pack.id($0) }.map {
            DamagedCopy(id: pack.id($0), location: pack.location($0), actual: actual[$0])
        }
    }

    /// Decompresses every compressed pack, which checks each object against its name.
    private func verifyCompressed(
        _ packs: [UInt32: Pack], _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) {
        do throws(ObjectError) {
            let reader = try ObjectReader(transaction)
            for (number, pack) in packs.sorted(by: { $0.key > $1.key }) where pack.isCold {
                do throws(ObjectError) {
                    _ = try reader.readable(pack, transaction)
                } catch {
                    let copies = SupersededCopies(transaction)
                    let isNeeded = (0..<pack.count).contains {
                        !copies.contains(pack.location($0), of: pack.id($0), transaction)
                    }
                    if isNeeded { report.fault("pack \(number)", error.message) }
                }
            }
        } catch {
            report.fault("index", error.message)
        }
    }

    /// The index's own order and places.
    private func verifyIndex(
        _ report: inout VerificationReport, _ transaction: borrowing ReadTransaction
    ) {
        do throws(ObjectError) {
            let reader = try ObjectReader(transaction)
            for problem in try reader.indexProblems(transaction) {
                report.fault("index", problem)
            }
        } catch {
            report.fault("index", error.message)
        }
    }
}

/// What a verification knows of the objects: the packs that are whole, and the index.
struct VerifiedObjects {
    enum Found {
        case object(ObjectHeader)
        /// A pack holds it, but the index does not name it.
        case unindexed(ObjectHeader)
        case missing

        var header: ObjectHeader? {
            switch self {
            case .object(let header), .unindexed(let header): header
            case .missing: nil
            }
        }
    }

    let packs: [UInt32: Pack]
    /// Nil when the index cannot be read; the check of the index says why.
    private let reader: ObjectReader?

    init(_ packs: [UInt32: Pack], _ transaction: borrowing ReadTransaction) {
        self.packs = packs
        reader = try? ObjectReader.of(transaction)
    }

    /// - Complexity: A look-up in the index; a look at every object when that fails.
    func find(_ id: ObjectID, _ transaction: borrowing ReadTransaction) -> Found {
        if let location = try? reader?.location(of: id, transaction),
            let pack = packs[location.pack], let index = pack.index(id, unit: location.unit)
        {
            return .object(pack.header(index))
        }
        for pack in packs.values {
            for index in 0..<pack.count where pack.id(index) == id {
                return .unindexed(pack.header(index))
            }
        }
        return .missing
    }

    /// The kind of an object, or nil when it is missing.
    func kind(_ id: ObjectID, _ transaction: borrowing ReadTransaction) -> ObjectKind? {
        find(id, transaction).header?.kind
    }

    /// Whether the index names an object that some pack holds.
    func isIndexed(_ id: ObjectID, _ transaction: borrowing ReadTransaction) -> Bool {
        guard let reader else { return false }
        return (try? reader.location(of: id, transaction)) != .some(nil)
    }
}
