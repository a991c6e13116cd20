internal import Elements
internal import KeyValue
package import Objects

/// How many of what a store holds, dead or alive.
package struct StoreCounts: Sendable {
    package var objects = 0
    package var bytes = 0
    /// Of these, what lies on a remote.
    package var promisedObjects = 0
    package var promisedBytes = 0
    package var experts = 0
    package var packs = 0
    package var arrays = 0
}

extension SnapshotStore {
    /// Counts from the packs' headers.
    ///
    /// - Complexity: Two pages of each pack, and the keys of the arrays; not the objects' ids.
    package func counts() throws -> StoreCounts {
        try environment.read { transaction in
            var counts = StoreCounts()
            try transaction.scan(environment.table(ObjectStore.packTable)) {
                key, record in
                let number = UInt32(truncatingIfNeeded: PackFormat.number(key))
                let pack = try Pack(number: number, record: record, checksum: false)
                counts.packs += 1
                counts.objects += pack.count
                for (header, count) in pack.headerRuns {
                    counts.bytes += header.payloadCount * count
                    if pack.isPromised {
                        counts.promisedObjects += count
                        counts.promisedBytes += header.payloadCount * count
                    }
                    if header.kind.isExpert { counts.experts += count }
                }
                return true
            }
            try transaction.scan(environment.table(ArrayRecord.table)) {
                key, _ in
                // Chunk 0 stands for the record; the others belong to it.
                if key.suffix(4).allSatisfy({ $0 == 0 }) { counts.arrays += 1 }
                return true
            }
            return counts
        }
    }

    /// How many packs there are, and how many objects the index names.
    ///
    /// - Complexity: Does not grow with what is stored: LMDB counts a table's records, and the index is
    ///   a few runs that know their lengths.
    package func quickCounts() throws -> (packs: Int, objects: Int) {
        try environment.read { transaction in
            let objects = try ObjectReader(transaction).indexCount
            let packs = try transaction.statistics(environment.table(ObjectStore.packTable))
            return (packs.entries, objects)
        }
    }

    /// Bytes of all tensors and experts of each model, added up.
    ///
    /// - Complexity: As of ``modelSizes(ofTrees:)``.
    package func modelBytes(ofTrees trees: [ObjectID]) throws -> Int {
        try modelSizes(ofTrees: trees).reduce(0, +)
    }

    /// Bytes of all tensors and experts of each of some models.
    ///
    /// - Complexity: Reads the records of each tree; trunks and layers that several share once.
    package func modelSizes(ofTrees trees: [ObjectID]) throws -> [Int] {
        try environment.read { transaction in
            let reader = try ObjectReader(transaction)
            var (sizes, known): ([ObjectID: Int], [ObjectID: Int]) = ([:], [:])
            return try trees.map { id in
                if let total = known[id] { return total }
                let record = try Self.treeRecord(id, reader, transaction)
                if sizes[record.trunk] == nil {
                    sizes[record.trunk] = try Trunk(
                        decoding: try reader.data(record.trunk, transaction).bytes
                    ).byteCount
                }
                var total = sizes[record.trunk] ?? 0
                for layer in record.layers.values {
                    if sizes[layer] == nil {
                        sizes[layer] = try Layer(
                            decoding: try reader.data(layer, transaction).bytes
                        ).byteCount
                    }
                    total += sizes[layer] ?? 0
                }
                known[id] = total
                return total
            }
        }
    }
}
