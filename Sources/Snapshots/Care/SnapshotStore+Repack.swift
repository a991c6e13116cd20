internal import Elements
internal import Files
internal import KeyValue

/// What a repack gave back.
package struct RepackReport: Sendable {
    package let bytesBefore: Int
    package let bytesAfter: Int
    /// Nil when it was not asked to compress.
    package let compression: CompressionReport?
}

extension SnapshotStore {
    /// Rewrites the store's file without free pages and puts it in place of the old one.
    ///
    /// What the heads of branches need becomes raw where a commit stored differences: raw bytes are mapped.
    ///
    /// The new file is complete and synced before an atomic rename: killed at any point, the store
    /// is the old or the new one. Needs the store for itself and space for the copy.
    ///
    /// - Parameters:
    ///   - compress: Whether to compress first what only history needs; see `compress`.
    ///   - progress: Called with the packs that were looked at and their number.
    /// - Throws: `.busy` when another process or object has the store open.
    package static func repack(
        _ directory: String, compress: Bool = false,
        progress: (Int, Int) throws -> Void = { _, _ in },
        observer: (@Sendable (String) -> Void)? = nil
    ) throws -> RepackReport {
        // Reports what is wrong with the store before anything is locked.
        _ = try open(directory, readOnly: true).directory
        return try alone(directory, "repack") {
            let before: Int = try fileLength(directory + "/data.mdb")
            try separate(directory, observer)
            let report = try prepare(directory, compress, progress, observer)
            try replaceByCopy(directory, observer)
            return RepackReport(
                bytesBefore: before, bytesAfter: try fileLength(directory + "/data.mdb"),
                compression: report)
        }
    }

    /// What is written in the old file, before it is copied.
    private static func prepare(
        _ directory: String, _ compress: Bool, _ progress: (Int, Int) throws -> Void,
        _ observer: (@Sendable (String) -> Void)?
    ) throws -> CompressionReport? {
        let store = try openAlone(directory, observer)
        do {
            try store.restoreHeads()
        } catch let error as CambiumError where error.code == .corrupt {
            // As below.
        }
        if compress { return try store.compress(progress: progress) }
        do {
            _ = try store.mendChains()
        } catch let error as CambiumError where error.code == .corrupt {
            // Damage does not keep a store from being copied as it is; `verify` tells of it.
        }
        return nil
    }

    /// Puts a compacted copy in the file's place, whatever its format.
    static func replaceByCopy(
        _ directory: String, _ observer: (@Sendable (String) -> Void)?
    ) throws {
        // Left over from repacks that were interrupted; nobody else makes one while this has the store alone.
        for name in try directoryContents(directory)
        where StoreNames.isRandom(name, StoreNames.copy) && isRegularFile(directory + "/" + name) {
            try removeFile(directory + "/" + name)
        }
        let copy = directory + "/" + StoreNames.random(StoreNames.copy)
        do {
            let environment = try EnvironmentRegistry.open(
                directory, tables: tables, optional: laterTables, readOnly: true,
                observer: observer)
            try environment.copyCompacted(to: copy)
        } catch {
            if fileExists(copy) { try removeFile(copy) }
            TemporaryFiles.forget(copy)
            throw error
        }
        observer?("repack: before rename")
        try replaceFile(directory + "/data.mdb", with: copy, in: directory)
        TemporaryFiles.forget(copy)
        observer?("repack: after rename")
    }

    /// Runs `body` while nobody, in this process or another, has the store open.
    ///
    /// - Parameter work: What is to be done, for the message.
    /// - Throws: `.busy` when the store is open.
    package static func alone<Result>(
        _ directory: String, _ work: String, _ body: () throws -> Result
    ) throws -> Result {
        let busy = CambiumError(
            .busy, "\(directory) is open elsewhere; \(work) needs the store for itself")
        let lock: FileLock
        do {
            lock = try Self.lock(directory, "use.lock", .exclusive, wait: false)
        } catch let error as CambiumError {
            throw error.code == .busy ? busy : error
        }
        let isOpen: Bool = try EnvironmentRegistry.isOpen(directory)
        guard !isOpen else { throw busy }
        let result = try body()
        _ = lock
        return result
    }
}
