internal import Elements
internal import KeyValue

/// The derived table from object id to location: sorted runs, searched newest first.
///
/// One run per write, merged geometrically, so that its upkeep costs a small share of what is
/// written (random keys in a B-tree would touch one page each). An entry holds only the id's first
/// eight bytes: it names candidates, and the pack's directory tells which of them has the id.
/// Rebuildable from the packs.
struct LocationIndex {
    /// One chunk of a run: entries sorted by prefix.
    struct Chunk {
        let run: UInt64
        let level: UInt8
        let count: Int
        /// The prefixes of the first and the last entry.
        let first: UInt64
        let last: UInt64
        private let key: [UInt8]
        private let record: MappedBytes

        init(key: [UInt8], record: MappedBytes) throws {
            func fail(_ problem: String) -> CambiumError {
                CambiumError(.corrupt, "an index chunk \(problem); run `cambium verify`")
            }
            let end = record.count - CheckedValue.checksumCount
            guard key.count == 12, end >= LocationIndex.headerCount else {
                throw fail("is too short")
            }
            var decoder = ByteDecoder(
                record.bytes.copy(0..<LocationIndex.headerCount), "an index chunk")
            guard try decoder.number(UInt32.self) == LocationIndex.magic else {
                throw fail("has no magic number")
            }
            level = try decoder.number(UInt8.self)
            let reserved = try decoder.take(3)
            count = Int(try decoder.number(UInt32.self))
            guard try decoder.number(UInt32.self) == 0, reserved == [0, 0, 0] else {
                throw fail("has reserved bytes in use")
            }
            guard count > 0,
                end == LocationIndex.headerCount + count * LocationIndex.entryCount
            else { throw fail("of \(record.count) bytes claims \(count) entries") }
            run = PackFormat.number(key[0..<8])
            first = record.bytes.number(at: LocationIndex.headerCount, as: UInt64.self).byteSwapped
            last =
                record.bytes.number(
                    at: end - LocationIndex.entryCount, as: UInt64.self
                ).byteSwapped
            self.key = key
            self.record = record
        }

        /// Whether the chunk is what was written.
        ///
        /// Asked by a verification and before entries are written anew. A look-up does not need it:
        /// an entry only names a candidate.
        func isIntact(_ table: Table) -> Bool { CheckedValue.isIntact(record, table, key) }

        /// The first eight bytes of the entry's id, as a big-endian number.
        func prefix(_ index: Int) -> UInt64 {
            let offset = LocationIndex.headerCount + index * LocationIndex.entryCount
            return record.bytes.number(at: offset, as: UInt64.self).byteSwapped
        }

        func location(_ index: Int) -> Location {
            let offset = LocationIndex.headerCount + index * LocationIndex.entryCount + 8
            let bytes = record.bytes
            return Location(pack: bytes.number(at: offset), unit: bytes.number(at: offset + 4))
        }

        /// The first entry whose prefix is not below `prefix`.
        ///
        /// Prefixes of hashes are spread evenly, so the first guess is near and two or three
        /// probes do where a binary search takes sixteen; each is a cache miss.
        func lowerBound(_ prefix: UInt64) -> Int {
            guard prefix > first else { return 0 }
            var low = 0  // its prefix is below
            var high = count  // none there, or its prefix is not below
            var lowPrefix = first
            var highPrefix = last
            guard prefix <= highPrefix else { return count }
            high = count - 1
            var probes = 0
            while high - low > 1 {
                var middle = (low + high) / 2
                if probes < 4, highPrefix > lowPrefix {
                    let share =
                        Double(prefix - lowPrefix) / Double(highPrefix - lowPrefix)
                    middle = low + Int(share * Double(high - low))
                    middle = min(max(middle, low + 1), high - 1)
                }
                probes += 1
                let found = self.prefix(middle)
                if found < prefix {
                    (low, lowPrefix) = (middle, found)
                } else {
                    (high, highPrefix) = (middle, found)
                }
            }
            return high
        }
    }

    static let magic: UInt32 = 0x3358_4943  // "CIX3"
    static let headerCount = 16
    static let entryCount = 16
    /// Entries per chunk, so that a chunk fills at most a 1 MiB record.
    static let chunkLimit =
        (PackFormat.target - headerCount - CheckedValue.checksumCount) / entryCount
    /// Runs of one level before they are merged into one of the next.
    static let runsPerLevel = 8

    /// Chunks by run, newest run first; within a run by prefix.
    let runs: [[Chunk]]

    init(_ transaction: borrowing some TransactionAccess & ~Copyable) throws {
        var runs: [[Chunk]] = []
        try transaction.scan(transaction.environment.table(ObjectStore.indexTable)) {
            key, value in
            let chunk = try Chunk(key: key, record: value)
            if runs.last?.last?.run == chunk.run {
                runs[runs.count - 1].append(chunk)
            } else {
                runs.append([chunk])
            }
            return true
        }
        self.runs = runs.reversed()
    }

    /// Calls `body` with the location of each entry whose prefix is in `range`, those of the
    /// newest run first, until it returns false.
    func forEach(
        _ range: ClosedRange<UInt64>, _ body: (Location) throws -> Bool
    ) throws {
        for run in runs {
            // The last chunk that begins below the range: equal prefixes may cross chunks.
            var low = 0
            var high = run.count
            while low < high {
                let middle = (low + high) / 2
                if run[middle].first < range.lowerBound { low = middle + 1 } else { high = middle }
            }
            for chunk in run[max(0, low - 1)...] {
                guard chunk.first <= range.upperBound else { break }
                var index = chunk.lowerBound(range.lowerBound)
                while index < chunk.count, chunk.prefix(index) <= range.upperBound {
                    guard try body(chunk.location(index)) else { return }
                    index += 1
                }
            }
        }
    }
}
