internal import CLMDB
package import Elements

/// One consistent state of the environment.
///
/// Ends with the value.
@safe package struct ReadTransaction: ~Copyable, TransactionAccess {
    let handle: OpaquePointer
    package let environment: Environment

    /// Most callers use `Environment.read`.
    ///
    /// Whoever holds a transaction longer keeps the pages that are freed meanwhile from being
    /// reused.
    package init(_ environment: Environment) throws {
        var transaction: OpaquePointer?
        var code = unsafe mdb_txn_begin(
            environment.handle, nil, UInt32(MDB_RDONLY), &transaction)
        if code == MDB_READERS_FULL {
            // The slots of processes that died are free for the asking.
            try environment.forgetDeadReaders()
            code = unsafe mdb_txn_begin(
                environment.handle, nil, UInt32(MDB_RDONLY), &transaction)
        }
        if code == MDB_MAP_RESIZED { throw environment.outgrown }
        try check(code, "mdb_txn_begin")
        guard let transaction = unsafe transaction else {
            throw CambiumError(.io, "mdb_txn_begin returned no transaction")
        }
        unsafe handle = transaction
        self.environment = environment
    }

    deinit {
        unsafe mdb_txn_abort(handle)
    }
}

/// What read and write transactions share: looking up and walking through a table.
package protocol TransactionAccess: ~Copyable {
    @unsafe var rawHandle: OpaquePointer { get }
    var environment: Environment { get }
}

extension ReadTransaction {
    @unsafe package var rawHandle: OpaquePointer { unsafe handle }
}

extension TransactionAccess where Self: ~Copyable {
    /// A copy of the value of `key`, or nil.
    package func value(_ table: Table, _ key: [UInt8]) throws -> [UInt8]? {
        guard let mapped = try mapped(table, key) else { return nil }
        return mapped.copy()
    }

    /// The value of `key` in place, or nil; not copied.
    ///
    /// Valid while this transaction lives. For a record that is never overwritten, also as long as
    /// it is not deleted: LMDB moves no overflow page of a record that no one touches.
    package func mapped(_ table: Table, _ key: [UInt8]) throws -> MappedBytes? {
        var found = unsafe MDB_val()
        let code = unsafe withValue(key) { keyValue in
            unsafe mdb_get(rawHandle, table.handle, keyValue, &found)
        }
        if code == MDB_NOTFOUND { return nil }
        try check(code, "mdb_get")
        return unsafe MappedBytes(
            UnsafeRawBufferPointer(start: found.mv_data, count: found.mv_size), owner: environment)
    }

    /// Calls `body` for each record in key order, from the first key ≥ `start`, until it returns
    /// false.
    ///
    /// The value is in place (see ``mapped(_:_:)``).
    package func scan(
        _ table: Table, from start: [UInt8] = [],
        _ body: (_ key: [UInt8], _ value: MappedBytes) throws -> Bool
    ) throws {
        let cursor = unsafe try Cursor(rawHandle, table, environment)
        var start: [UInt8]? = start
        while true {
            let record: (key: [UInt8], value: MappedBytes)? = try cursor.next(from: start)
            start = nil
            guard let record else { return }
            guard try body(record.key, record.value) else { return }
        }
    }

    /// The number of the state that is read: another after each commit (`mdb_txn_id`).
    package var state: Int { unsafe Int(bitPattern: UInt(mdb_txn_id(rawHandle))) }

    /// The last record of the table, or nil when it is empty.
    package func last(_ table: Table) throws -> (key: [UInt8], value: MappedBytes)? {
        let cursor = unsafe try Cursor(rawHandle, table, environment)
        return try cursor.last()
    }

    /// The last key that begins with `prefix`, or nil.
    package func last(_ table: Table, prefix: [UInt8]) throws -> [UInt8]? {
        let cursor = unsafe try Cursor(rawHandle, table, environment)
        // The first key behind all that begin with the prefix; keys have at most 511 bytes.
        let behind = prefix + repeatElement(0xFF, count: 511 - prefix.count)
        let record =
            if try cursor.next(from: behind) != nil {
                try cursor.previous()
            } else {
                try cursor.last()
            }
        guard let key = record?.key, key.starts(with: prefix) else { return nil }
        return key
    }

    package func statistics(_ table: Table) throws -> TableStatistics {
        var stat = MDB_stat()
        unsafe try check(mdb_stat(rawHandle, table.handle, &stat), "mdb_stat")
        return TableStatistics(
            entries: stat.ms_entries,
            pages: stat.ms_branch_pages + stat.ms_leaf_pages,
            overflowPages: stat.ms_overflow_pages)
    }
}

/// Lends `bytes` to a C call as an `MDB_val`.
@unsafe func withValue<Result>(
    _ bytes: [UInt8], _ body: (UnsafeMutablePointer<MDB_val>) -> Result
) -> Result {
    unsafe bytes.withUnsafeBytes { buffer in
        // LMDB reads keys and values through this pointer and never writes to them.
        var value = unsafe MDB_val(
            mv_size: buffer.count, mv_data: UnsafeMutableRawPointer(mutating: buffer.baseAddress))
        return unsafe body(&value)
    }
}
