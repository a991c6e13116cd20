internal import Elements
internal import Glibc
internal import Objects
internal import Snapshots
internal import Synchronization
internal import Tensors

/// The experts of a checkpoint's pool, gathered, compared with what they take the place of, hashed, looked for in the store and looked over in
/// blocks on all cores; the next blocks while the present one is staged.
struct ExpertBlocks {
    /// Some experts, one after the other.
    struct Part: Sendable {
        let bytes: [UInt8]
        let ids: [ObjectID]
        /// What the store has of each.
        let found: [StoredCopies.Found?]
        /// Of those that the store does not have: as what they are stored, when not raw.
        let differences: [ObjectDifference?]
        /// Of those that the store does not have intact.
        let nonFinite: [NonFiniteCount?]
    }

    /// Bytes of a block: enough work for all cores, little beside what is being written.
    private static let blockBytes = 8 << 20
    private static let partsPerBlock = 32
    private static let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))

    private let reader: PoolReader
    private let ordinals: [Int]
    private let header: ObjectHeader
    private let copies: StoredCopies
    /// What the experts of some ordinals take the place of.
    private let versions: @Sendable (ArraySlice<Int>) throws -> [Predecessor?]
    /// Experts of a part, and parts of a block.
    private let partCount: Int
    private let parts: Int
    /// Memory of blocks that are done with: fresh memory costs as much as hashing what it is filled with.
    private let spare = SpareBuffers()
    /// Blocks under way: two, so that no core waits for the last part of one.
    private var next: [Background<[Result<Part, any Error>]>] = []
    private var start = 0

    init(
        _ reader: PoolReader, _ header: ObjectHeader, _ copies: StoredCopies,
        after versions: @escaping @Sendable (ArraySlice<Int>) throws -> [Predecessor?]
    ) {
        self.reader = reader
        self.versions = versions
        ordinals = reader.pool.ordinals
        self.header = header
        self.copies = copies
        let experts = max(1, Self.blockBytes / max(header.payloadCount, 1))
        partCount = max(1, min(experts, 1 << 16) / Self.partsPerBlock)
        parts = min(max(experts, Self.cores), Self.partsPerBlock)
        prepare()
        prepare()
    }

    /// The next block, or nil behind the last.
    ///
    /// - Throws: What looking for stored copies says of a damaged index or pack.
    mutating func block() throws -> [Part]? {
        guard !next.isEmpty else { return nil }
        let block = next.removeFirst().wait()
        prepare()
        var parts: [Part] = []
        for part in block { parts.append(try part.get()) }
        return parts
    }

    /// Gives a block back whose parts nobody reads any more.
    func giveBack(_ block: consuming [Part]) {
        let buffers = block.map(\.bytes)
        block = []
        spare.give(buffers)
    }

    /// Waits for blocks that nobody will ask for: they read the store.
    mutating func finish() {
        for block in next { _ = block.wait() }
        next = []
    }

    private mutating func prepare() {
        let (reader, ordinals, header) = (reader, ordinals, header)
        let (copies, versions, spare) = (copies, versions, spare)
        let (start, size) = (start, partCount)
        let end = min(start + size * parts, ordinals.count)
        guard start < end else { return }
        self.start = end
        let block = Background {
            concurrentMap((end - start + size - 1) / size, grain: 1) { part in
                let first = start + part * size
                return Result {
                    let range = ordinals[first..<min(first + size, end)]
                    return try Self.part(
                        range, reader, header, copies, after: versions(range), in: spare.take())
                }
            }
        }
        next.append(block)
    }

    private static func part(
        _ range: ArraySlice<Int>, _ reader: PoolReader, _ header: ObjectHeader,
        _ copies: StoredCopies, after versions: [Predecessor?], in buffer: consuming [UInt8]
    ) throws -> Part {
        let size = header.payloadCount
        var bytes = buffer
        bytes.removeAll(keepingCapacity: true)
        bytes.reserveCapacity(range.count * size)
        for expert in range { reader.append(expert: expert, to: &bytes) }
        func expert(_ position: Int) -> Range<Int> { (position * size)..<((position + 1) * size) }
        let same = try copies.unchanged(bytes.raw, header, after: versions)
        var ids: [ObjectID] = []
        ids.reserveCapacity(range.count)
        for position in 0..<range.count {
            ids.append(
                same[position]?.id ?? header.id(of: bytes.raw.extracting(expert(position))))
        }
        let found = try copies.find(ids, header, bytes.raw, known: same.map { $0?.found })
        let nonFinite = found.enumerated().map { (position, found) -> NonFiniteCount? in
            guard found?.isIntact != true else { return nil }
            return NonFiniteCount(bytes.raw.extracting(expert(position)), header.parts)
        }
        let differences = try found.enumerated().map { (position, found) in
            guard found == nil, let version = versions[position] else {
                return nil as ObjectDifference?
            }
            return try copies.difference(
                of: bytes.raw.extracting(expert(position)), header, after: version)
        }
        return Part(
            bytes: bytes, ids: ids, found: found, differences: differences, nonFinite: nonFinite)
    }
}

/// Buffers to be filled again.
private final class SpareBuffers: Sendable {
    private let buffers = Mutex<[[UInt8]]>([])

    func take() -> [UInt8] { buffers.withLock { $0.popLast() } ?? [] }

    func give(_ more: [[UInt8]]) { buffers.withLock { $0 += more } }
}
