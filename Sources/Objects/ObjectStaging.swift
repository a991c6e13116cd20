internal import Elements
package import KeyValue

/// Collects the objects of one commit, writes only those that are new, and tells where they lie.
///
/// Full packs are written in transactions of their own: unreachable until the commit's own
/// transaction, they are garbage if the process dies. The caller holds the maintenance lock
/// (shared) meanwhile, so that no collection removes what this staging relies on.
package struct ObjectStaging {
    /// Bytes of finished packs that are kept in memory before they are written.
    package static let flushThreshold = 32 << 20

    private let environment: Environment
    private let flushThreshold: Int
    /// The state that tells what is known; renewed after each flush, so that pages freed
    /// meanwhile are not kept for long.
    private var view: View
    private var open = PackBuilder()
    private var openUnits: [(id: ObjectID, unit: UInt32)] = []
    private var finished: [FinishedPack] = []
    private var finishedBytes = 0
    /// Staged but not written yet.
    private var pending: Set<ObjectID> = []
    private var written: [ObjectID: Location] = [:]

    package private(set) var newObjects = 0
    package private(set) var newBytes = 0
    package private(set) var reusedObjects = 0
    package private(set) var reusedBytes = 0

    struct FinishedPack {
        let record: [UInt8]
        let units: [(id: ObjectID, unit: UInt32)]
    }

    /// A read transaction and the index as it was then: the index's records stay in place only
    /// while the transaction lives.
    private final class View {
        private let transaction: ReadTransaction
        private let reader: ObjectReader

        init(_ environment: Environment) throws(ObjectError) {
            do throws(KeyValueError) {
                transaction = try ReadTransaction(environment)
            } catch {
                throw ObjectError(error)
            }
            reader = try ObjectReader(transaction)
        }

        func location(of id: ObjectID) throws(ObjectError) -> Location? {
            try reader.location(of: id, transaction)
        }
    }

    package init(
        _ environment: Environment, flushThreshold: Int = ObjectStaging.flushThreshold
    ) throws(ObjectError) {
        self.environment = environment
        self.flushThreshold = flushThreshold
        view = try View(environment)
    }

    /// Whether the object is stored or staged.
    package func contains(_ id: ObjectID) throws(ObjectError) -> Bool {
        if pending.contains(id) || written[id] != nil { return true }
        return try view.location(of: id) != nil
    }

    /// Stages one object; a known one costs a look-up and is not copied.
    @discardableResult
    package mutating func put(
        _ header: ObjectHeader, _ payload: RawSpan
    ) throws(ObjectError) -> ObjectID {
        let id = header.id(of: payload)
        try put(id, header, payload)
        return id
    }

    /// Stages an object whose id was computed elsewhere (in parallel, say).
    package mutating func put(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan
    ) throws(ObjectError) {
        guard try !contains(id) else {
            reusedObjects += 1
            reusedBytes += header.payloadCount
            return
        }
        newObjects += 1
        newBytes += header.payloadCount
        pending.insert(id)
        if header.payloadCount >= PackFormat.largeObject {
            var builder = PackBuilder()
            let unit = builder.add(id, header, payload)
            keep(builder.finish(), [(id, unit)])
        } else {
            if !open.isEmpty, open.size(adding: header) > PackFormat.target { closePack() }
            openUnits.append((id, open.add(id, header, payload)))
        }
        // A commit is only ever written together with all that it needs: whoever finds it in the
        // index may rely on that.
        if finishedBytes >= flushThreshold, header.kind != .commit {
            let batch = finished
            let environment = environment
            let locations = try environment.write("packs") { (transaction) throws(ObjectError) in
                try Self.write(batch, transaction)
            }
            settle(locations)
            view = try View(environment)
        }
    }

    /// Writes what is left in the caller's transaction and returns every location that is needed.
    package mutating func flush(_ transaction: borrowing WriteTransaction) throws(ObjectError) {
        if !open.isEmpty { closePack() }
        settle(try Self.write(finished, transaction))
    }

    /// Where a staged or stored object lies; call after ``flush(_:)``.
    ///
    /// Nil when it is neither.
    package func location(of id: ObjectID) throws(ObjectError) -> Location? {
        if let location = written[id] { return location }
        return try view.location(of: id)
    }

    private mutating func closePack() {
        let builder = open
        open = PackBuilder()
        keep(builder.finish(), openUnits)
        openUnits = []
    }

    private mutating func keep(_ record: [UInt8], _ units: [(id: ObjectID, unit: UInt32)]) {
        finishedBytes += record.count
        finished.append(FinishedPack(record: record, units: units))
    }

    private mutating func settle(_ locations: [IndexEntry]) {
        for entry in locations {
            written[entry.id] = entry.location
            pending.remove(entry.id)
        }
        finished = []
        finishedBytes = 0
    }

    static func write(
        _ packs: [FinishedPack], _ transaction: borrowing WriteTransaction
    ) throws(ObjectError) -> [IndexEntry] {
        var entries: [IndexEntry] = []
        let table = transaction.environment.table(ObjectStore.packTable)
        do throws(KeyValueError) {
            var last = try transaction.last(table).map { PackFormat.number($0.key) } ?? 0
            for pack in packs {
                guard last < UInt64(UInt32.max) else {
                    throw KeyValueError(.io, "pack numbers are used up; export to a new store")
                }
                last += 1
                let number = UInt32(last)
                try transaction.append(table, PackFormat.key(last), pack.record)
                transaction.environment.step("pack \(number) written")
                for (id, unit) in pack.units {
                    entries.append(
                        IndexEntry(id: id, location: Location(pack: number, unit: unit)))
                }
            }
        } catch {
            throw ObjectError(error)
        }
        try LocationIndex.add(entries, transaction)
        return entries
    }
}
