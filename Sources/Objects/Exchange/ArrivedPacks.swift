internal import Elements
package import KeyValue

/// Pack records from elsewhere, on their way into the store.
///
/// Nothing of a record is believed: its structure is checked, and every object's data are hashed against the
/// object's name, before the index names it. Data objects name no others, so the index may name them before the
/// commit that needs them arrives.
package enum ArrivedPacks {
    /// Writes records and indexes their objects, all or nothing.
    ///
    /// - Parameter records: Records in any order; what their objects are differences from is stored, or among them.
    /// - Returns: Bytes that were written.
    /// - Throws: `.corrupt` when a record is not one, or an object's data do not match its name, or what it is a
    ///   difference from is missing.
    package static func write(
        _ records: [[UInt8]], _ transaction: borrowing WriteTransaction
    ) throws -> Int {
        let packs = try checked(records)
        var waiting = Array(packs.indices)
        var bytes = 0
        while !waiting.isEmpty {
            let reader = try ObjectReader(transaction)
            var ready: [Int] = []
            var later: [Int] = []
            for index in waiting {
                var isReady = true
                for need in packs[index].predecessors where isReady {
                    isReady = try reader.location(of: need.id, transaction) != nil
                }
                if isReady { ready.append(index) } else { later.append(index) }
            }
            guard !ready.isEmpty else {
                let need = packs[waiting[0]].predecessors.first?.id
                throw CambiumError(
                    .corrupt,
                    "a pack holds differences from object \(need?.short ?? "?"), which did not come "
                        + "with it: the remote is damaged")
            }
            for index in ready { bytes += records[index].count }
            try store(ready.map { records[$0] }, transaction)
            waiting = later
        }
        return bytes
    }

    /// The records' packs; objects of raw ones are hashed, on all cores.
    private static func checked(_ records: [[UInt8]]) throws -> [Pack] {
        let results = concurrentMap(records.count, grain: 1) { index -> Result<Pack, any Error> in
            Result {
                let pack = try Pack(number: 0, record: MappedBytes(copying: records[index]))
                guard pack.count > 0, records[index].count == PackFormat.recordCount(pack.used)
                else {
                    throw CambiumError(.corrupt, "a pack that came has no objects, or more bytes")
                }
                // What names others comes with the commit.
                guard pack.headerRuns.allSatisfy({ $0.header.kind.isData }) else {
                    throw CambiumError(.corrupt, "a pack that came holds records of a tree")
                }
                for object in 0..<pack.count where pack.isReadable {
                    try pack.stored(object).check()
                }
                return pack
            }
        }
        return try results.map { try $0.get() }
    }

    private static func store(
        _ records: [[UInt8]], _ transaction: borrowing WriteTransaction
    ) throws {
        let finished = records.enumerated().map {
            ObjectStaging.FinishedPack(position: $0.offset, content: .record($0.element))
        }
        let written = try ObjectStaging.write(PackBatch(finished).next, transaction)
        // What they are differences from is in the index by now; they are not, until they are checked.
        let reader = try ObjectReader(transaction)
        var rows: [IndexRow] = []
        for record in written {
            let pack = try reader.pack(record.number, transaction)
            for index in 0..<pack.count {
                if pack.isCold { try reader.stored(pack, index, transaction).check() }
                rows.append(IndexRow(pack.id(index).prefix, pack.location(index)))
            }
        }
        try LocationIndex.add(rows, transaction)
    }
}
