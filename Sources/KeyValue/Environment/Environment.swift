internal import CLMDB
internal import Elements
internal import Files
internal import Glibc
internal import Synchronization

/// One LMDB environment: the directory, its memory map and its tables.
///
/// Readers are short: a transaction is only held inside `read`. Bytes of immutable records may be
/// kept as ``MappedBytes`` after it; the map's address never changes while this object lives,
/// because the map size is set once.
@safe package final class Environment: Sendable {
    package static let maximumReaders = 1022

    /// LMDB: "A thread may use mdb_env handles from several threads; a transaction may only be used
    /// by one" (lmdb.h, "Caveats").
    ///
    /// Transactions never leave the closures below.
    nonisolated(unsafe) let handle: OpaquePointer
    /// Bytes of address space that the map takes: a bound of the file's length.
    package let mapSize: Int
    package let path: String
    let opening: Opening
    /// What was opened for reading writes by a handle of its own, once it is asked to; see `beginWriting`.
    let writer = Mutex(WritingHandle())
    let tableNames: [String]
    let optionalTables: Set<String>
    private let tables: [String: Table]
    private let observer: (@Sendable (String) -> Void)?
    private let poison = Poison()
    private let hasSoundFreePages = Atomic(false)
    /// Where the map begins, once it was asked for; 0 before.
    let mapStart = Atomic<UInt>(0)
    /// Held shared as long as the file is mapped; whoever replaces the file needs it alone.
    private let use: FileLock?
    private let attached = Mutex<(any AnyObject & Sendable)?>(nil)

    /// Opens or creates the environment in an existing directory.
    ///
    /// - Parameters:
    ///   - tables: Every table that will be used.
    ///   - optional: Those that need not exist.
    ///   - creating: Makes the file and its tables; otherwise both must exist, so that a file of
    ///     another program is left as it is.
    ///   - use: Kept as long as the file is mapped.
    ///   - observer: Called before and after each step that changes the disk. Tests stop there.
    init(
        path: String, tables names: [String], optional: Set<String>, readOnly: Bool, creating: Bool,
        use: consuming FileLock?, observer: (@Sendable (String) -> Void)?
    ) throws {
        if !creating {
            try Self.checkFile(path + "/data.mdb")
            try Self.checkMetaPages(path)
        }
        if !readOnly && !creating { try Self.checkUnshared(path) }
        let hasLockFile = try Self.prepareLockFile(path, readOnly: readOnly)
        opening =
            creating ? .creating : !readOnly ? .writing : hasLockFile ? .reading : .readingAlone
        let opened = try unsafe Self.open(path, names, optional, opening)
        unsafe handle = opened.handle
        mapSize = unsafe opened.mapSize
        tables = unsafe opened.tables
        tableNames = names
        optionalTables = optional
        self.path = path
        self.observer = observer
        self.use = use
    }

    deinit {
        EnvironmentRegistry.close(path) {
            // Together: LMDB's locks belong to the process, and closing one handle drops the other's.
            writer.withLock { unsafe $0.close() }
            unsafe mdb_env_close(handle)
        }
    }

    /// What a layer above keeps with the environment, for all who share it.
    package var attachment: (any AnyObject & Sendable)? {
        get { attached.withLock { $0 } }
        set { attached.withLock { $0 = newValue } }
    }

    /// Whether nothing can be written.
    package var isReadOnly: Bool { unsafe writingHandle == nil }

    /// The handle to write by; nil when there is none.
    @unsafe var writingHandle: OpaquePointer? {
        if opening == .creating || opening == .writing { return unsafe handle }
        return unsafe writer.withLock { unsafe $0.handle }
    }

    /// A table that was named at opening.
    ///
    /// Traps on any other name: a programmer's mistake.
    package func table(_ name: String) -> Table {
        guard let table = tables[name] else { preconditionFailure("no table named \(name)") }
        return table
    }

    /// Whether a table that need not exist does.
    package func hasTable(_ name: String) -> Bool { tables[name] != nil }

    /// Frees the reader slots of processes that died, which keep freed pages from being reused.
    package func forgetDeadReaders() throws {
        var dead: Int32 = 0
        unsafe try check(mdb_reader_check(handle, &dead), "mdb_reader_check")
    }

    /// Tells the observer that a step of a write is about to happen or has happened.
    package func step(_ name: String) {
        observer?(name)
    }

    /// Runs `body` in a read transaction: one consistent state, never blocked by a writer.
    package func read<Result>(
        _ body: (borrowing ReadTransaction) throws -> Result
    ) throws -> Result {
        let transaction = try ReadTransaction(self)
        return try body(transaction)
    }

    /// Runs `body` in the write transaction and commits when it returns; any error aborts.
    ///
    /// Waits for another writer. `body` must not suspend or start another write on this thread.
    ///
    /// - Parameter drawsReserve: On a full disk the ``Reserve`` is given up and `body` runs once more; for what makes
    ///   room or moves references, and whose body may run twice.
    /// - Throws: `.io` when an earlier commit failed: reopen the store first.
    package func write<Result>(
        _ label: String, drawsReserve: Bool = false,
        _ body: (borrowing WriteTransaction) throws -> Result
    ) throws -> Result {
        do {
            return try writeOnce(label, body)
        } catch let error as CambiumError {
            guard drawsReserve, error.isDiskFull, Reserve.giveUp(in: path) else { throw error }
            return try writeOnce(label, body)
        }
    }

    private func writeOnce<Result>(
        _ label: String, _ body: (borrowing WriteTransaction) throws -> Result
    ) throws -> Result {
        try poison.check()
        step("\(label): begin")
        let transaction = try WriteTransaction(self)
        if !hasSoundFreePages.load(ordering: .relaxed) {
            try checkFreePages(transaction)
            hasSoundFreePages.store(true, ordering: .relaxed)
        }
        let result = try body(transaction)
        step("\(label): before commit")
        do {
            try transaction.commit()
        } catch let error as CambiumError {
            let cause = Self.cause(of: error, path)
            // A transaction that found no room wrote free pages only, and LMDB refuses by itself to go on when
            // its meta page could not be written (mdb.c, mdb_env_write_meta: MDB_FATAL_ERROR).
            if cause.code != .diskFull { poison.set(cause.message) }
            throw cause
        }
        step("\(label): after commit")
        return result
    }
}
