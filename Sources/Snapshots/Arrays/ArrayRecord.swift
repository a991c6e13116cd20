internal import Elements
internal import KeyValue
internal import Objects

/// How an expert array lies on disk: all entries, or the changes against an earlier array; each
/// with the nodes of its hash tree that a later change will need.
///
/// Keyed by the array's root, so equal arrays are stored once. Records are immutable while anything
/// maps them; what is mapped from them stays valid while a lease keeps the snapshot.
struct ArrayRecord: Sendable {
    static let table = "arrays"
    static let magic: UInt32 = 0x5252_4143  // "CARR"
    static let version: UInt32 = 3
    static let headerCount = 64
    /// A value of this size has pages of its own (docs/format.md, "What a mapped reader relies on").
    private static let greatestInline = 4096
    static let entryCount = 12
    /// A value of up to this size is checked against its checksum whenever it is read (20 µs).
    private static let greatestChecked = 1 << 15
    /// Entries per chunk of a full array, and nodes per chunk: records of up to 1 MiB − 16 bytes,
    /// checksum included.
    static let chunkEntries = 87_378
    static let chunkNodes = 32_767

    let root: ObjectID
    let count: Int
    /// Zero for a full array.
    let base: ObjectID
    /// 0 for a full array; a change set that absorbed 8 of level n has level n + 1.
    let level: UInt8
    /// Entries of the change set, or 0.
    let changeCount: Int
    /// Chunk 0, whole.
    private let record: MappedBytes
    /// Bytes of the record after its header: ordinals, entries and nodes of a change set.
    private let changes: MappedBytes
    /// Of each stored height of a change set, where its nodes' indexes begin, and their number.
    private let levels: [(offset: Int, count: Int)]
    /// The chunks of a full array.
    private let chunks: [MappedBytes]
    private let nodeChunks: [MappedBytes]

    var isFull: Bool { base == .zero }

    static func key(_ root: ObjectID, chunk: UInt32) -> [UInt8] {
        root.bytes + (0..<4).map { UInt8(truncatingIfNeeded: chunk >> UInt32(24 - 8 * $0)) }
    }

    /// Reads one record; nil when the root is not stored.
    ///
    /// - Complexity: One look-up for each MiB of a full array; a change set is not read.
    init?(
        _ root: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        let table = transaction.environment.table(Self.table)
        guard let mapped = try transaction.mapped(table, Self.key(root, chunk: 0)) else {
            return nil
        }
        // LMDB keeps a small value in the leaf of its B-tree, which it writes anew, and whose
        // page it reuses, when a neighbour is written. Only what has pages of its own stays.
        let record =
            mapped.count < Self.greatestInline ? MappedBytes(copying: mapped.copy()) : mapped
        self.root = root
        self.record = record
        let end = record.count - CheckedValue.checksumCount
        let bytes = record.bytes
        guard end >= Self.headerCount, bytes.number(at: 0) == Self.magic,
            bytes.number(at: 4) == Self.version
        else { throw Self.corrupt(root, "the record has no valid header") }
        if record.count <= Self.greatestChecked {
            try Self.check(record, root, chunk: 0, transaction)
        }
        guard bytes.number(at: 8, as: UInt64.self) >> 8 == 0 else {
            throw Self.corrupt(root, "reserved bytes are in use")
        }
        level = bytes.number(at: 8)
        let count: UInt64 = bytes.number(at: 16)
        let changeCount: UInt64 = bytes.number(at: 24)
        base = ObjectID(bytes, at: 32)
        guard count <= UInt64(UInt32.max), changeCount <= count else {
            throw Self.corrupt(root, "\(changeCount) changes of \(count) experts")
        }
        self.count = Int(count)
        self.changeCount = Int(changeCount)
        let body = record.slice(Self.headerCount..<end)
        changes = body
        var levels: [(offset: Int, count: Int)] = []
        var chunks: [MappedBytes] = []
        var nodeChunks: [MappedBytes] = []
        if base == .zero {
            guard changeCount == 0, body.count == 0 else {
                throw Self.corrupt(root, "a full array has changes")
            }
            chunks = try Self.chunks(
                root, after: 0, Int(count), Self.chunkEntries, Self.entryCount, transaction)
            nodeChunks = try Self.chunks(
                root, after: chunks.count, Self.nodeOffset(height: .max, Int(count)),
                Self.chunkNodes, ObjectID.byteCount, transaction)
            // New roots are computed from them; entries name objects that carry their ids.
            for (index, chunk) in nodeChunks.enumerated() {
                try Self.check(chunk, root, chunk: chunks.count + index + 1, transaction)
            }
        } else {
            var offset = Int(changeCount) * (4 + Self.entryCount)
            guard offset <= body.count else { throw Self.corrupt(root, "changes are missing") }
            for _ in Self.storedHeights(Int(count)) {
                let rest = body.count - offset
                guard rest >= 4 else { throw Self.corrupt(root, "nodes are missing") }
                let nodes = Int(body.bytes.number(at: offset, as: UInt32.self))
                levels.append((offset + 4, nodes))
                offset += 4 + nodes * (4 + ObjectID.byteCount)
                guard offset <= body.count else {
                    throw Self.corrupt(root, "nodes are missing")
                }
            }
            guard offset == body.count else {
                throw Self.corrupt(root, "\(changeCount) changes in \(record.count) bytes")
            }
        }
        self.levels = levels
        self.chunks = chunks
        self.nodeChunks = nodeChunks
    }

    private static func check(
        _ value: MappedBytes, _ root: ObjectID, chunk: Int,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        let table = transaction.environment.table(table)
        guard CheckedValue.isIntact(value, table, key(root, chunk: UInt32(chunk))) else {
            throw corrupt(root, "chunk \(chunk) does not match its checksum: damaged on disk")
        }
    }

    /// Throws `.corrupt` when any part of the record is not what was written.
    ///
    /// Asked by a verification and before entries are written anew: in its place, an entry is
    /// checked against the object that it names.
    ///
    /// - Complexity: Hashes the whole record.
    func checkWhole(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        for (number, chunk) in ([record] + chunks + nodeChunks).enumerated() {
            try Self.check(chunk, root, chunk: number, transaction)
        }
    }

    private static func corrupt(_ root: ObjectID, _ problem: String) -> CambiumError {
        CambiumError(.corrupt, "expert array \(root.short): \(problem); run `cambium verify`")
    }

    /// The chunks behind number `before` that hold `count` items of `size` bytes.
    private static func chunks(
        _ root: ObjectID, after before: Int, _ count: Int, _ limit: Int, _ size: Int,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [MappedBytes] {
        var chunks: [MappedBytes] = []
        for start in stride(from: 0, to: count, by: limit) {
            let number = before + chunks.count + 1
            let key = key(root, chunk: UInt32(number))
            let table = transaction.environment.table(table)
            guard let chunk = try transaction.mapped(table, key),
                chunk.count == min(count - start, limit) * size + CheckedValue.checksumCount
            else { throw corrupt(root, "chunk \(number) is missing or too short") }
            if chunk.count <= greatestChecked {
                try check(chunk, root, chunk: number, transaction)
            }
            chunks.append(
                chunk.count < greatestInline ? MappedBytes(copying: chunk.copy()) : chunk)
        }
        return chunks
    }

    /// The heights whose nodes are stored for an array of `count` experts.
    static func storedHeights(_ count: Int) -> Range<Int> {
        let top = ExpertArray.topHeight(count)
        return ExpertArray.storedHeight..<max(top + 1, ExpertArray.storedHeight)
    }

    /// Position of the first node of `height` among the stored nodes of a full array.
    private static func nodeOffset(height: Int, _ count: Int) -> Int {
        storedHeights(count).prefix { $0 < height }.reduce(0) {
            $0 + ExpertArray.nodeCount(count, height: $1)
        }
    }

    /// The entry of a full array.
    func entry(_ ordinal: Int) -> ArrayEntry {
        let chunk = chunks[ordinal / Self.chunkEntries]
        return ArrayEntry(chunk.bytes, at: (ordinal % Self.chunkEntries) * Self.entryCount)
    }

    /// Appends the entries of a range of a full array.
    func append(_ range: Range<Int>, to entries: inout [ArrayEntry]) {
        var start = range.lowerBound
        while start < range.upperBound {
            let (number, first) = start.quotientAndRemainder(dividingBy: Self.chunkEntries)
            let last = min(first + range.upperBound - start, Self.chunkEntries)
            let chunk = chunks[number]
            let bytes = chunk.bytes
            for index in first..<last {
                entries.append(ArrayEntry(bytes, at: index * Self.entryCount))
            }
            start += last - first
        }
    }

    /// Puts the entries that a change set has in place of earlier ones.
    ///
    /// - Parameters:
    ///   - ranges: Ascending.
    ///   - end: Ordinals from here on are left alone.
    ///   - entries: Those of the ranges, one after another.
    func replace(_ ranges: [Range<Int>], below end: Int, in entries: inout [ArrayEntry]) {
        let changes = changes
        let bytes = changes.bytes
        var index = 0
        var start = 0
        for range in ranges {
            index = lowerBound(bytes, 0, index, changeCount, range.lowerBound)
            while index < changeCount {
                let ordinal = Int(bytes.number(at: 4 * index, as: UInt32.self))
                guard ordinal < range.upperBound else { break }
                if ordinal < end {
                    entries[start + ordinal - range.lowerBound] = ArrayEntry(
                        bytes, at: 4 * changeCount + index * Self.entryCount)
                }
                index += 1
            }
            start += range.count
        }
    }

    /// The ordinal of the change at `index`; ordinals ascend.
    func changedOrdinal(_ index: Int) -> Int {
        Int(changes.bytes.number(at: 4 * index, as: UInt32.self))
    }

    func changedEntry(_ index: Int) -> ArrayEntry {
        ArrayEntry(changes.bytes, at: 4 * changeCount + index * Self.entryCount)
    }

    /// The change of `ordinal`, or nil.
    func change(of ordinal: Int) -> ArrayEntry? {
        let changes = changes
        let index = lowerBound(changes.bytes, 0, 0, changeCount, ordinal)
        guard index < changeCount, changedOrdinal(index) == ordinal else { return nil }
        return changedEntry(index)
    }

    /// The node that this record has at a stored height, or nil.
    func node(height: Int, _ index: Int) -> ObjectID? {
        if isFull {
            guard Self.storedHeights(count).contains(height),
                index < ExpertArray.nodeCount(count, height: height)
            else { return nil }
            let position = Self.nodeOffset(height: height, count) + index
            let chunk = nodeChunks[position / Self.chunkNodes]
            let bytes = chunk.bytes
            return ObjectID(bytes, at: position % Self.chunkNodes * ObjectID.byteCount)
        }
        let level = height - ExpertArray.storedHeight
        guard levels.indices.contains(level) else { return nil }
        let (offset, count) = levels[level]
        let changes = changes
        let found = lowerBound(changes.bytes, offset, 0, count, index)
        guard found < count,
            changes.bytes.number(at: offset + 4 * found, as: UInt32.self) == UInt32(index)
        else { return nil }
        let bytes = changes.bytes
        return ObjectID(bytes, at: offset + 4 * count + found * ObjectID.byteCount)
    }

    /// Puts the nodes that a change set has at a stored height in place of earlier ones.
    ///
    /// - Parameters:
    ///   - indexes: Ascending.
    ///   - nodes: One for each of `indexes`.
    func replaceNodes(height: Int, _ indexes: [UInt32], in nodes: inout [ObjectID?]) {
        let level = height - ExpertArray.storedHeight
        guard levels.indices.contains(level) else { return }
        let (offset, count) = levels[level]
        let changes = changes
        let bytes = changes.bytes
        var found = 0
        for (position, index) in indexes.enumerated() {
            found = lowerBound(bytes, offset, found, count, Int(index))
            guard found < count else { return }
            if bytes.number(at: offset + 4 * found, as: UInt32.self) == index {
                nodes[position] = ObjectID(
                    bytes, at: offset + 4 * count + found * ObjectID.byteCount)
            }
        }
    }
}

extension ArrayEntry {
    fileprivate init(_ bytes: RawSpan, at offset: Int) {
        self.init(
            location: Location(
                pack: bytes.number(at: offset), unit: bytes.number(at: offset + 4)),
            check: bytes.number(at: offset + 8))
    }
}

/// The first of `count` ascending 32-bit numbers at `offset` that is not below `wanted`, searched
/// from position `start` on in growing steps.
private func lowerBound(
    _ bytes: RawSpan, _ offset: Int, _ start: Int, _ count: Int, _ wanted: Int
) -> Int {
    var low = start
    var high = start
    var step = 1
    while high < count, Int(bytes.number(at: offset + 4 * high, as: UInt32.self)) < wanted {
        low = high + 1
        high += step
        step *= 2
    }
    high = min(high, count)
    while low < high {
        let middle = (low + high) / 2
        if Int(bytes.number(at: offset + 4 * middle, as: UInt32.self)) < wanted {
            low = middle + 1
        } else {
            high = middle
        }
    }
    return low
}
