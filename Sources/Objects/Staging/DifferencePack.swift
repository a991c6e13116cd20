internal import Elements

/// A pack in the making of objects that are stored as differences from what they take the place of.
///
/// Many share it, since a difference is small and a record takes whole pages.
struct DifferencePack: Sendable {
    /// Bytes of the objects of a full one, unless one object has more.
    private static let target = 4 << 20
    /// With fewer bytes than this, raw objects that share a record with others may take less.
    private static let smallest = 16 << 10

    /// A raw copy of an object, while there are few.
    struct Copy: Sendable {
        /// Its position among the staged objects.
        let object: Int
        let id: ObjectID
        let header: ObjectHeader
        let payload: [UInt8]
    }

    /// Among the packs of the staging.
    let position: Int
    private var directory = PackDirectory()
    private var group = ColdGroupBuilder()
    private var differences: [ColdPack.Difference] = []
    private var depth = 0
    private var step = 0
    /// Nil once there are too many to be kept raw.
    private var copies: [Copy]? = []

    init(position: Int) { self.position = position }

    /// Bytes of memory that it takes, about.
    var memory: Int { group.memory + directory.ids.count * 96 }

    func hasRoom(_ header: ObjectHeader) -> Bool {
        directory.dataCount + header.payloadCount <= Self.target || directory.ids.isEmpty
    }

    /// Adds an object and returns its unit.
    ///
    /// - Parameter object: Its position among the staged objects.
    mutating func add(
        _ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan, _ difference: ObjectDifference,
        _ object: Int
    ) -> UInt32 {
        let unit = directory.add(id, header)
        differences.append(
            ColdPack.Difference(
                index: differences.count, base: difference.base, checksum: difference.checksum))
        group.add(difference.words, byteCount: header.payloadCount)
        depth = max(depth, difference.depth)
        step = max(step, difference.step)
        if directory.dataCount >= Self.smallest {
            copies = nil
        } else {
            copies?.append(
                Copy(
                    object: object, id: id, header: header,
                    payload: payload.copy(0..<payload.byteCount)))
        }
        return unit
    }

    /// The record, compressed.
    func record() throws -> [UInt8] {
        var compressor = try ZstdCompressor()
        let block = try group.finish(&compressor)
        return ColdPack.encode(directory.encoded, differences, block, depth: depth, step: step)
    }

    /// Its objects, where raw they take less than two times the pages that they take as differences.
    ///
    /// - Returns: Nil for a pack of many.
    func fewObjects() throws -> [Copy]? {
        guard let copies, try record().count * 2 > directory.dataCount else { return nil }
        return copies
    }
}
