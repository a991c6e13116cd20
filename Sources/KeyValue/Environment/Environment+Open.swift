internal import CLMDB
internal import Elements
internal import Files
internal import Glibc

/// What an environment is opened for.
enum Opening {
    /// Makes the file and its tables.
    case creating
    case writing
    /// Writes nothing but its place in LMDB's table of readers.
    case reading
    /// The same on a disk that cannot be written, where there is no place to take.
    case readingAlone
}

/// The steps of opening an environment.
extension Environment {
    /// Refuses a file that LMDB would take for a new one, or that is none of its own.
    package static func checkFile(_ path: String) throws {
        let start = try readStoreFile(path, limit: metaEnd)
        // lmdb.h keeps the file's layout private; mdb.c, MDB_meta: after the page header of 16
        // bytes come the magic number 0xBEEFC0DE and the version.
        // One of them may be damaged.
        let isMeta = [16, metaEnd / 2 + 16].contains {
            start.count >= $0 + 4 && start.raw.number(at: $0) == UInt32(0xBEEF_C0DE)
        }
        guard isMeta else { throw CambiumError(.notAStore, "\(path) is not an LMDB file") }
        guard start.count == metaEnd else {
            throw CambiumError(
                .corrupt,
                "\(path) has only \(start.count) bytes: it was truncated. Restore it from a backup")
        }
    }

    /// Both meta pages.
    private static let metaEnd = 2 * 4096

    /// Opens LMDB's environment: neither waits for a writer nor, unless it creates, writes the file.
    @unsafe static func open(
        _ path: String, _ names: [String], _ optional: Set<String>, _ opening: Opening
    ) throws -> (handle: OpaquePointer, tables: [String: Table], mapSize: Int) {
        let writes = opening == .writing || opening == .creating
        let length = opening == .creating ? 0 : try fileLength(path + "/data.mdb")
        let mapSize = try mapSize(path, length: length, writes: writes)
        var created: OpaquePointer?
        unsafe try check(mdb_env_create(&created), "mdb_env_create")
        guard let environment = unsafe created else {
            throw CambiumError(.io, "mdb_env_create returned no environment")
        }
        do {
            unsafe try check(mdb_env_set_mapsize(environment, mapSize), "mdb_env_set_mapsize")
            unsafe try check(
                mdb_env_set_maxreaders(environment, UInt32(maximumReaders)),
                "mdb_env_set_maxreaders")
            unsafe try check(
                mdb_env_set_maxdbs(environment, UInt32(names.count)), "mdb_env_set_maxdbs")
            var flags = UInt32(MDB_NOTLS) | UInt32(MDB_NORDAHEAD)
            if !writes { flags |= UInt32(MDB_RDONLY) }
            if opening == .readingAlone { flags |= UInt32(MDB_NOLOCK) }
            // LMDB opens its files itself, and keeps them.
            let code = withoutStandardDescriptors {
                unsafe mdb_env_open(environment, path, flags, 0o666)
            }
            try check(code, "mdb_env_open")
            try unsafe checkTrees(environment, path)
            if writes {
                var dead: Int32 = 0
                unsafe try check(mdb_reader_check(environment, &dead), "mdb_reader_check")
            }
            let tables = unsafe try openTables(
                names, optional, environment, creating: opening == .creating)
            return unsafe (environment, tables, mapSize)
        } catch {
            unsafe mdb_env_close(environment)
            throw error
        }
    }

    /// Opens the tables; only to make them, in a write transaction, which would wait for another writer.
    @unsafe private static func openTables(
        _ names: [String], _ optional: Set<String>, _ environment: OpaquePointer, creating: Bool
    ) throws -> [String: Table] {
        var transaction: OpaquePointer?
        let flags = creating ? 0 : UInt32(MDB_RDONLY)
        unsafe try check(mdb_txn_begin(environment, nil, flags, &transaction), "mdb_txn_begin")
        var tables: [String: Table] = [:]
        var missing: String?
        do {
            for name in names {
                var handle: MDB_dbi = 0
                let create = creating ? UInt32(MDB_CREATE) : 0
                let code = unsafe mdb_dbi_open(transaction, name, create, &handle)
                if code == MDB_NOTFOUND, optional.contains(name) { continue }
                if code == MDB_NOTFOUND {
                    missing = missing ?? name
                    continue
                }
                try check(code, "mdb_dbi_open")
                tables[name] = Table(handle: handle, name: name)
            }
            if let missing {
                throw tables.isEmpty
                    ? CambiumError(
                        .notAStore, "the file has no table '\(missing)': not a cambium store")
                    : CambiumError(
                        .corrupt,
                        "the file has no table '\(missing)', but others of a store: damaged on disk. "
                            + "Restore it from a backup")
            }
        } catch {
            unsafe mdb_txn_abort(transaction)
            throw error
        }
        unsafe try check(mdb_txn_commit(transaction), "mdb_txn_commit")
        return tables
    }
}
