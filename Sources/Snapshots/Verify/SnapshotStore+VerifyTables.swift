internal import Elements
internal import Files
internal import KeyValue
internal import Objects

/// The part of a verification that looks at what is below the objects: LMDB's pages and the format.
extension SnapshotStore {
    /// As ``verify(fast:progress:)``, of a store too that is too damaged to be opened.
    package static func verify(
        at path: String, fast: Bool, progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws -> VerificationReport {
        do {
            return try open(path, readOnly: true).verify(fast: fast, progress: progress)
        } catch let error as CambiumError where error.code == .corrupt {
            return try verifyUnopened(path, error)
        }
    }

    /// The faults of a store that is too damaged to be opened.
    ///
    /// - Parameter error: What opening it said; the only fault when its pages are sound.
    private static func verifyUnopened(
        _ directory: String, _ error: CambiumError
    ) throws -> VerificationReport {
        var use: FileLock?
        do {
            use = try lock(directory, "use.lock", .shared, wait: true)
        } catch let error as CambiumError where error.code == .readOnly {
            // Nobody can replace the file of a store on a disk that cannot be written.
            use = nil
        }
        var report = VerificationReport()
        do {
            report.add(try EnvironmentRegistry.pageReport(directory))
        } catch let error as CambiumError {
            report.fault("data.mdb", error.message)
        }
        if report.faults.isEmpty { report.fault("store", error.message) }
        _ = consume use
        return report
    }

    func verifyFormat(
        _ report: inout VerificationReport, _ transaction: borrowing ReadTransaction
    ) throws {
        let known = [Self.formatKey, Self.formatCheckKey]
        let table = environment.table(Self.metaTable)
        var found: [[UInt8]] = []
        try transaction.scan(table) { key, value in
            if Self.isShallowKey(key) {
                if !CheckedValue.isIntact(value, table, key) {
                    report.fault(
                        "table meta",
                        "a record of where history ends does not match its checksum: damaged on disk"
                    )
                }
            } else if !StagedPacks.isRecord(key) {
                found.append(key)
            } else if !StagedPacks.isIntact(key, value, table) {
                report.fault(
                    "table meta",
                    "a record of what a commit wrote ahead does not match its checksum; `cambium gc --prune` "
                        + "removes it")
            }
            return true
        }
        for key in known where !found.contains(key) {
            report.fault("table meta", "it has no '\(String(decoding: key, as: UTF8.self))'")
        }
        for key in found where !known.contains(key) {
            report.fault("table meta", "'\(String(decoding: key, as: UTF8.self))' is unknown")
        }
    }
}

extension VerificationReport {
    mutating func add(_ pages: PageReport) {
        for damage in pages.damages { fault(damage.subject, damage.message) }
        if pages.unlisted > 0 { fault("data.mdb", "\(pages.unlisted) more faults of pages") }
    }
}
