internal import Elements
internal import KeyValue
internal import Objects

/// How many of what a store holds, dead or alive.
package struct StoreCounts: Sendable {
    package var objects = 0
    package var bytes = 0
    package var experts = 0
    package var packs = 0
    package var arrays = 0
}

extension SnapshotStore {
    /// Counts from the packs' directories.
    package func counts() throws(SnapshotError) -> StoreCounts {
        try environment.read { (transaction) throws(SnapshotError) in
            var counts = StoreCounts()
            try transaction.scan(environment.table(ObjectStore.packTable)) {
                (key, record) throws(SnapshotError) in
                let pack = try wrapped { () throws(ObjectError) in
                    let number = UInt32(truncatingIfNeeded: PackFormat.number(key))
                    return try Pack(number: number, record: record)
                }
                counts.packs += 1
                counts.objects += pack.count
                for index in 0..<pack.count {
                    let header = pack.header(index)
                    counts.bytes += header.payloadCount
                    if header.kind.isExpert { counts.experts += 1 }
                }
                return true
            }
            try transaction.scan(environment.table(ArrayRecord.table)) {
                (key, _) throws(SnapshotError) in
                // Chunk 0 stands for the record; the others belong to it.
                if key.suffix(4).allSatisfy({ $0 == 0 }) { counts.arrays += 1 }
                return true
            }
            return counts
        }
    }
}
