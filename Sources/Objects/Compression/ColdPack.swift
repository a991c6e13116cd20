internal import Elements

/// What a compressed pack holds where a raw one has its objects' data (docs/format.md, "Packs").
///
/// The directory is the raw pack's, so each object keeps its name and its place.
struct ColdPack {
    static let flag: UInt16 = 1
    /// Behind the pack's header: u64 bytes of the block, u32 predecessors, u8 depth, u16 step, a zero.
    static let headCount = 16
    /// u32 position of the object, id of its predecessor.
    static let predecessorCount = 36
    /// Packs of several objects with more data than this stay raw: mostly a pack is decompressed as a whole.
    static let greatestData = 256 << 20
    /// How many differences may lie between an object and raw bytes.
    static let greatestDepth = 64
    /// As many a repack makes, whose chains lead from the old to the new.
    static let greatestRepackDepth = 8

    /// Where the depth lies in the record.
    static let depthOffset = PackFormat.headerCount + 12

    /// 0 when no object needs a predecessor; else one more than the greatest depth of the packs that
    /// hold them, as it was when a compression or a repack last looked (``PackChains``).
    let depth: Int
    /// How many versions lie between raw bytes and these, as the commit counted that wrote them (``StepScheme``);
    /// 0 for what a repack compressed.
    let step: Int
    /// Objects that are stored as differences, and what from; positions ascend.
    let predecessors: [(index: Int, id: ObjectID)]
    /// Where the block lies in the record.
    let block: Range<Int>

    /// Reads what lies between the pack's header and its directory.
    init(
        _ bytes: RawSpan, directory: Int, objects: Int, _ fail: (String) -> CambiumError
    ) throws {
        let start = PackFormat.headerCount
        guard directory - start >= Self.headCount else { throw fail("no room for compressed data") }
        let length: UInt64 = bytes.number(at: start)
        let count = Int(bytes.number(at: start + 8, as: UInt32.self))
        depth = Int(bytes.number(at: start + 12, as: UInt8.self))
        step =
            Int(bytes.number(at: start + 13, as: UInt8.self))
            | Int(bytes.number(at: start + 14, as: UInt8.self)) << 8
        let first = start + Self.headCount + count * Self.predecessorCount
        guard depth <= Self.greatestDepth, bytes.number(at: start + 15, as: UInt8.self) == 0,
            first <= directory, length == UInt64(directory - first)
        else { throw fail("its compressed data do not fill it") }
        var predecessors: [(index: Int, id: ObjectID)] = []
        for number in 0..<count {
            let offset = start + Self.headCount + number * Self.predecessorCount
            let index = Int(bytes.number(at: offset, as: UInt32.self))
            guard index < objects, predecessors.last.map({ $0.index < index }) ?? true else {
                throw fail("predecessor \(number) is of object \(index)")
            }
            predecessors.append((index, ObjectID(bytes, at: offset + 4)))
        }
        self.predecessors = predecessors
        block = first..<directory
    }

    /// The compressed record of a pack whose data can be read, or nil when it would not be smaller
    /// than the raw one by a page and 5 %.
    ///
    /// Its depth is 0 until ``Pack/record(_:depth:)`` notes the true one.
    ///
    /// - Parameter predecessors: By position, later versions of objects, in packs that are never
    ///   written as differences to this one. They are used only if they save a tenth of the data.
    static func record(
        of pack: Pack, predecessors: [Int: StoredObject]
    ) throws -> CompressedRecord? {
        var compressor = try ZstdCompressor()
        var plain = ColdGroupBuilder()
        var related = ColdGroupBuilder()
        var used: [(index: Int, id: ObjectID)] = []
        for index in 0..<pack.count {
            let width = ElementWidth(pack.header(index))
            let payload = pack.payload(index)
            try plain.add(payload.bytes, width)
            if let predecessor = predecessors[index],
                predecessor.header == pack.header(index)
            {
                try related.add(payload.bytes, width, predecessor: predecessor.payload.bytes)
                used.append((index, predecessor.id))
            } else {
                try related.add(payload.bytes, width)
            }
        }
        var block = try plain.finish(&compressor)
        if !used.isEmpty {
            let other = try related.finish(&compressor)
            if other.count + used.count * predecessorCount < block.count - pack.dataCount / 10 {
                block = other
            } else {
                used = []
            }
        }
        let directory = pack.directory
        let length =
            PackFormat.headerCount + headCount + used.count * predecessorCount + block.count
            + directory.count
        let raw = PackFormat.recordCount(
            PackFormat.headerCount + pack.dataCount + directory.count)
        guard PackFormat.recordCount(length) + 4096 <= raw, length * 20 <= raw * 19
        else { return nil }
        return CompressedRecord(
            bytes: encode(pack, used, block, directory), usesPredecessors: !used.isEmpty)
    }

    /// The record of a pack as a commit stores it that changes a little of what was before, or nil when that
    /// would be more than half of the raw one: raw bytes can be mapped.
    ///
    /// - Parameter predecessors: By position, what the objects are near to.
    static func difference(
        of pack: Pack, from predecessors: [Int: StoredObject], depth: Int, step: Int
    ) throws -> [UInt8]? {
        var compressor = try ZstdCompressor()
        var group = ColdGroupBuilder()
        for index in 0..<pack.count {
            let (payload, width) = (pack.payload(index), ElementWidth(pack.header(index)))
            if let predecessor = predecessors[index]?.payload {
                try group.add(payload.bytes, width, predecessor: predecessor.bytes)
            } else {
                try group.add(payload.bytes, width)
            }
        }
        let block = try group.finish(&compressor)
        let directory = pack.directory
        let used = predecessors.sorted { $0.key < $1.key }.map { (index: $0.key, id: $0.value.id) }
        let length =
            PackFormat.headerCount + headCount + used.count * predecessorCount + block.count
            + directory.count
        guard PackFormat.recordCount(length) * 2 <= pack.record.count else { return nil }
        return encode(pack, used, block, directory, depth: depth, step: step)
    }

    private static func encode(
        _ pack: Pack, _ predecessors: [(index: Int, id: ObjectID)], _ block: [UInt8],
        _ directory: [UInt8], depth: Int = 0, step: Int = 0
    ) -> [UInt8] {
        let start =
            PackFormat.headerCount + headCount + predecessors.count * predecessorCount
            + block.count
        var encoder = ByteEncoder(capacity: start + directory.count + 4096)
        encoder.append(PackFormat.magic)
        encoder.append(PackFormat.version)
        encoder.append(flag)
        encoder.append(UInt32(pack.count))
        encoder.append(UInt32(pack.groupCount))
        encoder.append(UInt64(start))
        encoder.append(UInt64(start + directory.count))
        encoder.append(raw: pack.directoryChecksum)
        encoder.append(UInt64(block.count))
        encoder.append(UInt32(predecessors.count))
        encoder.append(UInt8(depth))
        encoder.append(raw: [UInt8(step & 255), UInt8(step >> 8), 0])
        for (index, id) in predecessors {
            encoder.append(UInt32(index))
            encoder.append(id)
        }
        encoder.append(raw: block)
        encoder.append(raw: directory)
        let padding = PackFormat.recordCount(start + directory.count) - encoder.bytes.count
        encoder.append(raw: Array(repeating: 0, count: padding))
        return encoder.bytes
    }
}

/// A pack's compressed record.
package struct CompressedRecord: Sendable {
    package let bytes: [UInt8]
    /// Whether objects are stored as differences from the predecessors that were given.
    package let usesPredecessors: Bool
}

/// The data of a decompressed pack, laid out as in a raw one.
@safe final class DecodedData: @unchecked Sendable {
    // Filled by the one thread that makes it, and only read once `mapped` was taken.
    private let buffer: UnsafeMutableRawBufferPointer
    private let count: Int

    /// - Parameter count: Bytes of a raw pack's header and data.
    init(count: Int) {
        self.count = count
        // A raw record begins at offset 16 of a page, so its data begin at multiples of 64.
        unsafe buffer = .allocate(byteCount: count + 16, alignment: 64)
        unsafe buffer.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { unsafe buffer.deallocate() }

    /// Fills a part.
    func fill<Failure: Error>(
        _ range: Range<Int>, _ body: (inout MutableRawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "data outside the pack")
        var span = unsafe MutableRawSpan(
            _unsafeBytes: UnsafeMutableRawBufferPointer(
                rebasing: buffer[(16 + range.lowerBound)..<(16 + range.upperBound)]))
        try body(&span)
    }

    var mapped: MappedBytes {
        unsafe MappedBytes(
            UnsafeRawBufferPointer(start: buffer.baseAddress.map { unsafe $0 + 16 }, count: count),
            owner: self)
    }
}
