internal import CLMDB

/// One named table (an LMDB database handle) of an environment.
///
/// Handles are opened with the environment and stay valid until it closes.
package struct Table: Sendable {
    let handle: MDB_dbi
    package let name: String
}

/// Pages and entries of one table.
package struct TableStatistics: Sendable {
    package let entries: Int
    package let pages: Int
    package let overflowPages: Int
}
