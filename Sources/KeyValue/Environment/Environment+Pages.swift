internal import CLMDB
internal import Elements
internal import Files
internal import Glibc

/// The checks of LMDB's own pages, which LMDB itself trusts: it would trap on a damaged one, or write
/// over live pages that a damaged list calls free.
extension Environment {
    /// A transaction's meta page is written over by the second commit after it, so it may be gone
    /// before it is read.
    private static let attempts = 100

    /// Refuses a file whose meta pages are damaged, before LMDB reads them.
    static func checkMetaPages(_ path: String) throws {
        try metaReport(path).check(path)
    }

    private static func metaReport(_ path: String) throws -> PageReport {
        let name = path + "/data.mdb"
        let descriptor = unsafe Glibc.open(name, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw storeError("open", name) }
        defer { close(descriptor) }
        var damages: [PageDamage] = []
        // Commits may change both while they are read.
        for _ in 0..<Self.attempts {
            let file = try PageFile(descriptor, name)
            guard let pair = PageMeta.pair(file) else {
                throw CambiumError(
                    .corrupt,
                    "\(name) has only \(file.count) pages: it was truncated. Restore it from a backup"
                )
            }
            damages = PageMeta.damages(pair, pages: file.count, greatestMap: greatestMapSize)
            if damages.isEmpty { break }
            sched_yield()
        }
        return PageReport(damages: damages)
    }

    /// Refuses a file whose tables have damaged pages, before LMDB reads them.
    ///
    /// - Complexity: Reads every branch and leaf once, some microseconds each; no overflow page.
    @unsafe static func checkTrees(
        _ environment: OpaquePointer, _ path: String
    ) throws {
        try unsafe report(environment, path, .tables).check(path)
    }

    /// Looks through the pages of the newest state.
    @unsafe private static func report(
        _ environment: OpaquePointer, _ path: String, _ extent: PageWalk.Extent
    ) throws -> PageReport {
        for _ in 0..<attempts {
            var transaction: OpaquePointer?
            unsafe try check(
                mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction), "mdb_txn_begin")
            defer { unsafe mdb_txn_abort(transaction) }
            let number = UInt64(unsafe mdb_txn_id(transaction))
            if let report = try unsafe report(environment, path, number, extent) { return report }
        }
        throw CambiumError(.busy, "\(path) changes too fast to be checked; try again")
    }

    /// Looks through the pages of the state that a transaction left; nil when its meta page is gone.
    @unsafe private static func report(
        _ environment: OpaquePointer, _ path: String, _ transaction: UInt64,
        _ extent: PageWalk.Extent
    ) throws -> PageReport? {
        var descriptor: Int32 = -1
        unsafe try check(mdb_env_get_fd(environment, &descriptor), "mdb_env_get_fd")
        let file = try PageFile(descriptor, path + "/data.mdb")
        guard let pair = PageMeta.pair(file),
            let meta = [pair.newest, pair.older].first(where: { $0.transaction == transaction })
        else { return nil }
        // Where the file ends before the last page, what is missing must be free.
        let isShort = meta.lastPage >= UInt64(file.count) && extent == .tables
        var walk = PageWalk(file, meta, isShort ? .both : extent)
        walk.run()
        return PageReport(
            damages: walk.damages, unlisted: walk.unlisted, freePages: walk.freeCount)
    }

    /// Refuses to write to a file whose list of free pages is damaged: a commit would write over what
    /// is in use.
    func checkFreePages(_ transaction: borrowing WriteTransaction) throws {
        // No other commit can happen, so the state before this one is there.
        let number = UInt64(unsafe mdb_txn_id(transaction.rawHandle)) - 1
        guard let report = try unsafe Self.report(handle, path, number, .both) else {
            throw CambiumError(
                .corrupt,
                "\(path)/data.mdb has no meta page of transaction \(number); run `cambium verify`")
        }
        try report.check(path)
    }

    /// The number of pages that later commits may use.
    ///
    /// - Throws: `.corrupt` when their list is damaged.
    func freePageCount() throws -> Int {
        let report = try unsafe Self.report(handle, path, .freeList)
        try report.check(path)
        return report.freePages
    }

    /// Looks through all pages of the state that a transaction reads; nil when commits came between
    /// its begin and this call, and a new transaction is needed.
    ///
    /// What it finds LMDB may trap on: read no table of a store with damages.
    /// - Complexity: Reads every branch and leaf, and of each overflow run the header.
    package func pageReport(
        _ transaction: borrowing ReadTransaction
    ) throws -> PageReport? {
        let number = UInt64(unsafe mdb_txn_id(transaction.rawHandle))
        return try unsafe Self.report(handle, path, number, .everything)
    }

    /// Looks through all pages of a file that cannot be opened as a store.
    static func pageReport(_ path: String) throws -> PageReport {
        let metas = try metaReport(path)
        guard metas.damages.isEmpty else { return metas }
        var created: OpaquePointer?
        unsafe try check(mdb_env_create(&created), "mdb_env_create")
        defer { unsafe mdb_env_close(created) }
        guard let environment = unsafe created else { return .sound }
        let mapSize = try mapSize(path, length: try fileLength(path + "/data.mdb"), writes: false)
        unsafe try check(mdb_env_set_mapsize(environment, mapSize), "mdb_env_set_mapsize")
        unsafe try check(
            mdb_env_set_maxreaders(environment, UInt32(maximumReaders)), "mdb_env_set_maxreaders")
        var flags = UInt32(MDB_NOTLS) | UInt32(MDB_NORDAHEAD) | UInt32(MDB_RDONLY)
        if try !prepareLockFile(path, readOnly: true) { flags |= UInt32(MDB_NOLOCK) }
        let code = withoutStandardDescriptors {
            unsafe mdb_env_open(environment, path, flags, 0o666)
        }
        try check(code, "mdb_env_open")
        return try unsafe report(environment, path, .everything)
    }
}
