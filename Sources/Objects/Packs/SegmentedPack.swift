internal import Elements

/// What the pack of an object has where another has its data, when the object is too large for one record: the ids of
/// objects that hold the data piece by piece (docs/format.md, "Segments").
///
/// The object keeps its name, the hash of its whole canonical form.
struct SegmentedPack: Sendable {
    static let flag: UInt16 = 2
    /// Behind the pack's header, as in a compressed one: u64 bytes of each segment but the last, u32 segments, u8 depth,
    /// three zeros.
    static let headCount = 16
    /// Bytes of a segment.
    static let segmentCount = 256 << 20

    let segmentBytes: Int
    let ids: [ObjectID]
    /// As ``ColdPack/depth``.
    let depth: Int

    /// Reads what lies between the pack's header and its directory.
    init(_ bytes: RawSpan, directory: Int, _ fail: (String) -> CambiumError) throws {
        let start = PackFormat.headerCount
        guard directory - start >= Self.headCount else { throw fail("no room for segments") }
        let length: UInt64 = bytes.number(at: start)
        let count = Int(bytes.number(at: start + 8, as: UInt32.self))
        depth = Int(bytes.number(at: start + 12, as: UInt8.self))
        let first = start + Self.headCount
        let end = first + count * ObjectID.byteCount
        // Objects' data are padded to units, so the list is.
        guard bytes.copy((start + 13)..<(start + 16)) == [0, 0, 0], count > 0, end <= directory,
            directory - end < PackFormat.alignment, length > 0, length <= UInt64(UInt32.max)
        else { throw fail("its list of segments does not fill it") }
        segmentBytes = Int(length)
        ids = (0..<count).map { ObjectID(bytes, at: first + $0 * ObjectID.byteCount) }
    }

    /// The range of bytes of each segment of an object.
    static func ranges(_ count: Int, _ segmentBytes: Int) -> [Range<Int>] {
        stride(from: 0, to: count, by: segmentBytes).map { $0..<min($0 + segmentBytes, count) }
    }

    /// The record of an object whose segments are stored.
    static func record(
        _ id: ObjectID, _ header: ObjectHeader, _ segmentBytes: Int, _ segments: [ObjectID],
        depth: Int
    ) -> [UInt8] {
        var list = ByteEncoder()
        list.append(UInt64(segmentBytes))
        list.append(UInt32(segments.count))
        list.append(UInt8(depth))
        list.append(raw: [0, 0, 0])
        for segment in segments { list.append(segment) }
        return PackBuilder.record(id, header, data: list.bytes, flags: flag)
    }
}

extension Pack {
    /// The objects that hold the data of a pack's only object, piece by piece; nil for another pack.
    package var segments: [ObjectID]? { segmented?.ids }
}
