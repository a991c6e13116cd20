internal import Elements

/// Fills one pack record: header, aligned object data, then the directory.
struct PackBuilder {
    private(set) var ids: [ObjectID] = []
    private var groups: [(count: UInt32, header: UInt32)] = []
    private var headers: [ObjectHeader] = []
    private var headerNumbers: [ObjectHeader: UInt32] = [:]
    private var headerBytes = 0
    private var record: [UInt8]

    var isEmpty: Bool { ids.isEmpty }

    /// - Parameter capacity: Bytes that the record is expected to have.
    init(capacity: Int = 4096) {
        record = []
        record.reserveCapacity(capacity)
        record.append(contentsOf: repeatElement(0, count: PackFormat.headerCount))
    }

    /// Bytes of the record if an object with `header` were added.
    func size(adding header: ObjectHeader) -> Int {
        let continues = groups.last.map { headers[Int($0.header)] == header } ?? false
        let newGroup = continues ? 0 : PackFormat.groupEntryCount
        let newHeader =
            continues || headerNumbers[header] != nil ? 0 : header.encoded.count + 2
        return aligned(record.count) + header.payloadCount
            + (ids.count + 1) * PackFormat.directoryEntryCount
            + groups.count * PackFormat.groupEntryCount + newGroup + headerBytes + newHeader
    }

    /// Appends one object and returns its unit.
    ///
    /// The payload is copied.
    mutating func add(_ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan) -> UInt32 {
        precondition(payload.byteCount == header.payloadCount, "payload and header disagree")
        pad()
        let unit = UInt32((record.count - PackFormat.headerCount) / PackFormat.alignment)
        unsafe payload.withUnsafeBytes { unsafe record.append(contentsOf: $0) }
        ids.append(id)
        if let last = groups.last, headers[Int(last.header)] == header {
            groups[groups.count - 1].count += 1
            return unit
        }
        if headerNumbers[header] == nil {
            headerNumbers[header] = UInt32(headers.count)
            headers.append(header)
            headerBytes += header.encoded.count + 2
        }
        groups.append((1, headerNumbers[header] ?? 0))
        return unit
    }

    /// The record of one object that has `data` in place of its own.
    static func record(
        _ id: ObjectID, _ header: ObjectHeader, data: [UInt8], flags: UInt16
    ) -> [UInt8] {
        var builder = PackBuilder(capacity: data.count + 4096)
        builder.record.append(contentsOf: data)
        builder.ids = [id]
        builder.headers = [header]
        builder.groups = [(1, 0)]
        return builder.finish(flags: flags)
    }

    /// The finished record.
    consuming func finish(flags: UInt16 = 0) -> [UInt8] {
        // A reader finds an object by the sizes of those before it, so the last one is padded too.
        pad()
        let start = record.count
        var directory = ByteEncoder(
            capacity: ids.count * PackFormat.directoryEntryCount
                + groups.count * PackFormat.groupEntryCount + headerBytes)
        for id in ids { directory.append(id) }
        for group in groups {
            directory.append(group.count)
            directory.append(group.header)
        }
        for header in headers {
            directory.append(UInt16(header.encoded.count))
            directory.append(raw: header.encoded)
        }
        record.append(contentsOf: directory.bytes)
        let used = record.count
        let checksum = ObjectID(hashing: [], directory.bytes.raw).bytes.prefix(16)
        var header = ByteEncoder()
        header.append(PackFormat.magic)
        header.append(PackFormat.version)
        header.append(flags)
        header.append(UInt32(ids.count))
        header.append(UInt32(groups.count))
        header.append(UInt64(start))
        header.append(UInt64(used))
        header.append(raw: Array(checksum))
        record.replaceSubrange(0..<PackFormat.headerCount, with: header.bytes)
        record.append(
            contentsOf: repeatElement(0, count: PackFormat.recordCount(used) - used))
        return record
    }

    private mutating func pad() {
        record.append(contentsOf: repeatElement(0, count: aligned(record.count) - record.count))
    }

    private func aligned(_ offset: Int) -> Int {
        let mask = PackFormat.alignment - 1
        return (offset - PackFormat.headerCount + mask) / PackFormat.alignment
            * PackFormat.alignment + PackFormat.headerCount
    }
}
