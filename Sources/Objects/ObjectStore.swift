package import Elements
package import KeyValue

/// One object, read in place.
package struct StoredObject: Sendable {
    package let id: ObjectID
    package let header: ObjectHeader
    /// The raw data, not copied.
    ///
    /// Valid while the transaction or a lease keeps the object.
    package let payload: MappedBytes
    package let location: Location
    /// Whether the data were decompressed or fetched: then they lie in memory of their own, not in the map.
    let isDecoded: Bool
    /// Whether they were hashed against the name then.
    let isHashed: Bool
    /// Whether nothing else is in that memory.
    package var isAlone = false
    /// Whether the data are part of the map.
    package var isMapped: Bool { !isDecoded }

    /// The same object, its bytes kept by another owner of the map.
    ///
    /// Decompressed bytes stay with the owner that they have.
    package func owned(by owner: any AnyObject & Sendable) -> StoredObject {
        guard !isDecoded else { return self }
        return StoredObject(
            id: id, header: header, payload: payload.owned(by: owner), location: location,
            isDecoded: false, isHashed: false)
    }

    /// Asks the system to read the data into its cache, all at once; small ones are left to ``willRead(_:)``.
    ///
    /// A map is read page by page as it is touched (the store's has no reading ahead), a tenth of what a disk can give.
    package func willRead() {
        if isMapped, payload.count >= Self.readTogether { MappedBytes.willNeed([payload]) }
    }

    /// From how many bytes on an object is worth a call of its own.
    private static let readTogether = 1 << 16

    /// As ``willRead()``, of objects that are read one after the other: neighbours come together.
    package static func willRead(_ objects: [StoredObject]) {
        MappedBytes.willNeed(objects.lazy.filter(\.isMapped).map(\.payload))
    }

    /// Hashes the data against the object's name.
    ///
    /// - Throws: `.corrupt` when they do not match: the data were damaged on disk.
    package func check() throws {
        if isHashed { return }
        willRead()
        let actual = header.id(of: payload.bytes)
        guard actual == id else {
            throw CambiumError(
                .corrupt,
                "the data of object \(id.short) in pack \(location.pack) hash to \(actual.short): "
                    + "damaged on disk. Commit the intact bytes again or restore a backup; "
                    + "`cambium verify` lists all damage")
        }
    }
}

extension StoredObject {
    /// An object of zeros that is nowhere stored.
    package init(zeros header: ObjectHeader) {
        let payload = MappedBytes(copying: [UInt8](repeating: 0, count: header.payloadCount))
        self.init(
            id: header.id(of: payload.bytes), header: header, payload: payload,
            location: Location(pack: 0, unit: 0), isDecoded: true, isHashed: true, isAlone: true)
    }
}

/// Reads objects from one state of the environment.
package struct ObjectReader {
    private let index: LocationIndex
    let packs: Packs
    /// Whether what lies on a remote is fetched; if not, what needs it throws ``notHere``.
    package var fetches = true

    /// Packs whose structure was checked; valid as long as the transaction.
    final class Packs {
        /// Compressed ones without their data.
        fileprivate var byNumber: [UInt32: Pack] = [:]
        /// The one that was wanted last: neighbours are often wanted next.
        fileprivate var last: Pack?
        let blocks: OpenBlocks
        /// Promised bytes that were asked for together and not used yet.
        var ahead: [BulkRange: MappedBytes] = [:]

        init(_ blocks: OpenBlocks) { self.blocks = blocks }

        /// Keeps what was fetched until it is used; what is not as long as it should be is fetched anew.
        func keep(_ fetched: some Sequence<(key: BulkRange, value: MappedBytes)>) {
            for (range, bytes) in fetched where bytes.count == range.count { ahead[range] = bytes }
        }
    }

    /// Reads the index's chunk headers; cost grows with the number of runs, not of objects.
    package init(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        try self.init(transaction, OpenBlocks())
    }

    /// - Parameter blocks: Shared with other readers of packs that nobody writes again meanwhile.
    init(
        _ transaction: borrowing some TransactionAccess & ~Copyable, _ blocks: OpenBlocks
    ) throws {
        index = try LocationIndex(transaction)
        packs = Packs(blocks)
    }

    /// Entries of the index: one for each object that it names, and for each copy.
    package var indexCount: Int { index.runs.joined().reduce(0) { $0 + $1.count } }

    /// Where the object lies, or nil when it is not stored: the newest copy.
    ///
    /// - Throws: `.corrupt` when a pack that may hold it cannot be read.
    package func location(
        of id: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Location? {
        try find(id, transaction).map { $0.pack.location($0.index) }
    }

    /// The ids of stored objects that begin with the hexadecimal digits.
    package func ids(
        prefix: String, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [ObjectID] {
        let digits = 2 * ObjectID.byteCount - prefix.utf8.count
        guard digits >= 0,
            let low = ObjectID(hex: prefix + String(repeating: "0", count: digits)),
            let high = ObjectID(hex: prefix + String(repeating: "f", count: digits))
        else { return [] }
        var found: Set<ObjectID> = []
        try candidates(low.prefix...high.prefix, transaction) { (pack, index) in
            let id = pack.id(index)
            if id >= low, id <= high { found.insert(id) }
            return true
        }
        return found.sorted()
    }

    /// The newest copy of an object, and where older ones lie.
    ///
    /// There is more than one only until a collection: where it was stopped after it had copied, and
    /// where a damaged object was stored again.
    struct Copies {
        let pack: Pack
        let index: Int
        var older: [Location] = []

        var location: Location { pack.location(index) }
    }

    /// Every copy of an object; nil when it is not stored.
    ///
    /// - Throws: `.corrupt` when a pack that may hold it cannot be read.
    func copies(
        of id: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Copies? {
        var found: Copies?
        try candidates(id.prefix...id.prefix, transaction) { (pack, index) in
            guard pack.id(index) == id else { return true }
            if let newest = found {
                if pack.location(index) != newest.location {
                    found?.older.append(pack.location(index))
                }
            } else {
                found = Copies(pack: pack, index: index)
            }
            return true
        }
        return found
    }

    /// Where all copies of an object lie, the newest first.
    package func locations(
        of id: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [Location] {
        try copies(of: id, transaction).map { [$0.location] + $0.older } ?? []
    }

    func find(
        _ id: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> (pack: Pack, index: Int)? {
        var found: (pack: Pack, index: Int)?
        try candidates(id.prefix...id.prefix, transaction) { (pack, index) in
            if pack.id(index) == id { found = (pack, index) }
            return found == nil
        }
        return found
    }

    /// Calls `body` with every object at the places that the index has for these prefixes, newest
    /// first, until it returns false.
    private func candidates(
        _ range: ClosedRange<UInt64>, _ transaction: borrowing some TransactionAccess & ~Copyable,
        _ body: (Pack, Int) -> Bool
    ) throws {
        // A closure cannot capture a borrowed transaction, so the places are listed first.
        var locations: [Location] = []
        try index.forEach(range) { location in
            locations.append(location)
            return true
        }
        for location in locations {
            let pack = try pack(location.pack, transaction)
            for index in pack.indexes(unit: location.unit) {
                guard body(pack, index) else { return }
            }
        }
    }

    /// Where the object lies and what it is, its data unread; nil when it is not stored.
    package func place(
        of id: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> (location: Location, header: ObjectHeader)? {
        try find(id, transaction).map { ($0.pack.location($0.index), $0.pack.header($0.index)) }
    }

    /// A copy of the object's data, which were checked against its name.
    package func data(
        _ id: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> (header: ObjectHeader, bytes: [UInt8]) {
        let object = try object(id, transaction)
        try object.check()
        return (object.header, object.payload.copy())
    }

    /// The object named `id`, its data unread.
    ///
    /// - Throws: `.notFound`, or `.corrupt` when a pack that may hold it cannot be read.
    package func object(
        _ id: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> StoredObject {
        guard let found = try find(id, transaction) else { throw Self.missing(id) }
        return try stored(found.pack, found.index, transaction)
    }

    /// The object at a place where one whose id ends with `check` was put.
    ///
    /// - Throws: `.corrupt` when there is none.
    package func object(
        at location: Location, check: UInt32,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> StoredObject {
        let pack = try pack(location.pack, transaction)
        guard let index = pack.index(unit: location.unit, check: check) else {
            throw Self.misplaced(location)
        }
        return try stored(pack, index, transaction)
    }

    /// The id of the object at a place; see ``object(at:check:_:)``.
    package func id(
        at location: Location, check: UInt32,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ObjectID {
        guard
            let id = try pack(location.pack, transaction).id(unit: location.unit, check: check)
        else { throw Self.misplaced(location) }
        return id
    }

    static func missing(_ id: ObjectID) -> CambiumError {
        CambiumError(.notFound, "no object \(id.short) in this store")
    }

    package static func misplaced(_ location: Location) -> CambiumError {
        CambiumError(
            .corrupt,
            "the wanted object is not at unit \(location.unit) of pack \(location.pack); run "
                + "`cambium verify`")
    }

    /// The pack of this number, a compressed one without its data; see ``readable(_:_:)``.
    ///
    /// - Throws: `.corrupt` when there is none.
    package func pack(
        _ number: UInt32, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Pack {
        if let last = packs.last, last.number == number { return last }
        let pack = try checkedPack(number, transaction)
        packs.last = pack
        return pack
    }

    private func checkedPack(
        _ number: UInt32, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Pack {
        if let pack = packs.byNumber[number] { return pack }
        guard let pack = try Self.packIfPresent(number, transaction) else {
            throw CambiumError(.corrupt, "pack \(number) is missing; run `cambium verify`")
        }
        packs.byNumber[number] = pack
        return pack
    }

    /// The highest number of a pack, or 0.
    package static func lastPack(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> UInt32 {
        let last = try transaction.last(transaction.environment.table(ObjectStore.packTable))
        return try last.map { record in
            do {
                return try PackFormat.packNumber(record.key)
            } catch let error as CambiumError {
                throw CambiumError(.corrupt, error.message)
            }
        } ?? 0
    }

    /// The pack, or nil when there is none of this number (any more).
    ///
    /// Its directory is not hashed; `verify` does that.
    package static func packIfPresent(
        _ number: UInt32, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Pack? {
        let table = transaction.environment.table(ObjectStore.packTable)
        let record: MappedBytes? = try transaction.mapped(table, PackFormat.key(UInt64(number)))
        return try record.map { record in
            try Pack(number: number, record: record, checksum: false)
        }
    }
}

/// The tables that hold objects.
package enum ObjectStore {
    package static let packTable = "packs"
    package static let indexTable = "index"
    /// Facts about the store; here, the records of packs that no index names yet.
    package static let metaTable = "meta"
    package static let tables = [packTable, indexTable, metaTable]
}

extension ObjectReader {
    /// Entries of the index that are out of order or name a place where the object is not.
    package func indexProblems(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [String] {
        var problems: [String] = []
        for run in index.runs {
            var last: IndexRow?
            for chunk in run {
                if !chunk.isIntact(transaction.environment.table(ObjectStore.indexTable)) {
                    problems.append(
                        "a chunk of run \(chunk.run) does not match its checksum: damaged on disk")
                }
                for position in 0..<chunk.count {
                    let row = IndexRow(chunk.prefix(position), chunk.location(position))
                    if let last, row <= last { problems.append("run \(chunk.run) is not sorted") }
                    last = row
                    let pack = try? pack(row.location.pack, transaction)
                    let held = pack?.indexes(unit: row.location.unit) ?? 0..<0
                    if !held.contains(where: { pack?.id($0).prefix == row.prefix }) {
                        problems.append(
                            "an object that begins with \(String(row.prefix, radix: 16)) is not at "
                                + "unit \(row.location.unit) of pack \(row.location.pack)")
                    }
                }
            }
        }
        return problems
    }
}
