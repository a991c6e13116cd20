package import Elements

/// One pack record, read in place.
package struct Pack: Sendable {
    package let number: UInt32
    package let record: MappedBytes
    /// Objects in this pack.
    package let count: Int
    private let directoryOffset: Int
    private let headers: [ObjectHeader]
    /// Bytes in use, the padding at the end left out.
    package let used: Int

    /// Checks the record's structure: lengths, the directory's checksum and every entry's bounds.
    ///
    /// - Throws: `.corrupt` naming the pack and what is wrong.
    package init(number: UInt32, record: MappedBytes) throws(ObjectError) {
        self.number = number
        self.record = record
        func fail(_ problem: String) -> ObjectError {
            ObjectError(.corrupt, "pack \(number): \(problem); run `cambium verify`")
        }
        let bytes = record.bytes
        guard bytes.byteCount >= PackFormat.headerCount else { throw fail("record too short") }
        var decoder = ByteDecoder(
            bytes.copy(0..<PackFormat.headerCount), "pack \(number)")
        guard try decoder.number(UInt32.self) == PackFormat.magic else {
            throw fail("wrong magic number")
        }
        let version = try decoder.number(UInt16.self)
        guard version == PackFormat.version else { throw fail("version \(version) is unknown") }
        guard try decoder.number(UInt16.self) == 0 else { throw fail("reserved bytes in use") }
        count = Int(try decoder.number(UInt32.self))
        let headerCount = Int(try decoder.number(UInt32.self))
        let start = try decoder.number(UInt64.self)
        let end = try decoder.number(UInt64.self)
        let checksum = try decoder.take(16)
        guard start >= UInt64(PackFormat.headerCount), start <= end, end <= UInt64(bytes.byteCount)
        else { throw fail("directory \(start)..<\(end) outside \(bytes.byteCount) bytes") }
        directoryOffset = Int(start)
        used = Int(end)
        guard count <= (used - directoryOffset) / PackFormat.directoryEntryCount else {
            throw fail("\(count) objects do not fit the directory")
        }
        let directory = bytes.extracting(directoryOffset..<used)
        guard Array(ObjectID(hashing: [], directory).bytes.prefix(16)) == checksum else {
            throw fail("the directory does not match its checksum")
        }
        var rest = ByteDecoder(
            bytes.copy((directoryOffset + count * PackFormat.directoryEntryCount)..<used),
            "pack \(number)")
        var headers: [ObjectHeader] = []
        for _ in 0..<headerCount {
            let length = Int(try rest.number(UInt16.self))
            headers.append(try ObjectHeader(decoding: try rest.take(length)))
        }
        try rest.end()
        self.headers = headers
        for index in 0..<count {
            let entry = entry(index)
            guard entry.header < headers.count,
                PackFormat.headerCount + Int(entry.unit) * PackFormat.alignment
                    + headers[entry.header].payloadCount <= directoryOffset
            else { throw fail("entry \(index) points outside the record") }
        }
    }

    package func id(_ index: Int) -> ObjectID { entry(index).id }

    package func header(_ index: Int) -> ObjectHeader { headers[entry(index).header] }

    package func location(_ index: Int) -> Location {
        Location(pack: number, unit: entry(index).unit)
    }

    /// The object's data in place.
    package func payload(_ index: Int) -> MappedBytes {
        let entry = entry(index)
        let start = PackFormat.headerCount + Int(entry.unit) * PackFormat.alignment
        return record.slice(start..<(start + headers[entry.header].payloadCount))
    }

    /// The object at `index`, in place.
    package func stored(_ index: Int) -> StoredObject {
        StoredObject(
            id: id(index), header: header(index), payload: payload(index),
            location: location(index))
    }

    /// The object named `id` if it starts at `unit`.
    package func object(_ id: ObjectID, unit: UInt32) -> StoredObject? {
        objects(unit: unit).first { $0.id == id }
    }

    /// The objects that start at `unit`: one, or more where objects without data share the unit
    /// with the next one.
    func objects(unit: UInt32) -> [StoredObject] {
        guard let start = index(unit: unit) else { return [] }
        return (start..<count).prefix { entry($0).unit == unit }.map(stored)
    }

    /// The position of the first object that starts at `unit`; the directory is in unit order.
    private func index(unit: UInt32) -> Int? {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if entry(middle).unit < unit { low = middle + 1 } else { high = middle }
        }
        return low < count && entry(low).unit == unit ? low : nil
    }

    private func entry(_ index: Int) -> (id: ObjectID, unit: UInt32, header: Int) {
        let offset = directoryOffset + index * PackFormat.directoryEntryCount
        let bytes = record.bytes
        let id = ObjectID(bytes, at: offset)
        let unit: UInt32 = bytes.number(at: offset + 32)
        let header: UInt32 = bytes.number(at: offset + 36)
        return (id, unit, Int(header))
    }
}
