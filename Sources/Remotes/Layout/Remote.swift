internal import Elements
package import Objects
package import Snapshots

/// A store elsewhere: a place that keeps bytes, in the layout of docs/remote-format.md.
package struct Remote: Sendable {
    package let transport: MeteredTransport
    /// Requests at a time.
    package var jobs: Int
    /// Bytes after which a pack is full.
    package var packSize: Int
    /// So many random bytes; a simulation repeats its own.
    package var random: @Sendable (Int) -> [UInt8] = { count in
        (0..<count).map { _ in .random(in: .min ... .max) }
    }

    /// The default of ``packSize``.
    package static let defaultPackSize = 32 << 20

    package init(
        _ transport: any Transport, jobs: Int = 4, packSize: Int = Remote.defaultPackSize
    ) {
        self.transport = MeteredTransport(transport)
        self.jobs = jobs
        self.packSize = packSize
    }

    /// A name for one entry of a log: 32 random hexadecimal digits.
    func randomWrite() -> String {
        random(16).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    /// Requests at a time for small bodies.
    package var width: Int { jobs == 1 ? 1 : max(jobs, 8) }

    private static let markerText = "{\"format\":1,\"program\":\"cambium\"}\n"

    /// Makes the place a remote, unless it is one.
    ///
    /// - Throws: `remote` for one of another format.
    package func prepare() throws {
        if try !transport.create(RemoteKey.marker, TransportBody(Array(Self.markerText.utf8))) {
            try checkFormat()
        }
    }

    /// - Throws: `remote` when the place is no remote, or one of a later format.
    package func checkFormat() throws {
        guard try hasFormat() else {
            throw CambiumError(
                .remote,
                "\(transport.url) holds no cambium remote: nothing was pushed there yet, or the URL is not "
                    + "right")
        }
    }

    /// Whether the place is a remote of this format; false where nothing says so.
    ///
    /// - Throws: `remote` for one of a later format.
    func hasFormat() throws -> Bool {
        guard let bytes = try transport.read(RemoteKey.marker, nil, limit: 4096) else {
            return false
        }
        let json = try? JSONValue(parsing: bytes.copy(), source: RemoteKey.marker, code: .remote)
        guard let format = json?["format"]?.integer else {
            throw CambiumError(
                .remote, "\(transport.url)/\(RemoteKey.marker) is not what cambium writes there")
        }
        guard format == 1 else {
            throw CambiumError(
                .remote,
                "\(transport.url) has format \(format); this cambium knows format 1. Update it")
        }
        return true
    }

    /// All bytes of a key that must be there and have the name of its bytes.
    func named(_ key: String, _ id: ObjectID, limit: Int) throws -> MappedBytes {
        let bytes = try existing(key, nil, limit: limit)
        guard ObjectID(hashing: [], bytes.bytes) == id else {
            throw CambiumError(
                .corrupt,
                "\(key) of \(transport.url) is not what its name says: it was damaged there or on the way"
            )
        }
        return bytes
    }

    /// Bytes of a key that must be there.
    func existing(_ key: String, _ range: Range<Int>?, limit: Int) throws -> MappedBytes {
        guard let bytes = try transport.read(key, range, limit: limit) else { throw missing(key) }
        return bytes
    }

    func missing(_ key: String) -> CambiumError {
        CambiumError(
            .corrupt,
            "\(key) is missing from \(transport.url), though something there needs it; push again from a "
                + "store that has it")
    }

    /// - Parameter check: Told how many bytes the bundle takes in memory before it takes them.
    package func bundle(
        _ id: ObjectID, check: (Int) throws -> Void = { _ in }
    ) throws -> CommitBundle {
        let bytes = try named(RemoteKey.bundle(id), id, limit: Self.greatestBundle).copy()
        try check(try CommitBundle.contentCount(bytes))
        return try CommitBundle(decoding: bytes)
    }

    /// More bytes are no bundle.
    private static let greatestBundle = 1 << 30

    /// The index of a pack, which it fits.
    package func index(_ pack: CommitBundle.PackName) throws -> PackIndex {
        let key = RemoteKey.index(pack.id)
        let bytes = try named(key, pack.id, limit: PackIndex.greatestSize)
        let index = try PackIndex(decoding: bytes.copy(), key)
        guard index.count == pack.count else {
            throw CambiumError(
                .corrupt,
                "\(key) of \(transport.url) is of a pack of \(index.count) bytes, not \(pack.count): it is "
                    + "damaged")
        }
        return index
    }

    /// Every entry below a prefix, in order, with the remote's clock as it was last told.
    package func list(_ prefix: String) throws -> (entries: [TransportEntry], now: Int64) {
        var entries: [TransportEntry] = []
        var keys: Set<String> = []
        var asked: Set<String> = []
        var after: String?
        while true {
            let page = try transport.list(prefix, after: after)
            after = page.next
            // Page by page: what comes again would come for ever.
            let isSound =
                page.entries.allSatisfy { $0.key.hasPrefix(prefix) && keys.insert($0.key).inserted }
                && after.map { asked.insert($0).inserted } ?? true
            guard isSound else {
                throw CambiumError(
                    .network,
                    "\(transport.url) lists '\(prefix)' with keys twice or of other names: it is no object "
                        + "store")
            }
            entries += page.entries
            guard after == nil else { continue }
            // Some servers go through folders, in an order of their own.
            entries.sort { isBefore($0.key, $1.key) }
            return (entries, page.now)
        }
    }
}

/// By bytes, as object stores order keys.
func isBefore(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
}
