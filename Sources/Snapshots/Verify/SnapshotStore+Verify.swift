internal import Elements
internal import KeyValue
internal import Objects

extension SnapshotStore {
    /// Checks the whole store and reports every fault; changes nothing.
    ///
    /// - Parameters:
    ///   - fast: Structure and references only; otherwise every object is hashed against its name.
    ///   - fetch: Whether what lies on a remote is read, too; otherwise it is counted.
    ///   - progress: Called with the packs done and their number.
    /// - Throws: What reading a remote throws, where nothing else is wrong.
    package func verify(
        fast: Bool, fetch: Bool = false, progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws -> VerificationReport {
        while true {
            let report = try environment.read { transaction in
                try verify(fast, fetch, progress, transaction)
            }
            guard let report else { continue }
            if report.faults.isEmpty, let failure = report.remoteFailure { throw failure }
            return report
        }
    }

    /// Nil when commits came before the pages could be looked through.
    private func verify(
        _ fast: Bool, _ fetch: Bool, _ progress: (Int, Int) throws -> Void,
        _ transaction: borrowing ReadTransaction
    ) throws -> VerificationReport? {
        var report = VerificationReport()
        let pages: PageReport? = try environment.pageReport(transaction)
        guard let pages else { return nil }
        report.add(pages)
        // LMDB trusts its pages: it may trap on a damaged one.
        guard pages.damages.isEmpty else { return report }
        try verifyFormat(&report, transaction)
        let packs = try verifyPacks(fast, progress, &report, transaction)
        if !fast { verifyCompressed(packs, fetch, &report, transaction) }
        let known = VerifiedObjects(packs, transaction)
        verifyIndex(&report, transaction)
        let roots = try verifyReferences(known, &report, transaction)
        try verifyNotes(known, &report, transaction)
        let arrays = try verifyGraph(roots, known, &report, transaction)
        try verifyArrays(fast, arrays, known, &report, transaction)
        report.nameOwners(packs: packs, roots, transaction)
        return report
    }

    /// Every pack that is whole, by number.
    private func verifyPacks(
        _ fast: Bool, _ progress: (Int, Int) throws -> Void, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) throws -> [UInt32: Pack] {
        var packs: [UInt32: Pack] = [:]
        var found = report
        var damaged: [DamagedCopy] = []
        let table = environment.table(ObjectStore.packTable)
        let total: Int = try transaction.statistics(table).entries
        try transaction.scan(table) { key, record in
            found.packs += 1
            do {
                let pack = try Pack(number: try PackFormat.packNumber(key), record: record)
                if record.count % 4096 != 4080 {
                    found.fault(
                        "pack \(pack.number)", "\(record.count) bytes do not fill its pages")
                }
                packs[pack.number] = pack
                found.objects += pack.count
                for index in 0..<pack.count { found.bytes += pack.header(index).payloadCount }
                if !fast, !pack.isCold {
                    damaged += verifyData(pack)
                    if !hasZeroPadding(pack) {
                        found.fault(
                            "pack \(pack.number)", "bytes that it does not use are not zero")
                    }
                }
            } catch {
                let number = PackFormat.number(key.prefix(8))
                found.fault(
                    "pack \(number)", "\(error)",
                    about: .pack(UInt32(truncatingIfNeeded: number)))
            }
            try progress(found.packs, total)
            return true
        }
        let copies = damaged.isEmpty ? nil : SupersededCopies(transaction)
        for copy in damaged where copies?.contains(copy.location, of: copy.id, transaction) != true
        {
            found.fault(
                "object \(copy.id.hex)",
                "its data in pack \(copy.location.pack) hash to \(copy.actual.short): damaged on disk",
                about: .object(copy.id))
            found.damagedPlaces[copy.location] = copy.id
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

    /// Whether what a raw pack does not use is zero: between its objects, before its directory and
    /// behind it.
    private func hasZeroPadding(_ pack: Pack) -> Bool {
        let record = pack.record
        func isZero(_ range: Range<Int>) -> Bool {
            let bytes = record.bytes
            for offset in range where bytes.number(at: offset, as: UInt8.self) != 0 { return false }
            return true
        }
        var end = PackFormat.headerCount
        for index in 0..<pack.count {
            let start =
                PackFormat.headerCount + PackFormat.alignment * Int(pack.location(index).unit)
            guard start <= end || isZero(end..<start) else { return false }
            end = max(end, start + pack.header(index).payloadCount)
        }
        let directory = Int(clamping: record.bytes.number(at: 16, as: UInt64.self))
        return (end >= directory || isZero(end..<directory)) && isZero(pack.used..<record.count)
    }

    /// Hashes every object of a pack against its name, on all cores.
    private func verifyData(_ pack: Pack) -> [DamagedCopy] {
        MappedBytes.willNeed([pack.record])
        let actual = concurrentMap(pack.count, grain: 32) { index in
            pack.header(index).id(of: pack.payload(index).bytes)
        }
        return (0..<pack.count).filter { actual[$0] != pack.id($0) }.map {
            DamagedCopy(id: pack.id($0), location: pack.location($0), actual: actual[$0])
        }
    }

    /// Decompresses every compressed pack, and hashes each object against its name.
    ///
    /// A remote that cannot be read is not asked again: what is damaged here is to be found all the same.
    private func verifyCompressed(
        _ packs: [UInt32: Pack], _ fetch: Bool, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) {
        let remoteFailures: Set<CambiumError.Code> = [.network, .denied, .remote]
        do {
            let reader = try ObjectReader(transaction)
            for (number, pack) in packs.sorted(by: { $0.key > $1.key }) where pack.isCold {
                do {
                    let isAsked = fetch && report.remoteFailure == nil
                    if try !isAsked && !reader.isHere(pack, transaction) {
                        report.promised(pack)
                        continue
                    }
                    let decoded = try reader.readable(pack, transaction)
                    let results = concurrentMap(decoded.count, grain: 32) { index in
                        Result { try decoded.stored(index).check() }
                    }
                    for result in results { try result.get() }
                } catch let error as CambiumError where remoteFailures.contains(error.code) {
                    report.remoteFailure = error
                    report.promised(pack)
                } catch {
                    let copies = SupersededCopies(transaction)
                    let isNeeded = (0..<pack.count).contains {
                        !copies.contains(pack.location($0), of: pack.id($0), transaction)
                    }
                    if isNeeded {
                        report.fault("pack \(number)", "\(error)", about: .pack(number))
                    }
                }
            }
        } catch {
            report.fault("index", "\(error)")
        }
    }

    /// The index's own order and places.
    private func verifyIndex(
        _ report: inout VerificationReport, _ transaction: borrowing ReadTransaction
    ) {
        do {
            let reader = try ObjectReader(transaction)
            for problem in try reader.indexProblems(transaction) {
                report.fault("index", problem)
            }
        } catch {
            report.fault("index", "\(error)")
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
        reader = try? ObjectReader(transaction)
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
