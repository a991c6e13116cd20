internal import Elements
internal import Files
internal import KeyValue

/// A backup that was made, or a store that was made of one.
package struct BackupReport: Sendable {
    /// Length of its data file.
    package let bytes: Int
    /// What the check of the copy counted; it found no fault.
    package let verification: VerificationReport
}

extension SnapshotStore {
    /// The settings of a store, which a backup keeps.
    private static let settings = "config"
    private static let asidePrefix = ".cambium-backup-"

    /// Copies the store as it is at this moment, checks the copy and gives it its name.
    ///
    /// Readers and writers go on meanwhile: the copy is one state of the database, without free pages. It is
    /// made aside, beside the target, and named when every object was checked; killed before, it leaves a
    /// folder `.cambium-backup-…` there, and no target.
    ///
    /// - Parameters:
    ///   - target: Must not exist.
    ///   - asFile: Whether the target is the data file alone, not a folder that can be opened as a store.
    ///   - progress: Called with the packs that were checked and their number.
    /// - Throws: `.exists`; `.corrupt` when the copy has a fault, and then there is no target.
    package func backup(
        to target: String, asFile: Bool, progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws -> BackupReport {
        let (environment, directory) = (environment, directory)
        guard !fileExists(target) else {
            throw CambiumError(
                .exists, "\(target) exists already; a backup never replaces anything")
        }
        return try Self.make(target, asFile: asFile, progress) { aside in
            try environment.copyCompacted(to: aside + "/data.mdb")
            let settings = directory + "/" + Self.settings
            if !asFile, fileExists(settings) {
                try copyFile(settings, to: aside + "/" + Self.settings)
            }
        }
    }

    /// Makes a store of a backup that is one file.
    ///
    /// - Parameters:
    ///   - file: The backup, which stays as it is.
    ///   - directory: Must not exist, or be an empty folder.
    ///   - prepare: Called with the store in the making, before it is checked.
    /// - Throws: `.exists`; `.notAStore` when the file is no store's; `.corrupt` when it has a fault.
    package static func restore(
        _ file: String, to directory: String, progress: (Int, Int) throws -> Void = { _, _ in },
        prepare: (String) throws -> Void = { _ in }
    ) throws -> BackupReport {
        let isFree =
            !fileExists(directory)
            || (isDirectoryItself(directory)
                && (try? directoryContents(directory))?.isEmpty == true)
        guard isFree else {
            throw CambiumError(
                .exists, "\(directory) is not empty; a store is restored to a folder of its own")
        }
        return try make(directory, asFile: false, progress) { aside in
            try copyFile(file, to: aside + "/data.mdb")
            try prepare(aside)
        }
    }

    private static func make(
        _ target: String, asFile: Bool, _ progress: (Int, Int) throws -> Void,
        _ fill: (String) throws -> Void
    ) throws -> BackupReport {
        var parts = target.split(separator: "/", omittingEmptySubsequences: false)
        while parts.count > 1, parts.last == "" { parts.removeLast() }
        let path = parts.joined(separator: "/")
        let parent = parts.count == 1 ? "." : parts.dropLast().joined(separator: "/")
        let digits = String(UInt64.random(in: 0 ... .max), radix: 16)
        let aside = (parent.isEmpty ? "" : parent) + "/" + asidePrefix + digits
        try makeNewDirectory(aside)
        do {
            try fill(aside)
            let report = try checked(aside, target, progress)
            if asFile {
                try publishFile(aside + "/data.mdb", as: path)
                removeAside(aside)
                try syncFolder(parent.isEmpty ? "/" : parent)
            } else {
                try syncFolder(aside)
                try replaceFile(path, with: aside, in: parent.isEmpty ? "/" : parent)
            }
            return report
        } catch {
            removeAside(aside)
            throw error
        }
    }

    /// Verifies a copy and closes it again.
    private static func checked(
        _ aside: String, _ target: String, _ progress: (Int, Int) throws -> Void
    ) throws -> BackupReport {
        for name in ["use.lock", "maintenance.lock", "opening.lock"] {
            _ = try lock(aside, name, .shared, wait: true)
        }
        try makeDirectory(aside + "/leases")
        let report = try open(aside, readOnly: true).verify(fast: false, progress: progress)
        guard let fault = report.faults.first else {
            return BackupReport(
                bytes: try fileLength(aside + "/data.mdb"), verification: report)
        }
        throw CambiumError(
            .corrupt,
            "the copy has \(report.faults.count) fault(s), the first in \(fault.subject): "
                + "\(fault.message). \(target) was not made; run `cambium verify`")
    }

    /// Removes what is made aside, and nothing else; what fails stays.
    private static func removeAside(_ folder: String) {
        guard isDirectoryItself(folder) else { return }
        for name in [
            "data.mdb", "lock.mdb", "use.lock", "maintenance.lock", "opening.lock", settings,
        ] where fileExists(folder + "/" + name) {
            try? removeFile(folder + "/" + name)
        }
        try? removeDirectory(folder + "/leases")
        try? removeDirectory(folder)
    }
}
