internal import Elements
package import Objects

/// What a remote pack holds: of each record the stub, and where its bulk lies (docs/remote-format.md, "Indexes").
///
/// Pack and index have one name, the SHA-256 of the index, which has that of the pack in it: the same bulk with other
/// stubs is another pack.
package struct PackIndex: Sendable {
    package struct Record: Sendable {
        package let stub: PackStub
        /// Where the bulk begins in the pack.
        package let offset: Int

        package var range: Range<Int> { offset..<(offset + stub.bulkCount) }
    }

    package private(set) var records: [Record] = []
    /// Bytes of the pack.
    package private(set) var count = 0
    /// The SHA-256 of the pack's bytes.
    package private(set) var digest = ObjectID.zero

    private static let magic: UInt32 = 0x5849_5243  // "CRIX"
    /// More bytes are no index.
    package static let greatestSize = 1 << 30

    package init() {}

    /// Adds a record behind the others.
    package mutating func add(_ stub: PackStub) {
        records.append(Record(stub: stub, offset: count))
        count += stub.bulkCount
    }

    /// - Parameters:
    ///   - digest: The SHA-256 of the pack's bytes.
    ///   - padding: Bytes of the pack behind the last bulk.
    package func encoded(_ digest: ObjectID, padding: Int = 0) -> [UInt8] {
        let size = records.reduce(52) { $0 + 16 + $1.stub.bytes.count }
        var encoder = ByteEncoder(capacity: size)
        encoder.append(Self.magic)
        encoder.append(UInt32(1))
        encoder.append(UInt64(count + padding))
        encoder.append(digest)
        encoder.append(UInt32(records.count))
        for record in records {
            encoder.append(UInt64(record.offset))
            encoder.append(UInt32(record.stub.head))
            encoder.append(UInt32(record.stub.bytes.count))
            encoder.append(raw: record.stub.bytes)
        }
        return encoder.bytes
    }

    /// - Throws: `corrupt` for bytes that are no index, or whose records lie outside of the pack.
    package init(decoding bytes: [UInt8], _ key: String) throws {
        var decoder = ByteDecoder(bytes, key)
        guard try decoder.number(UInt32.self) == Self.magic,
            try decoder.number(UInt32.self) == 1
        else { throw CambiumError(.corrupt, "\(key) of the remote is no index of a pack") }
        let size = try decoder.number(UInt64.self)
        guard size <= 1 << 40 else {
            throw CambiumError(.corrupt, "\(key) of the remote claims a pack of \(size) bytes")
        }
        count = Int(size)
        digest = try decoder.id()
        var end: UInt64 = 0
        for _ in 0..<(try decoder.count(minimum: 16)) {
            let offset = try decoder.number(UInt64.self)
            let head = Int(try decoder.number(UInt32.self))
            let length = try decoder.count(minimum: 1)
            let stub = try PackStub(try decoder.take(length), head: head)
            guard offset >= end, offset <= size, UInt64(stub.bulkCount) <= size - offset else {
                throw CambiumError(.corrupt, "\(key) of the remote names bytes outside of its pack")
            }
            end = offset + UInt64(stub.bulkCount)
            records.append(Record(stub: stub, offset: Int(offset)))
        }
        try decoder.end()
    }
}
