internal import Elements
package import KeyValue

/// Where an object of a commit in the making lies, or will lie.
package enum Placement: Sendable, Hashable {
    /// In the store already.
    case stored(Location)
    /// Staged: its position among the staged objects.
    case staged(UInt32)
}

/// Collects the objects of one commit, writes only those that are new, and tells where they lie.
///
/// Full packs are written by another thread in transactions of their own, while the next ones are
/// filled. No index names them before the commit's own transaction; a record does, by which they are freed
/// if the process dies (``StagedPacks``). The caller holds the maintenance lock (shared) meanwhile, so that no collection
/// removes what this staging relies on.
package struct ObjectStaging {
    /// Bytes of finished packs that are kept in memory before they are written.
    package static let flushThreshold = 32 << 20
    /// Bytes of an object from which on it is written at once, by itself.
    package static let aloneLimit = 64 << 20

    let environment: Environment
    let flushThreshold: Int
    private let aloneLimit: Int
    /// Objects with more bytes are kept in segments of ``segmentBytes``.
    let segmentLimit: Int
    let segmentBytes: Int
    /// What the store has already, to look for from any thread; renewed after each flush, so that
    /// pages freed meanwhile are not kept for long.
    package let copies: StoredCopies
    private var staged = IDTable()
    /// Of each staged object, the position of its pack in `packNumbers`, and its unit.
    var places: [(pack: UInt32, unit: UInt32)] = []
    private var open = PackBuilder()
    private var openPack = 0
    /// Objects that are stored as differences, by their versions' runs.
    private var differences: [Int: DifferencePack] = [:]
    var finished: [FinishedPack] = []
    var finishedBytes = 0
    /// The packs' numbers; 0 before they are written.
    var packNumbers: [UInt32] = []
    /// LMDB: "A write Transaction may only be used by the thread it was created on" (lmdb.h,
    /// `mdb_txn_begin`): one block on one thread does all of it.
    var writing: WriteAhead?

    /// What was written ahead, as the store names it.
    let ahead: StagedPacks

    /// Copies that nothing should refer to any more, and what is to take their place.
    private var outdated: [Location: Placement] = [:]

    package private(set) var newObjects = 0
    package private(set) var newBytes = 0
    /// Bytes of the records that were written for them, differences and the filling of pages counted.
    package private(set) var storedBytes = 0
    package private(set) var reusedObjects = 0
    package private(set) var reusedBytes = 0

    package init(
        _ environment: Environment, flushThreshold: Int = ObjectStaging.flushThreshold,
        segmentLimit: Int = ObjectHeader.maximumPayload,
        segmentBytes: Int = SegmentedPack.segmentCount, aloneLimit: Int = ObjectStaging.aloneLimit
    ) throws {
        self.aloneLimit = aloneLimit
        self.environment = environment
        self.segmentLimit = segmentLimit
        self.segmentBytes = segmentBytes
        self.flushThreshold = flushThreshold
        copies = try StoredCopies(environment)
        ahead = StagedPacks(environment)
    }

    /// Whether the object is stored or staged.
    package func contains(_ id: ObjectID) throws -> Bool {
        if staged.position(id) != nil { return true }
        return try copies.location(of: id) != nil
    }

    /// Stages one object; a known one costs a look-up and is not copied.
    @discardableResult
    package mutating func put(
        _ header: ObjectHeader, _ payload: RawSpan
    ) throws -> ObjectID {
        let id = header.id(of: payload)
        try put(id, header, payload)
        return id
    }

    /// Stages an object whose id was computed elsewhere (in parallel, say).
    ///
    /// What the store has already is compared with the payload, byte by byte: where they differ, the
    /// stored copy is damaged, and the payload is stored as a new one in its place.
    @discardableResult
    package mutating func put(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan,
        after predecessor: Predecessor? = nil
    ) throws -> Placement {
        if staged.position(id) != nil { return try put(id, header, payload, nil, as: nil) }
        let found = try copies.find([id], header, payload)[0]
        if found == nil, let predecessor, header.payloadCount <= segmentLimit {
            let difference = try copies.difference(of: payload, header, after: predecessor)
            return try put(id, header, payload, nil, as: difference)
        }
        let prepared = PreparedObject(id: id, found: found, difference: nil)
        return try put(header, payload, prepared, after: predecessor)
    }

    /// Stages an object of which ``copies`` told all.
    ///
    /// - Parameter predecessor: What it takes the place of, for one that is kept in segments.
    @discardableResult
    package mutating func put(
        _ header: ObjectHeader, _ payload: RawSpan, _ prepared: PreparedObject,
        after predecessor: Predecessor?
    ) throws -> Placement {
        let (id, found) = (prepared.id, prepared.found)
        guard header.payloadCount > segmentLimit, known(id, found) == nil else {
            return try put(id, header, payload, found, as: prepared.difference)
        }
        let place = try putSegments(id, header, payload, after: predecessor)
        replace(found, by: place)
        return place
    }

    /// Stages an object of which it is known already what the store has.
    ///
    /// - Parameters:
    ///   - found: As ``copies`` told since this staging began.
    ///   - difference: As which it is stored, rather than raw; as ``copies`` told.
    @discardableResult
    package mutating func put(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan, _ found: StoredCopies.Found?,
        as difference: ObjectDifference?
    ) throws -> Placement {
        if let known = known(id, found) {
            reusedObjects += 1
            reusedBytes += header.payloadCount
            if case .stored = known { replace(found, by: known) }
            return known
        }
        guard staged.ids.count < Int(UInt32.max) - 1 else {
            throw CambiumError(.tooLarge, "one commit holds at most 4,294,967,294 new objects")
        }
        if header.payloadCount > segmentLimit {
            return try putSegments(id, header, payload, after: nil)
        }
        newObjects += 1
        newBytes += header.payloadCount
        staged.append(id)
        // A copy that takes a damaged one's place is raw: what it would be a difference from may need it.
        if let difference, found == nil {
            places.append(add(id, header, payload, difference))
        } else if header.payloadCount >= aloneLimit {
            try putAlone(id, header, payload)
        } else if header.payloadCount >= PackFormat.largeObject {
            var builder = PackBuilder(capacity: header.payloadCount + 8192)
            places.append((UInt32(packNumbers.count), builder.add(id, header, payload)))
            packNumbers.append(0)
            keep(FinishedPack(position: packNumbers.count - 1, content: .record(builder.finish())))
        } else {
            places.append(addSmall(id, header, payload))
        }
        let place = Placement.staged(UInt32(places.count - 1))
        replace(found, by: place)
        try writeAhead()
        return place
    }

    /// Puts an object into a pack of differences.
    private mutating func add(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan, _ difference: ObjectDifference
    ) -> (pack: UInt32, unit: UInt32) {
        let run = difference.run
        if let pack = differences[run], !pack.hasRoom(header) { close(run) }
        if differences[run] == nil {
            differences[run] = DifferencePack(position: packNumbers.count)
            packNumbers.append(0)
        }
        // In place: a copy of the pack would copy all that it holds.
        let unit = differences[run]?.add(id, header, payload, difference, places.count)
        return (UInt32(differences[run]?.position ?? 0), unit ?? 0)
    }

    private mutating func close(_ run: Int) {
        guard let pack = differences.removeValue(forKey: run) else { return }
        keep(FinishedPack(position: pack.position, content: .differences(pack)))
    }

    /// Puts an object into the open pack.
    private mutating func addSmall(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan
    ) -> (pack: UInt32, unit: UInt32) {
        if !open.isEmpty, open.size(adding: header) > PackFormat.target { closePack() }
        if open.isEmpty {
            // After a first full pack more of them are likely.
            open = PackBuilder(capacity: places.isEmpty ? 4096 : PackFormat.target + 16)
            openPack = packNumbers.count
            packNumbers.append(0)
        }
        return (UInt32(openPack), open.add(id, header, payload))
    }

    /// Where an object is staged or stored intact.
    private func known(_ id: ObjectID, _ found: StoredCopies.Found?) -> Placement? {
        if let position = staged.position(id) { return .staged(UInt32(position)) }
        return found.flatMap { $0.isIntact ? .stored($0.location) : nil }
    }

    /// Notes which copies of an object give way to the one at `place`.
    private mutating func replace(_ found: StoredCopies.Found?, by place: Placement) {
        guard let found else { return }
        for copy in found.older { outdated[copy] = place }
        if !found.isIntact { outdated[found.location] = place }
    }

    /// Whether the store has copies of objects that are to give way to others.
    package var replaces: Bool { !outdated.isEmpty }

    /// Where the objects lie that copies to be given up should be looked for; call after
    /// ``flush(_:)``.
    package var replacements: [Location: Location] { outdated.mapValues(location(of:)) }

    /// Writes what is left, and the index of all, in the caller's transaction.
    package mutating func flush(_ transaction: borrowing WriteTransaction) throws {
        closePack()
        for run in differences.keys.sorted() { close(run) }
        settle(try Self.write(PackBatch(finished).next, transaction))
        finished = []
        finishedBytes = 0
        let rows = staged.ids.indices.map { IndexRow(staged.ids[$0].prefix, location($0)) }
        try LocationIndex.add(rows, transaction)
        try ahead.settle(transaction)
    }

    /// Makes room for objects to come, so that lists of a million do not grow step by step.
    package mutating func reserve(_ count: Int) {
        staged.reserve(count)
        places.reserveCapacity(places.count + count)
    }

    /// Waits for packs that another thread is writing, and makes the others ready to be written.
    ///
    /// Call when all is staged, before the transaction in which ``flush(_:)`` is called: LMDB has one writer.
    package mutating func finish() throws {
        for run in differences.keys.sorted() {
            if let few = try differences[run]?.fewObjects() {
                differences[run] = nil
                for copy in few {
                    places[copy.object] = addSmall(copy.id, copy.header, copy.payload.raw)
                }
            } else {
                close(run)
            }
        }
        closePack()
        try finishWriting()
        finished = try Self.compressed(finished)
    }

    mutating func finishWriting() throws {
        guard let running = writing else { return }
        writing = nil
        settle(try running.finish())
        copies.renew()
    }

    /// Where a staged or stored object lies; call after ``flush(_:)``.
    ///
    /// Nil when it is neither.
    package func location(of id: ObjectID) throws -> Location? {
        if let position = staged.position(id) { return location(position) }
        return try copies.location(of: id)
    }

    /// Where the object of a placement lies; call after ``flush(_:)``.
    package func location(of placement: Placement) -> Location {
        switch placement {
        case .stored(let location): location
        case .staged(let position): location(Int(position))
        }
    }

    private func location(_ position: Int) -> Location {
        let place = places[position]
        return Location(pack: packNumbers[Int(place.pack)], unit: place.unit)
    }

    private mutating func closePack() {
        guard !open.isEmpty else { return }
        let builder = open
        open = PackBuilder()
        keep(FinishedPack(position: openPack, content: .record(builder.finish())))
    }

    /// Stages an object whose data are in others that are staged or stored.
    mutating func putRecord(
        _ id: ObjectID, _ header: ObjectHeader, _ record: [UInt8]
    ) -> Placement {
        newObjects += 1
        staged.append(id)
        places.append((UInt32(packNumbers.count), 0))
        packNumbers.append(0)
        keep(FinishedPack(position: packNumbers.count - 1, content: .record(record)))
        return .staged(UInt32(places.count - 1))
    }

    /// Stages a pack as it is, such as one that came from another store.
    ///
    /// Of its objects those count that are neither stored nor staged; a pack without such is left out. Its data are not
    /// compared with its objects' names.
    ///
    /// - Returns: Where each object lies, in the order of the directory.
    /// - Throws: `.corrupt` when the record is no pack.
    @discardableResult
    package mutating func put(record: [UInt8]) throws -> [Placement] {
        let pack = try Pack(number: 0, record: MappedBytes(copying: record))
        let ids = (0..<pack.count).map { pack.id($0) }
        guard staged.ids.count + ids.count < Int(UInt32.max) else {
            throw CambiumError(.tooLarge, "one commit holds at most 4,294,967,294 new objects")
        }
        var placements: [Placement] = []
        var isNeeded = false
        for (index, stored) in try copies.locations(of: ids).enumerated() {
            if let known = staged.position(ids[index]).map({ Placement.staged(UInt32($0)) })
                ?? stored.map(Placement.stored)
            {
                placements.append(known)
                reusedObjects += 1
                continue
            }
            isNeeded = true
            placements.append(.staged(UInt32(places.count)))
            staged.append(ids[index])
            places.append((UInt32(packNumbers.count), pack.location(index).unit))
            newObjects += 1
            // What is promised takes no room.
            if !pack.isPromised { newBytes += pack.header(index).payloadCount }
        }
        guard isNeeded else { return placements }
        packNumbers.append(0)
        keep(FinishedPack(position: packNumbers.count - 1, content: .record(record)))
        try writeAhead()
        return placements
    }

    private mutating func keep(_ pack: FinishedPack) {
        finishedBytes += pack.content.memory
        finished.append(pack)
    }

    mutating func settle(_ written: [WrittenPack]) {
        for pack in written {
            storedBytes += pack.bytes
            packNumbers[pack.position] = pack.number
        }
    }
}
