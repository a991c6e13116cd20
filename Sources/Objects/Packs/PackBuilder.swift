internal import Elements

/// Fills one pack record: header, aligned object data, then the directory.
struct PackBuilder {
    private var directory = PackDirectory()
    private var record: [UInt8]

    var isEmpty: Bool { directory.ids.isEmpty }

    /// - Parameter capacity: Bytes that the record is expected to have.
    init(capacity: Int = 4096) {
        record = []
        record.reserveCapacity(capacity)
        record.append(contentsOf: repeatElement(0, count: PackFormat.headerCount))
    }

    /// Bytes of the record if an object with `header` were added.
    func size(adding header: ObjectHeader) -> Int {
        PackFormat.headerCount + PackDirectory.aligned(directory.dataCount) + header.payloadCount
            + directory.size(adding: header)
    }

    /// Appends one object and returns its unit.
    ///
    /// The payload is copied.
    mutating func add(_ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan) -> UInt32 {
        precondition(payload.byteCount == header.payloadCount, "payload and header disagree")
        pad()
        unsafe payload.withUnsafeBytes { unsafe record.append(contentsOf: $0) }
        return directory.add(id, header)
    }

    /// The record of one object that has `data` in place of its own.
    static func record(
        _ id: ObjectID, _ header: ObjectHeader, data: [UInt8], flags: UInt16
    ) -> [UInt8] {
        var builder = PackBuilder(capacity: data.count + 4096)
        builder.record.append(contentsOf: data)
        _ = builder.directory.add(id, header)
        return builder.finish(flags: flags)
    }

    /// A record of one object without its data: what is in front of them, and what is behind, padding among it.
    static func frame(_ id: ObjectID, _ header: ObjectHeader) -> (head: [UInt8], tail: [UInt8]) {
        var directory = PackDirectory()
        _ = directory.add(id, header)
        let encoded = directory.encoded
        let padding = PackDirectory.aligned(header.payloadCount) - header.payloadCount
        let end = PackFormat.headerCount + header.payloadCount + padding
        let used = end + encoded.bytes.count
        return (
            encoded.header(flags: 0, dataEnd: end),
            [UInt8](repeating: 0, count: padding) + encoded.bytes
                + [UInt8](repeating: 0, count: PackFormat.recordCount(used) - used)
        )
    }

    /// The finished record.
    consuming func finish(flags: UInt16 = 0) -> [UInt8] {
        // A reader finds an object by the sizes of those before it, so the last one is padded too.
        pad()
        let encoded = directory.encoded
        let header = encoded.header(flags: flags, dataEnd: record.count)
        record.append(contentsOf: encoded.bytes)
        record.replaceSubrange(0..<PackFormat.headerCount, with: header)
        record.append(
            contentsOf: repeatElement(0, count: PackFormat.recordCount(record.count) - record.count)
        )
        return record
    }

    private mutating func pad() {
        let end =
            PackFormat.headerCount
            + PackDirectory.aligned(record.count - PackFormat.headerCount)
        record.append(contentsOf: repeatElement(0, count: end - record.count))
    }
}
