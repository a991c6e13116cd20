internal import Elements

/// Fills one pack record: header, aligned object data, then the directory.
struct PackBuilder {
    private(set) var ids: [ObjectID] = []
    private var units: [UInt32] = []
    private var headerIndexes: [UInt32] = []
    private var headers: [ObjectHeader] = []
    private var headerNumbers: [ObjectHeader: UInt32] = [:]
    private var headerBytes = 0
    private var record: [UInt8] = []

    var isEmpty: Bool { ids.isEmpty }

    init() { record = Array(repeating: 0, count: PackFormat.headerCount) }

    /// Bytes of the record if an object with `header` were added.
    func size(adding header: ObjectHeader) -> Int {
        let newHeader = headerNumbers[header] == nil ? header.encoded.count + 2 : 0
        return aligned(record.count) + header.payloadCount
            + (ids.count + 1) * PackFormat.directoryEntryCount + headerBytes + newHeader
    }

    /// Appends one object and returns its unit.
    ///
    /// The payload is copied.
    mutating func add(_ id: ObjectID, _ header: ObjectHeader, _ payload: RawSpan) -> UInt32 {
        precondition(payload.byteCount == header.payloadCount, "payload and header disagree")
        record.append(
            contentsOf: repeatElement(0, count: aligned(record.count) - record.count))
        let unit = UInt32((record.count - PackFormat.headerCount) / PackFormat.alignment)
        unsafe payload.withUnsafeBytes { unsafe record.append(contentsOf: $0) }
        let number: UInt32
        if let known = headerNumbers[header] {
            number = known
        } else {
            number = UInt32(headers.count)
            headerNumbers[header] = number
            headers.append(header)
            headerBytes += header.encoded.count + 2
        }
        ids.append(id)
        units.append(unit)
        headerIndexes.append(number)
        return unit
    }

    /// The finished record.
    consuming func finish() -> [UInt8] {
        var directory = ByteEncoder()
        for index in ids.indices {
            directory.append(ids[index])
            directory.append(units[index])
            directory.append(headerIndexes[index])
        }
        for header in headers {
            directory.append(UInt16(header.encoded.count))
            directory.append(raw: header.encoded)
        }
        let start = record.count
        record.append(contentsOf: directory.bytes)
        let used = record.count
        let checksum = ObjectID(hashing: [], directory.bytes.raw).bytes.prefix(16)
        var header = ByteEncoder()
        header.append(PackFormat.magic)
        header.append(PackFormat.version)
        header.append(UInt16(0))
        header.append(UInt32(ids.count))
        header.append(UInt32(headers.count))
        header.append(UInt64(start))
        header.append(UInt64(used))
        header.append(raw: Array(checksum))
        record.replaceSubrange(0..<PackFormat.headerCount, with: header.bytes)
        record.append(
            contentsOf: repeatElement(0, count: PackFormat.recordCount(used) - used))
        return record
    }

    private func aligned(_ offset: Int) -> Int {
        let mask = PackFormat.alignment - 1
        return (offset - PackFormat.headerCount + mask) / PackFormat.alignment
            * PackFormat.alignment + PackFormat.headerCount
    }
}
