package import Elements
package import KeyValue
package import Objects
import Synchronization

/// The bulk of promised packs in memory; counts what is read of it, and can misbehave.
package final class FakeRemote: PromisedBulk {
    package enum Fault: Sendable {
        /// The place cannot be reached.
        case absent
        /// Gives a byte less than asked.
        case short
        /// A bit of what is asked is another one.
        case wrong
    }

    private struct State: Sendable {
        var packs: [ObjectID: MappedBytes] = [:]
        var fault: Fault?
        /// How often the fault is shown; nil for ever.
        var times: Int?
        var calls = 0
        var ranges: [BulkRange] = []
        var forgotten: [BulkRange] = []
    }

    private let state = Mutex(State())

    package init() {}

    /// How often it was asked.
    package var calls: Int { state.withLock { $0.calls } }
    /// What it was asked for, all of it.
    package var ranges: [BulkRange] { state.withLock { $0.ranges } }
    package var bytesRead: Int { ranges.reduce(0) { $0 + $1.count } }
    package var forgotten: [BulkRange] { state.withLock { $0.forgotten } }
    /// The remote packs, by name.
    package var packs: [ObjectID: MappedBytes] { state.withLock { $0.packs } }

    package func reset() {
        state.withLock {
            $0.calls = 0
            $0.ranges = []
            $0.forgotten = []
        }
    }

    /// Misbehaves from now on.
    package func fail(_ fault: Fault?, times: Int? = nil) {
        state.withLock {
            $0.fault = fault
            $0.times = times
        }
    }

    /// Keeps bytes as a pack of the remote.
    package func add(_ bytes: [UInt8]) -> ObjectID {
        let name = ObjectID(hashing: bytes)
        state.withLock { $0.packs[name] = MappedBytes(copying: bytes) }
        return name
    }

    package func read(_ ranges: [BulkRange]) throws -> [MappedBytes] {
        let (packs, fault) = state.withLock { state -> ([ObjectID: MappedBytes], Fault?) in
            state.calls += 1
            state.ranges += ranges
            var fault = state.fault
            if let times = state.times {
                if times == 0 { fault = nil } else { state.times = times - 1 }
            }
            return (state.packs, fault)
        }
        if fault == .absent {
            throw CambiumError(.network, "the remote cannot be reached")
        }
        return try ranges.map { range in
            guard let pack = packs[range.pack], range.range.upperBound <= pack.count else {
                throw CambiumError(.network, "the remote has no \(range)")
            }
            var bytes = pack.slice(range.range).copy()
            if fault == .short { bytes.removeLast() }
            if fault == .wrong, !bytes.isEmpty { bytes[bytes.count / 2] ^= 16 }
            return MappedBytes(copying: bytes)
        }
    }

    package func forget(_ ranges: [BulkRange]) {
        state.withLock { $0.forgotten += ranges }
    }
}

extension Environment {
    /// Turns a store into a lazy clone of itself: the data of all its packs go to a remote, but for commits, trees and
    /// their like, which lie in packs of their own.
    ///
    /// - Returns: The remote, which the environment asks from then on.
    @discardableResult
    package func promiseAll() throws -> FakeRemote {
        let remote = FakeRemote()
        try write("promise") { transaction in
            let metadata: Set<ObjectKind> = [.commit, .tree, .trunk, .layer, .layout]
            var packs: [Pack] = []
            try transaction.scan(table(ObjectStore.packTable)) { key, record in
                packs.append(try Pack(number: try PackFormat.packNumber(key), record: record))
                return true
            }
            let reader = try ObjectReader(transaction)
            var kept: [StoredObject] = []
            for pack in packs {
                for index in 0..<pack.count where metadata.contains(pack.header(index).kind) {
                    kept.append(try reader.object(pack.id(index), transaction))
                }
            }
            _ = try ObjectStaging.move(kept, transaction)
            // As a remote has them: several packs' data back to back.
            var bulk = noise(100, 1)
            var places: [(pack: Pack, range: Range<Int>)] = []
            for pack in packs where pack.bulk.count > 0 {
                places.append((pack, bulk.count..<(bulk.count + pack.bulk.count)))
                bulk += pack.record.slice(pack.bulk).copy()
            }
            let name = remote.add(bulk)
            for (pack, range) in places {
                let record = try PromisedPack.record(
                    stub: pack.stub, at: BulkRange(name, range))
                try ObjectStaging.replaceRecord(pack.number, with: record, transaction)
            }
        }
        promisedBulk = remote
        return remote
    }
}
