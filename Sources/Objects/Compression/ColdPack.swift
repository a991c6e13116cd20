internal import Elements

/// What a compressed pack holds where a raw one has its objects' data (docs/format.md, "Packs").
///
/// The directory is the raw pack's, so each object keeps its name and its place.
struct ColdPack {
    static let flag: UInt16 = 1
    /// Of one whose differences have checksums.
    static let checkedFlag: UInt16 = 5
    /// Behind the pack's header: u64 bytes of the block, u32 predecessors, u8 depth, u16 step, a zero.
    static let headCount = 16
    /// u32 position of the object, id of its predecessor; with checksums u64 ``PayloadChecksum`` of the object's bytes.
    static func predecessorCount(_ flags: UInt16) -> Int { flags == checkedFlag ? 44 : 36 }
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
    /// Objects that are stored as differences; positions ascend.
    let differences: [Difference]
    /// Where the block lies in the record.
    let block: Range<Int>

    /// An object that is stored as its difference from another.
    struct Difference: Sendable {
        let index: Int
        let base: ObjectID
        /// Of the object's bytes; nil where only its name tells whether they are right.
        let checksum: UInt64?
    }

    /// Reads what lies between the pack's header and its directory.
    init(
        _ bytes: RawSpan, flags: UInt16, directory: Int, objects: Int, _ promise: BulkRange?,
        _ fail: (String) -> CambiumError
    ) throws {
        let start = PackFormat.headerCount
        guard directory - start >= Self.headCount else { throw fail("no room for compressed data") }
        let length: UInt64 = bytes.number(at: start)
        let count = Int(bytes.number(at: start + 8, as: UInt32.self))
        depth = Int(bytes.number(at: start + 12, as: UInt8.self))
        step =
            Int(bytes.number(at: start + 13, as: UInt8.self))
            | Int(bytes.number(at: start + 14, as: UInt8.self)) << 8
        let size = Self.predecessorCount(flags)
        let first = start + Self.headCount + count * size
        // A place stands for a block that is elsewhere.
        let block = promise.map { _ in PromisedPack.placeCount } ?? Int(clamping: length)
        guard depth <= Self.greatestDepth, bytes.number(at: start + 15, as: UInt8.self) == 0,
            first <= directory, block == directory - first,
            length == UInt64(promise?.count ?? block)
        else { throw fail("its compressed data do not fill it") }
        var differences: [Difference] = []
        differences.reserveCapacity(count)
        for number in 0..<count {
            let offset = start + Self.headCount + number * size
            let index = Int(bytes.number(at: offset, as: UInt32.self))
            guard index < objects, differences.last.map({ $0.index < index }) ?? true else {
                throw fail("predecessor \(number) is of object \(index)")
            }
            differences.append(
                Difference(
                    index: index, base: ObjectID(bytes, at: offset + 4),
                    checksum: flags == Self.checkedFlag
                        ? bytes.number(at: offset + 36, as: UInt64.self) : nil))
        }
        self.differences = differences
        self.block = first..<directory
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
        var used: [Difference] = []
        for index in 0..<pack.count {
            let width = ElementWidth(pack.header(index))
            let payload = pack.payload(index)
            try plain.add(payload.bytes, width)
            if let predecessor = predecessors[index],
                predecessor.header == pack.header(index)
            {
                try related.add(payload.bytes, width, predecessor: predecessor.payload.bytes)
                used.append(
                    Difference(
                        index: index, base: predecessor.id,
                        checksum: PayloadChecksum.of(payload.bytes)))
            } else {
                try related.add(payload.bytes, width)
            }
        }
        var block = try plain.finish(&compressor)
        if !used.isEmpty {
            let other = try related.finish(&compressor)
            if other.count + used.count * predecessorCount(checkedFlag)
                < block.count - pack.dataCount / 10
            {
                block = other
            } else {
                used = []
            }
        }
        let record = encode(pack.encodedDirectory, used, block)
        let raw = PackFormat.recordCount(
            PackFormat.headerCount + pack.dataCount + pack.directory.count)
        guard record.count + 4096 <= raw, record.count * 20 <= raw * 19 else { return nil }
        return CompressedRecord(bytes: record, usesPredecessors: !used.isEmpty)
    }

    /// The record of a pack with these objects.
    static func encode(
        _ directory: PackDirectory.Encoded, _ differences: [Difference], _ block: [UInt8],
        depth: Int = 0, step: Int = 0
    ) -> [UInt8] {
        let flags = differences.isEmpty ? flag : checkedFlag
        let start =
            PackFormat.headerCount + headCount + differences.count * predecessorCount(flags)
            + block.count
        var encoder = ByteEncoder(capacity: start + directory.bytes.count + 4096)
        encoder.append(raw: directory.header(flags: flags, dataEnd: start))
        encoder.append(UInt64(block.count))
        encoder.append(UInt32(differences.count))
        encoder.append(UInt8(depth))
        encoder.append(raw: [UInt8(step & 255), UInt8(step >> 8), 0])
        for difference in differences {
            encoder.append(UInt32(difference.index))
            encoder.append(difference.base)
            encoder.append(difference.checksum ?? 0)
        }
        encoder.append(raw: block)
        encoder.append(raw: directory.bytes)
        let padding =
            PackFormat.recordCount(start + directory.bytes.count) - encoder.bytes.count
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

    /// Memory that is to be filled, all but the header.
    ///
    /// - Parameter count: Bytes of a raw pack's header and data.
    init(count: Int) {
        self.count = count
        // A raw record begins at offset 16 of a page, so its data begin at multiples of 64.
        unsafe buffer = .allocateLarge(byteCount: count + 16, alignment: 64)
        let header = 16 + PackFormat.headerCount
        unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(header, buffer.count)])
            .initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { unsafe buffer.deallocate() }

    /// Fills a part, and what lies between it and the next object with zeros.
    func fill<Failure: Error>(
        _ range: Range<Int>, _ body: (inout MutableRawSpan) throws(Failure) -> Void
    ) throws(Failure) {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "data outside the pack")
        var span = unsafe MutableRawSpan(
            _unsafeBytes: UnsafeMutableRawBufferPointer(
                rebasing: buffer[(16 + range.lowerBound)..<(16 + range.upperBound)]))
        try body(&span)
        let end = min(
            PackFormat.headerCount
                + PackDirectory.aligned(range.upperBound - PackFormat.headerCount), count)
        guard range.upperBound < end else { return }
        unsafe UnsafeMutableRawBufferPointer(
            rebasing: buffer[(16 + range.upperBound)..<(16 + end)]
        ).initializeMemory(as: UInt8.self, repeating: 0)
    }

    var mapped: MappedBytes {
        unsafe MappedBytes(
            UnsafeRawBufferPointer(start: buffer.baseAddress.map { unsafe $0 + 16 }, count: count),
            owner: self)
    }
}
