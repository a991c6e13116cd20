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
    /// - Parameter payloads: The objects' bytes, one after the other.
    package func find(
        _ ids: [ObjectID], _ header: ObjectHeader, _ payloads: RawSpan
    ) throws -> [Found?] {
        let view = try take()
        defer { give(view.view, view.generation) }
        return try view.view.find(ids, header, payloads)
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
        let view = try take()
        defer { give(view.view, view.generation) }
        return try view.view.location(of: id)
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
            let reader = try ObjectReader(transaction, blocks)
            state = Mutex(State(transaction: transaction, reader: reader))
            self.checked = checked
        }

        func location(of id: ObjectID) throws -> Location? {
            try state.withLock { state in
                try state.reader.location(of: id, state.transaction)
            }
        }

        func find(
            _ ids: [ObjectID], _ header: ObjectHeader, _ payloads: RawSpan
        ) throws -> [Found?] {
            try state.withLock { state in
                var found: [Found?] = []
                found.reserveCapacity(ids.count)
                let size = header.payloadCount
                for (position, id) in ids.enumerated() {
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
            } catch let error as CambiumError where error.code == .corrupt {
                return false
            }
            checked.insert(pack.number)
            return true
        }
    }
}
