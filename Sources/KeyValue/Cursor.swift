internal import CLMDB
internal import Elements

/// One LMDB cursor; ends before the transaction that it walks in.
@safe struct Cursor: ~Copyable {
    private let handle: OpaquePointer
    private let environment: Environment

    @unsafe init(_ transaction: OpaquePointer, _ table: Table, _ environment: Environment)
        throws
    {
        var cursor: OpaquePointer?
        unsafe try check(mdb_cursor_open(transaction, table.handle, &cursor), "mdb_cursor_open")
        guard let cursor = unsafe cursor else {
            throw CambiumError(.io, "mdb_cursor_open returned no cursor")
        }
        unsafe handle = cursor
        self.environment = environment
    }

    deinit {
        unsafe mdb_cursor_close(handle)
    }

    /// The next record, or with `start` the first one whose key is not below it.
    func next(from start: [UInt8]?) throws -> (key: [UInt8], value: MappedBytes)? {
        guard let start else { return try get(MDB_NEXT, []) }
        return try get(start.isEmpty ? MDB_FIRST : MDB_SET_RANGE, start)
    }

    func previous() throws -> (key: [UInt8], value: MappedBytes)? {
        try get(MDB_PREV, [])
    }

    func last() throws -> (key: [UInt8], value: MappedBytes)? {
        try get(MDB_LAST, [])
    }

    private func get(
        _ operation: MDB_cursor_op, _ start: [UInt8]
    ) throws -> (key: [UInt8], value: MappedBytes)? {
        var value = unsafe MDB_val()
        var key: [UInt8] = []
        let code = unsafe withValue(start) { keyValue in
            let code = unsafe mdb_cursor_get(handle, keyValue, &value, operation)
            if code == 0 {
                key = unsafe Array(
                    UnsafeRawBufferPointer(
                        start: keyValue.pointee.mv_data, count: keyValue.pointee.mv_size))
            }
            return code
        }
        if code == MDB_NOTFOUND { return nil }
        try check(code, "mdb_cursor_get")
        let mapped = unsafe MappedBytes(
            UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size), owner: environment)
        return (key, mapped)
    }
}
