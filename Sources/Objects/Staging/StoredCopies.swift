internal import Elements
internal import KeyValue
internal import Synchronization

/// Looks for stored copies of objects and compares them with what they should be, from several
/// threads at once.
///
/// Whoever stages objects keeps collections away, so what was found stays where it is.
package final class StoredCopies: Sendable {
    /// What the store has of an object.
    package struct Found: Sendable {
        /// Where the newest copy lies.
        let location: Location
        let older: [Location]
        /// Whether the newest copy is, byte by byte, what the object should be.
        package let isIntact: Bool
    }

    private struct Idle: Sendable {
        var views: [View] = []
        var generation = 0
    }

    private let environment: Environment
    private let idle = Mutex(Idle())
    /// Compressed packs that were decompressed: each of their objects was checked then, and packs are
    /// not changed while an object is staged.
    private let checked = CheckedPacks()
    private let blocks = OpenBlocks()

    init(_ environment: Environment) throws {
        self.environment = environment
        // Tells now that the index can be read.
        let view = try View(environment, checked, blocks)
        idle.withLock { $0.views.append(view) }
    }

    /// What the store has of some objects with the same header.
    ///
    /// - Parameters:
    ///   - payloads: The objects' bytes, one after the other.
    ///   - known: Of those of which it is known already.
    package func find(
        _ ids: [ObjectID], _ header: ObjectHeader, _ payloads: RawSpan, known: [Found?]? = nil
    ) throws -> [Found?] {
        let view = try take()
        defer { give(view.view, view.generation) }
        return try view.view.find(ids, header, payloads, known)
    }

    /// Which of some objects with the same header are what they take the place of, byte by byte.
    ///
    /// - Returns: Their names, nil for the others, and for those whose predecessor is not stored raw. They are not hashed,
    ///   which takes several times as long as comparing.
    package func unchanged(
        _ payloads: RawSpan, _ header: ObjectHeader, after predecessors: [Predecessor?]
    ) throws -> [(id: ObjectID, found: Found)?] {
        guard predecessors.contains(where: { $0 != nil }) else {
            return predecessors.map { _ in nil }
        }
        let view = try take()
        defer { give(view.view, view.generation) }
        return try view.view.unchanged(payloads, header, after: predecessors)
    }

    /// An object as its difference from what it takes the place of, or nil when raw bytes serve better.
    ///
    /// - Complexity: Reads both once, the stored one by way of the differences that it is stored as.
    package func difference(
        of payload: RawSpan, _ header: ObjectHeader, after predecessor: Predecessor
    ) throws -> ObjectDifference? {
        let view = try take()
        defer { give(view.view, view.generation) }
        return try view.view.difference(of: payload, header, after: predecessor)
    }

    /// The segments of a stored object; none when it is in one piece.
    func segments(of predecessor: Predecessor) throws -> [ObjectID] {
        let view = try take()
        defer { give(view.view, view.generation) }
        return try view.view.segments(of: predecessor)
    }

    func location(of id: ObjectID) throws -> Location? {
        try locations(of: [id])[0]
    }

    func locations(of ids: [ObjectID]) throws -> [Location?] {
        let view = try take()
        defer { give(view.view, view.generation) }
        return try view.view.locations(of: ids)
    }

    /// Looks at the store's newest state from now on, so that pages freed meanwhile are not kept.
    func renew() {
        idle.withLock { idle in
            idle.views = []
            idle.generation += 1
        }
    }

    private func take() throws -> (view: View, generation: Int) {
        let (view, generation) = idle.withLock { ($0.views.popLast(), $0.generation) }
        if let view { return (view, generation) }
        return (try View(environment, checked, blocks), generation)
    }

    private func give(_ view: View, _ generation: Int) {
        idle.withLock { if $0.generation == generation { $0.views.append(view) } }
    }
}

/// What a look-up finds; nil where the store is damaged there.
private func ignoringDamage<Result>(_ body: () throws -> Result?) throws -> Result? {
    do {
        return try body()
    } catch let error as CambiumError where error.code == .corrupt {
        return nil
    }
}

extension StoredCopies {
    fileprivate final class CheckedPacks: Sendable {
        private let numbers = Mutex<Set<UInt32>>([])

        func contains(_ number: UInt32) -> Bool { numbers.withLock { $0.contains(number) } }

        func insert(_ number: UInt32) { _ = numbers.withLock { $0.insert(number) } }
    }

    /// A read transaction and the index as it was then: the index's records stay in place only
    /// while the transaction lives.
    fileprivate final class View: Sendable {
        private struct State: ~Copyable {
            let transaction: ReadTransaction
            let reader: ObjectReader
            /// Where differences are restored.
            var scratch: [UInt8] = []
        }

        /// LMDB: a read-only transaction of an environment with `MDB_NOTLS` may be used by several
        /// threads, one at a time (lmdb.h, "Caveats").
        private let state: Mutex<State>
        private let checked: CheckedPacks

        init(
            _ environment: Environment, _ checked: CheckedPacks, _ blocks: OpenBlocks
        ) throws {
            let transaction = try ReadTransaction(environment)
            var reader = try ObjectReader(transaction, blocks)
            // What is committed costs no download: what a remote has is trusted by its name.
            reader.fetches = false
            state = Mutex(State(transaction: transaction, reader: reader))
            self.checked = checked
        }

        func locations(of ids: [ObjectID]) throws -> [Location?] {
            try state.withLock { state in
                try ids.map { try state.reader.location(of: $0, state.transaction) }
            }
        }

        func find(
            _ ids: [ObjectID], _ header: ObjectHeader, _ payloads: RawSpan, _ known: [Found?]?
        ) throws -> [Found?] {
            try state.withLock { state in
                var found: [Found?] = []
                found.reserveCapacity(ids.count)
                let size = header.payloadCount
                for (position, id) in ids.enumerated() {
                    if let known = known?[position] {
                        found.append(known)
                        continue
                    }
                    guard let copies = try state.reader.copies(of: id, state.transaction) else {
                        found.append(nil)
                        continue
                    }
                    let payload = payloads.extracting((position * size)..<((position + 1) * size))
                    let isIntact = try Self.isIntact(copies, header, payload, state, checked)
                    found.append(
                        Found(location: copies.location, older: copies.older, isIntact: isIntact))
                }
                return found
            }
        }

        func unchanged(
            _ payloads: RawSpan, _ header: ObjectHeader, after predecessors: [Predecessor?]
        ) throws -> [(id: ObjectID, found: Found)?] {
            let size = header.payloadCount
            return try state.withLock { state in
                try predecessors.enumerated().map { (position, predecessor) in
                    // What cannot be read tells nothing of the new object, which is hashed then.
                    guard let predecessor,
                        let place = try ignoringDamage({
                            try state.reader.find(predecessor, state.transaction)
                        }), place.pack.isReadable,
                        place.pack.holds(
                            header,
                            payloads.extracting((position * size)..<((position + 1) * size)),
                            at: place.index)
                    else { return nil }
                    let location = place.pack.location(place.index)
                    return (
                        place.pack.id(place.index),
                        Found(location: location, older: [], isIntact: true)
                    )
                }
            }
        }

        func segments(of predecessor: Predecessor) throws -> [ObjectID] {
            try state.withLock { state in
                try state.reader.find(predecessor, state.transaction)?.pack.segments ?? []
            }
        }

        func difference(
            of payload: RawSpan, _ header: ObjectHeader, after predecessor: Predecessor
        ) throws -> ObjectDifference? {
            try state.withLock { state in
                let base = try state.reader.base(
                    for: header, after: predecessor, state.transaction)
                return base?.difference(of: payload, &state.scratch)
            }
        }

        /// Whether the newest copy is what the object should be.
        private static func isIntact(
            _ copies: ObjectReader.Copies, _ header: ObjectHeader, _ payload: RawSpan,
            _ state: borrowing State, _ checked: CheckedPacks
        ) throws -> Bool {
            let pack = copies.pack
            if let segmented = pack.segmented {
                let ranges = SegmentedPack.ranges(payload.byteCount, segmented.segmentBytes)
                guard pack.header(copies.index) == header else { return false }
                for (id, range) in zip(segmented.ids, ranges) {
                    let shape = try ObjectHeader(.segment, byteCount: range.count)
                    guard let piece = try state.reader.copies(of: id, state.transaction),
                        try isIntact(piece, shape, payload.extracting(range), state, checked)
                    else { return false }
                }
                return true
            }
            guard pack.isCold else { return pack.holds(header, payload, at: copies.index) }
            if checked.contains(pack.number) { return true }
            do {
                _ = try state.reader.readable(pack, state.transaction)
            } catch let error as CambiumError where error.code == .remote {
                return pack.header(copies.index) == header
            } catch let error as CambiumError where error.code == .corrupt {
                return false
            }
            checked.insert(pack.number)
            return true
        }
    }
}
