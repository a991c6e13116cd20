package import Objects

/// Reads of remote packs that bring some ranges.
///
/// A request costs a round trip, and a byte that nobody wants costs its time: neighbours are read at once, with what lies
/// between them, nearest ones first, until that is a quarter of what is wanted. What lies between is kept as well.
package struct ReadPlan {
    /// Bytes between two ranges that are read along at most.
    static let greatestGap = 256 << 10
    /// Bytes of one read; longer ranges are read in parts.
    static let greatestRead = 16 << 20

    /// One read.
    package struct Read: Sendable, Equatable {
        package let pack: ObjectID
        package fileprivate(set) var range: Range<Int>
    }

    package let reads: [Read]

    /// - Parameter wanted: In any order; they may overlap.
    package init(_ wanted: [BulkRange]) {
        let sorted = wanted.filter { $0.count > 0 }.sorted {
            ($0.pack, $0.range.lowerBound, $0.range.upperBound)
                < ($1.pack, $1.range.lowerBound, $1.range.upperBound)
        }
        var joined: [Read] = []
        for item in sorted {
            if let last = joined.last, last.pack == item.pack,
                item.range.lowerBound <= last.range.upperBound
            {
                joined[joined.count - 1].range =
                    last.range.lowerBound..<max(last.range.upperBound, item.range.upperBound)
            } else {
                joined.append(Read(pack: item.pack, range: item.range))
            }
        }
        let budget = joined.reduce(0) { $0 + $1.range.count } / 4
        reads = Self.parts(Self.bridged(joined, budget))
    }

    /// Joins neighbours over the shortest gaps that a budget of bytes allows.
    private static func bridged(_ reads: [Read], _ budget: Int) -> [Read] {
        let gaps = reads.indices.dropFirst().compactMap { index -> (size: Int, index: Int)? in
            let (before, after) = (reads[index - 1], reads[index])
            let gap = after.range.lowerBound - before.range.upperBound
            return before.pack == after.pack && gap <= greatestGap ? (gap, index) : nil
        }
        var left = budget
        var bridged: Set<Int> = []
        for gap in gaps.sorted(by: { $0 < $1 }) {
            guard gap.size <= left else { break }
            left -= gap.size
            bridged.insert(gap.index)
        }
        var result: [Read] = []
        for (index, read) in reads.enumerated() {
            if bridged.contains(index), let last = result.last {
                result[result.count - 1].range = last.range.lowerBound..<read.range.upperBound
            } else {
                result.append(read)
            }
        }
        return result
    }

    /// Cuts long reads, so that several connections share them.
    private static func parts(_ reads: [Read]) -> [Read] {
        reads.flatMap { read in
            stride(from: read.range.lowerBound, to: read.range.upperBound, by: greatestRead).map {
                Read(
                    pack: read.pack,
                    range: $0..<min($0 + greatestRead, read.range.upperBound))
            }
        }
    }
}
