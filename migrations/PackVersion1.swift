internal import Elements
internal import Objects

/// A pack of the formats 1 and 2, whose directory told each object's unit and header.
///
/// | directory | | |
/// | --- | --- | --- |
/// | per object | 40 | id; u32 unit; u32 number of its header |
/// | per header | | u16 length; the header's bytes |
struct PackVersion1 {
    struct Object {
        let id: ObjectID
        let unit: UInt32
        let header: ObjectHeader
        let payload: MappedBytes
    }

    let number: UInt32
    /// In the order of their units.
    let objects: [Object]

    private static let magic: UInt32 = 0x4B41_5043  // "CPAK"
    private static let headerCount = 48

    init(number: UInt32, record: MappedBytes) throws {
        self.number = number
        func fail(_ problem: String) -> CambiumError {
            CambiumError(.corrupt, "pack \(number): \(problem); restore a backup")
        }
        let bytes = record.bytes
        guard bytes.byteCount >= Self.headerCount else { throw fail("record too short") }
        guard bytes.number(at: 0) == Self.magic, bytes.number(at: 4, as: UInt16.self) == 1 else {
            throw fail("it is no pack of version 1")
        }
        let count = Int(bytes.number(at: 8, as: UInt32.self))
        let headerCount = Int(bytes.number(at: 12, as: UInt32.self))
        let start: UInt64 = bytes.number(at: 16)
        let end: UInt64 = bytes.number(at: 24)
        guard start >= UInt64(Self.headerCount), start <= end, end <= UInt64(bytes.byteCount)
        else { throw fail("directory \(start)..<\(end) outside \(bytes.byteCount) bytes") }
        let directory = bytes.copy(Int(start)..<Int(end))
        let checksum = ObjectID(hashing: directory).bytes.prefix(16)
        guard checksum.elementsEqual(bytes.copy(32..<48)) else {
            throw fail("the directory does not match its checksum")
        }
        guard count <= directory.count / 40 else { throw fail("\(count) objects do not fit") }
        var decoder = ByteDecoder(directory, "pack \(number)")
        var entries: [(id: ObjectID, unit: UInt32, header: Int)] = []
        for _ in 0..<count {
            entries.append(
                (try decoder.id(), try decoder.number(), Int(try decoder.number(UInt32.self))))
        }
        var headers: [ObjectHeader] = []
        for _ in 0..<headerCount {
            let length = Int(try decoder.number(UInt16.self))
            headers.append(try ObjectHeader(decoding: try decoder.take(length)))
        }
        try decoder.end()
        var objects: [Object] = []
        for entry in entries {
            guard entry.header < headers.count else { throw fail("header \(entry.header)") }
            let header = headers[entry.header]
            let offset = Self.headerCount + 64 * Int(entry.unit)
            guard offset + header.payloadCount <= Int(start) else {
                throw fail("an entry points outside the record")
            }
            objects.append(
                Object(
                    id: entry.id, unit: entry.unit, header: header,
                    payload: record.slice(offset..<(offset + header.payloadCount))))
        }
        self.objects = objects
    }
}
