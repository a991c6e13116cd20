internal import Elements
internal import Objects
package import Snapshots

/// Fetches records of packs by as few reads as cost few bytes.
package struct Download {
    /// Bytes between two records that are read along, rather than asked for by another request.
    static let greatestGap = 256 << 10
    /// Bytes of one read.
    static let greatestRead = 64 << 20

    /// Neighbours in one pack, read at once.
    package struct Read: Sendable {
        package let pack: CommitBundle.PackName
        package fileprivate(set) var range: Range<Int>
        package fileprivate(set) var records: [PackIndex.Record]

        var isWhole: Bool { range == 0..<pack.count }
    }

    /// Groups records, which keep their order.
    package static func reads(_ wanted: [PackCatalog.Wanted]) -> [Read] {
        var reads: [Read] = []
        for item in wanted {
            let range = item.record.range
            if let last = reads.last, last.pack == item.pack,
                range.lowerBound >= last.range.upperBound,
                range.lowerBound - last.range.upperBound <= greatestGap,
                range.upperBound - last.range.lowerBound <= greatestRead
            {
                reads[reads.count - 1].range = last.range.lowerBound..<range.upperBound
                reads[reads.count - 1].records.append(item.record)
            } else {
                reads.append(Read(pack: item.pack, range: range, records: [item.record]))
            }
        }
        return reads
    }

    /// The pack records of a read, put together.
    package static func fetch(_ read: Read, _ remote: Remote) throws -> [[UInt8]] {
        let key = RemoteKey.pack(read.pack.id)
        // Segments alone have no bulk.
        let bytes =
            read.range.isEmpty
            ? MappedBytes(copying: [])
            : try remote.existing(
                key, read.isWhole ? nil : read.range, limit: read.range.count)
        guard bytes.count == read.range.count else {
            throw CambiumError(
                .corrupt,
                "\(key) of \(remote.transport.url) has \(bytes.count) bytes where \(read.range.count) should "
                    + "be")
        }
        return try read.records.map { record in
            let start = record.offset - read.range.lowerBound
            let bulk = bytes.slice(start..<(start + record.stub.bulkCount))
            return try record.stub.record(with: bulk.bytes)
        }
    }
}
