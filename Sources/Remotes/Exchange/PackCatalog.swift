internal import Elements
package import Objects
package import Snapshots

/// Where on a remote the objects lie that are wanted: records of packs, found by their indexes.
package struct PackCatalog {
    /// One record that is to be fetched.
    package struct Wanted: Sendable {
        package let pack: CommitBundle.PackName
        package let record: PackIndex.Record
        /// How many steps lie between it and records that need no others.
        package let level: Int
    }

    private let remote: Remote
    private var seen: Set<ObjectID> = []
    private var packs: [CommitBundle.PackName] = []
    private var records: [(pack: Int, record: PackIndex.Record)] = []
    /// The record of each object of the indexes that were read: the first that was met.
    private var places: [ObjectID: Int] = [:]

    package init(_ remote: Remote) { self.remote = remote }

    /// Reads the indexes of packs that were not read yet.
    package mutating func read(
        _ names: [CommitBundle.PackName], _ progress: (Int, Int) throws -> Void
    ) throws {
        let new = names.filter { seen.insert($0.id).inserted }
        let remote = remote
        try orderedWork(new.count, width: remote.width) {
            try remote.index(new[$0])
        } _: {
            number, index in
            packs.append(new[number])
            for record in index.records {
                for id in record.stub.ids where places[id] == nil { places[id] = records.count }
                records.append((packs.count - 1, record))
            }
            try progress(number + 1, new.count)
        }
    }

    /// The records that hold the objects, and those that they need, each once; what needs others comes behind them.
    ///
    /// - Parameter isStored: Whether the store has an object.
    /// - Returns: Nil when an object is in no index that was read.
    package func records(
        of ids: [ObjectID], isStored: ([ObjectID]) throws -> Set<ObjectID>
    ) throws -> [Wanted]? {
        var levels: [Int: Int] = [:]
        var order: [Int] = []
        var ends: Set<ObjectID> = []
        // Without recursion: chains may be long.
        for id in ids {
            guard let first = places[id] else { return nil }
            var stack = [(record: first, isOpen: false)]
            while let (number, isOpen) = stack.popLast() {
                let record = records[number].record
                if isOpen {
                    var level = 0
                    for need in record.stub.needs {
                        if let place = places[need] { level = max(level, (levels[place] ?? 0) + 1) }
                    }
                    levels[number] = level
                    order.append(number)
                    continue
                }
                guard levels[number] == nil else { continue }
                // Marked, so that a cycle ends; the store refuses what it would write of one.
                levels[number] = 0
                stack.append((number, true))
                let needs = record.stub.needs.filter { !ends.contains($0) }
                guard !needs.isEmpty else { continue }
                let stored = try isStored(needs)
                ends.formUnion(stored)
                for need in needs where !stored.contains(need) {
                    guard let place = places[need] else { return nil }
                    if levels[place] == nil { stack.append((place, false)) }
                }
            }
        }
        return order.map {
            Wanted(
                pack: packs[records[$0].pack], record: records[$0].record, level: levels[$0] ?? 0)
        }.sorted {
            ($0.level, $0.pack.id, $0.record.offset) < ($1.level, $1.pack.id, $1.record.offset)
        }
    }
}
