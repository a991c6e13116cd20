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
            let known = try verifyPacks(fast, progress, &report, transaction)
            let roots = try verifyReferences(known, &report, transaction)
            let needed = try verifyGraph(roots, known, &report, transaction)
            verifyIndex(needed.intersection(known.keys), &report, transaction)
            try verifyArrays(fast, &report, transaction)
            return report
        }
    }

    /// Every object that a pack claims to hold, with its header.
    private func verifyPacks(
        _ fast: Bool, _ progress: (Int, Int) -> Void, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) throws(SnapshotError) -> [ObjectID: ObjectHeader] {
        var known: [ObjectID: ObjectHeader] = [:]
        var found = report
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
                let number = try PackFormat.packNumber(key)
                let pack = try Pack(number: number, record: record)
                for index in 0..<pack.count {
                    let (id, header) = (pack.id(index), pack.header(index))
                    known[id] = header
                    found.objects += 1
                    found.bytes += header.payloadCount
                    guard !fast else { continue }
                    let actual = header.id(of: pack.payload(index).bytes)
                    if actual != id {
                        found.fault(
                            "object \(id.hex)",
                            "its data in pack \(number) hash to \(actual.short): damaged on disk")
                    }
                }
            } catch {
                found.fault("pack \(PackFormat.number(key.prefix(8)))", error.message)
            }
            progress(found.packs, total)
            return true
        }
        report = found
        return known
    }

    /// The index's own order and places, and that it names what is needed.
    ///
    /// - Parameter needed: Objects that references lead to and packs hold.
    private func verifyIndex(
        _ needed: Set<ObjectID>, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) {
        do throws(ObjectError) {
            let reader = try ObjectReader(transaction)
            for problem in try reader.indexProblems(transaction) {
                report.fault("index", problem)
            }
            for id in needed.sorted() where try reader.location(of: id, transaction) == nil {
                report.fault("object \(id.hex)", "it is in a pack but not in the location index")
            }
        } catch {
            report.fault("index", error.message)
        }
    }

    /// Every stored array, reachable or not: its chain, and (unless `fast`) its root.
    private func verifyArrays(
        _ fast: Bool, _ report: inout VerificationReport,
        _ transaction: borrowing ReadTransaction
    ) throws(SnapshotError) {
        var roots: Set<ObjectID> = []
        try transaction.scan(environment.table(ArrayRecord.table)) {
            (key, _) throws(SnapshotError) in
            if key.count == ObjectID.byteCount + 4 { roots.insert(ObjectID(key.raw)) }
            return true
        }
        for root in roots.sorted() {
            report.arrays += 1
            do throws(SnapshotError) {
                let view = try ArrayView(root, transaction)
                guard !fast else { continue }
                let actual = ExpertArray.root(of: view.entries().map(\.id))
                if actual != root {
                    report.fault("array \(root.hex)", "its ids hash to \(actual.short)")
                }
            } catch {
                report.fault("array \(root.hex)", error.message)
            }
        }
    }
}
