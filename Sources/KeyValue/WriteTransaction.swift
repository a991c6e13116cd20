internal import CLMDB
internal import Elements

/// The one write transaction of an environment.
///
/// Lives only inside `Environment.write`.
@safe package struct WriteTransaction: ~Copyable, TransactionAccess {
    let handle: Handle
    package let environment: Environment

    /// Ends the LMDB transaction exactly once.
    @safe final class Handle {
        var pointer: OpaquePointer?

        init(_ pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }

        deinit {
            unsafe mdb_txn_abort(pointer)
        }
    }

    init(_ environment: Environment) throws {
        guard let writer = unsafe environment.writingHandle else {
            throw CambiumError(.readOnly, "the store at \(environment.path) was opened read-only")
        }
        var transaction: OpaquePointer?
        let code = unsafe mdb_txn_begin(writer, nil, 0, &transaction)
        if code == MDB_MAP_RESIZED { throw environment.outgrown }
        try check(code, "mdb_txn_begin")
        guard let transaction = unsafe transaction else {
            throw CambiumError(.io, "mdb_txn_begin returned no transaction")
        }
        handle = unsafe Handle(transaction)
        self.environment = environment
    }

    @unsafe package var rawHandle: OpaquePointer {
        guard let pointer = unsafe handle.pointer else {
            preconditionFailure("the write transaction has ended")
        }
        return unsafe pointer
    }

    /// Stores `value` under `key`, replacing what was there.
    ///
    /// Copied by LMDB.
    package func put(_ table: Table, _ key: [UInt8], _ value: [UInt8]) throws {
        let code = unsafe withValue(key) { keyValue in
            unsafe withValue(value) { unsafe mdb_put(rawHandle, table.handle, keyValue, $0, 0) }
        }
        try check(code, "mdb_put")
    }

    /// Stores a new last record: `key` must be above every key of the table.
    package func append(_ table: Table, _ key: [UInt8], _ value: [UInt8]) throws {
        let code = unsafe withValue(key) { keyValue in
            unsafe withValue(value) {
                unsafe mdb_put(rawHandle, table.handle, keyValue, $0, UInt32(MDB_APPEND))
            }
        }
        try check(code, "mdb_put(MDB_APPEND)")
    }

    /// Stores a new last record, as ``append(_:_:_:)`` does, that is written where LMDB keeps it.
    ///
    /// - Parameter body: Writes all `count` bytes; what it leaves out is anything.
    package func append(
        _ table: Table, _ key: [UInt8], count: Int, _ body: (inout MutableRawSpan) -> Void
    ) throws {
        var value = unsafe MDB_val(mv_size: count, mv_data: nil)
        let code = unsafe withValue(key) { keyValue in
            unsafe mdb_put(
                rawHandle, table.handle, keyValue, &value, UInt32(MDB_APPEND) | UInt32(MDB_RESERVE))
        }
        try check(code, "mdb_put(MDB_RESERVE)")
        let room = unsafe UnsafeMutableRawBufferPointer(
            start: value.mv_data, count: value.mv_size)
        var span = unsafe MutableRawSpan(_unsafeBytes: room)
        body(&span)
    }

    /// Removes `key`; returns whether it was there.
    @discardableResult
    package func delete(_ table: Table, _ key: [UInt8]) throws -> Bool {
        let code = unsafe withValue(key) { unsafe mdb_del(rawHandle, table.handle, $0, nil) }
        if code == MDB_NOTFOUND { return false }
        try check(code, "mdb_del")
        return true
    }

    /// Makes a table that this file lacks, within the transaction.
    ///
    /// It is one of the environment's tables once the transaction has committed and the environment
    /// is opened again.
    package func create(table name: String) throws -> Table {
        var handle: MDB_dbi = 0
        unsafe try check(
            mdb_dbi_open(rawHandle, name, UInt32(MDB_CREATE), &handle), "mdb_dbi_open")
        return Table(handle: handle, name: name)
    }

    /// Removes every record of the table.
    package func clear(_ table: Table) throws {
        unsafe try check(mdb_drop(rawHandle, table.handle, 0), "mdb_drop")
    }

    /// Makes the transaction durable.
    ///
    /// LMDB frees it whether or not this succeeds.
    func commit() throws {
        let pointer = unsafe rawHandle
        unsafe handle.pointer = nil
        unsafe try check(mdb_txn_commit(pointer), "mdb_txn_commit")
    }
}
