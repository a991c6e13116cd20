internal import Elements

/// The directory of a pack in the making: names, and runs of objects with the same header.
struct PackDirectory: Sendable {
    private(set) var ids: [ObjectID] = []
    private var groups: [(count: UInt32, header: UInt32)] = []
    private var headers: [ObjectHeader] = []
    private var headerNumbers: [ObjectHeader: UInt32] = [:]
    private var headerBytes = 0
    /// Bytes of the raw data, each object's padded to units but the last one's.
    private(set) var dataCount = 0

    /// The directory as a record has it.
    struct Encoded {
        let bytes: [UInt8]
        let objects: Int
        let groups: Int
        /// The first half of its SHA-256.
        let checksum: [UInt8]
    }

    /// Bytes that it would have with one object more.
    func size(adding header: ObjectHeader) -> Int {
        let continues = groups.last.map { headers[Int($0.header)] == header } ?? false
        let newGroup = continues ? 0 : PackFormat.groupEntryCount
        let newHeader =
            continues || headerNumbers[header] != nil ? 0 : header.encoded.count + 2
        return (ids.count + 1) * PackFormat.directoryEntryCount
            + groups.count * PackFormat.groupEntryCount + newGroup + headerBytes + newHeader
    }

    /// Adds an object and returns its unit.
    mutating func add(_ id: ObjectID, _ header: ObjectHeader) -> UInt32 {
        let start = Self.aligned(dataCount)
        dataCount = start + header.payloadCount
        ids.append(id)
        let unit = UInt32(start / PackFormat.alignment)
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

    var encoded: Encoded {
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
        let checksum = ObjectID(hashing: [], directory.bytes.raw).bytes.prefix(16)
        return Encoded(
            bytes: directory.bytes, objects: ids.count, groups: groups.count,
            checksum: Array(checksum))
    }

    static func aligned(_ count: Int) -> Int {
        let mask = PackFormat.alignment - 1
        return (count + mask) / PackFormat.alignment * PackFormat.alignment
    }
}

extension PackDirectory.Encoded {
    /// The header of a record whose data end at `start`.
    func header(flags: UInt16, dataEnd start: Int) -> [UInt8] {
        var header = ByteEncoder()
        header.append(PackFormat.magic)
        header.append(PackFormat.version)
        header.append(flags)
        header.append(UInt32(objects))
        header.append(UInt32(groups))
        header.append(UInt64(start))
        header.append(UInt64(start + bytes.count))
        header.append(raw: checksum)
        return header.bytes
    }
}
