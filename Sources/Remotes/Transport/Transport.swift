package import Elements
package import Objects

/// A place that keeps named bytes: what a remote needs of a disk or of an object store, and no more.
///
/// Keys are relative to the remote: components of `A-Z a-z 0-9 . _ - ~` between single slashes. Calls may be made
/// from many threads at once. A transport retries by itself what is safe to repeat; ``create(_:_:)`` is not, so
/// whoever creates tells by what the key holds whose bytes they are.
///
/// Every call throws `network` when the place cannot be reached or answers with what makes no sense, `denied`
/// when it refuses the credentials, and `remote` when it cannot do what is asked.
package protocol Transport: Sendable {
    /// The URL, without credentials, for messages.
    var url: String { get }

    /// The bytes of a key, or a range of them.
    ///
    /// - Parameters:
    ///   - range: Nil for all.
    ///   - limit: More bytes are an error (`network`), before they fill memory.
    /// - Returns: Exactly the range asked for, or all; nil when there is no such key.
    /// - Throws: `network` also for a body that is shorter than announced, or a range outside of what is there.
    func read(_ key: String, _ range: Range<Int>?, limit: Int) throws -> MappedBytes?

    /// Stores bytes under a key, whatever was there; all or nothing.
    ///
    /// Durable when it returns.
    func write(_ key: String, _ body: TransportBody) throws

    /// Stores bytes under a key that must not exist; all or nothing, one winner among many.
    ///
    /// - Returns: Whether these bytes were stored; false when the key was there.
    /// - Throws: `network` may mean either: the answer was lost. Read the key back.
    func create(_ key: String, _ body: TransportBody) throws -> Bool

    /// What is under a prefix, at most 1,000 entries at a time, ascending by the bytes of their keys.
    ///
    /// Keys without another slash behind the prefix ascend over all pages. Some servers go through folders, `a/` before
    /// `a-b/`; then only all pages together, each asked for by the ``TransportListing/next`` of the one before, are
    /// complete.
    ///
    /// - Parameters:
    ///   - prefix: Any beginning of a key.
    ///   - after: Only what comes behind this: the last page's `next`, or a key that has no further slash behind the
    ///     prefix.
    func list(_ prefix: String, after: String?) throws -> TransportListing

    /// Length and time of one key; nil when there is no such key.
    func entry(_ key: String) throws -> (entry: TransportEntry, now: Int64)?

    /// Removes a key; one that is not there is no error.
    func delete(_ key: String) throws

    /// Removes what writers that died left behind, which no list tells.
    ///
    /// - Parameter age: Seconds since it was last written, by the place's own clock.
    /// - Returns: How many there were, and their bytes.
    func removeLeftovers(olderThan age: Int64) throws -> (count: Int, bytes: Int)
}

extension Transport {
    /// Nothing: where a write is a request, one that is cut off leaves nothing.
    package func removeLeftovers(olderThan age: Int64) throws -> (count: Int, bytes: Int) { (0, 0) }
}

/// Bytes to be stored, in pieces that lie one after another; not copied.
package struct TransportBody: Sendable {
    package let pieces: [MappedBytes]
    package let count: Int
    /// The SHA-256 of all of it, to sign with.
    package let digest: ObjectID

    package init(_ pieces: [MappedBytes], digest: ObjectID) {
        self.pieces = pieces
        self.digest = digest
        count = pieces.reduce(0) { $0 + $1.count }
    }

    package init(_ bytes: [UInt8]) {
        self.init([MappedBytes(copying: bytes)], digest: ObjectID(hashing: bytes))
    }
}

/// One key of a listing.
package struct TransportEntry: Sendable, Equatable {
    package let key: String
    package let size: Int
    /// When it was last written, by the place's own clock: seconds since 1970.
    package let modified: Int64

    package init(key: String, size: Int, modified: Int64) {
        self.key = key
        self.size = size
        self.modified = modified
    }
}

/// A part of a listing.
package struct TransportListing: Sendable, Equatable {
    package let entries: [TransportEntry]
    /// What to ask for the next page with; nil when this is the last.
    package let next: String?
    /// The place's own clock when it answered: seconds since 1970.
    package let now: Int64

    package init(entries: [TransportEntry], next: String?, now: Int64) {
        self.entries = entries
        self.next = next
        self.now = now
    }
}
