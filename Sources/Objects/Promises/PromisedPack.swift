internal import Elements

/// A pack whose objects' data lie in a pack of a remote: its record has a place where another has its data, raw or
/// compressed (docs/format.md, "Promised packs").
///
/// All that is not data is in the record, so objects keep their names and their places.
package enum PromisedPack {
    /// Beside the flags of the pack that it stands for.
    static let flag: UInt16 = 8
    /// The name of the remote pack, u64 offset of the data there, u64 their length.
    static let placeCount = ObjectID.byteCount + 16
    /// No offset in a remote pack is greater: a number that a double holds.
    private static let greatestOffset = 1 << 53

    /// Reads the place in front of a directory.
    static func place(
        _ bytes: RawSpan, directory: Int, _ fail: (String) -> CambiumError
    ) throws -> BulkRange {
        let start = directory - placeCount
        guard start >= PackFormat.headerCount else { throw fail("no room for a place") }
        let offset: UInt64 = bytes.number(at: start + ObjectID.byteCount)
        let length: UInt64 = bytes.number(at: start + ObjectID.byteCount + 8)
        guard offset <= UInt64(greatestOffset), length <= UInt64(Int32.max) else {
            throw fail("its data cannot be \(length) bytes at \(offset)")
        }
        return BulkRange(
            ObjectID(bytes, at: start), Int(offset)..<(Int(offset) + Int(length)))
    }

    /// The record of a pack whose data stay where they are.
    ///
    /// - Parameters:
    ///   - stub: As ``Pack/stub`` tells it.
    ///   - place: Where the data are; empty for a pack that has none.
    /// - Throws: `.corrupt` for bytes that are no stub of such a pack.
    package static func record(stub: [UInt8], at place: BulkRange) throws -> [UInt8] {
        let start = try bulkStart(stub, place.count)
        // What is in segments has its data in other packs: the stub is all of it.
        if place.count == 0 { return try checked(padded(stub)) }
        var middle = ByteEncoder()
        middle.append(place.pack)
        middle.append(UInt64(place.range.lowerBound))
        middle.append(UInt64(place.count))
        let flags = stub.raw.number(at: 6, as: UInt16.self)
        guard flags & flag == 0 else { throw fault("is one of a promised pack") }
        return try checked(
            padded(
                header(stub, flags: flags | flag, directory: start + placeCount)
                    + stub[PackFormat.headerCount..<start] + middle.bytes + stub[start...]))
    }

    /// Whether a pack needs no others and has files among its objects.
    ///
    /// - Throws: `.corrupt` for bytes that are no record of a pack.
    package static func holdsFiles(record: [UInt8]) throws -> Bool {
        let pack = try Pack(number: 0, record: MappedBytes(copying: record), checksum: false)
        return pack.predecessors.isEmpty
            && pack.headerRuns.contains { $0.header.kind == .file }
    }

    /// Where the data of a pack lay before they were left out.
    private static func bulkStart(_ stub: [UInt8], _ bulk: Int) throws -> Int {
        guard stub.count >= PackFormat.headerCount else { throw fault("is too short") }
        let directory: UInt64 = stub.raw.number(at: 16)
        let used: UInt64 = stub.raw.number(at: 24)
        guard used == UInt64(stub.count + bulk), directory <= used,
            directory >= UInt64(PackFormat.headerCount + bulk)
        else { throw fault("does not tell of \(bulk) bytes of data") }
        return Int(directory) - bulk
    }

    /// The pack's header, with its directory elsewhere.
    fileprivate static func header(
        _ record: [UInt8], flags: UInt16, directory: Int
    ) -> [UInt8] {
        let bytes = record.raw
        let length =
            bytes.number(at: 24, as: UInt64.self) - bytes.number(at: 16, as: UInt64.self)
        var header = ByteEncoder()
        header.append(raw: Array(record[0..<6]))
        header.append(flags)
        header.append(raw: Array(record[8..<16]))
        header.append(UInt64(directory))
        header.append(UInt64(directory) + length)
        header.append(raw: Array(record[32..<PackFormat.headerCount]))
        return header.bytes
    }

    private static func padded(_ record: [UInt8]) -> [UInt8] {
        record
            + repeatElement(0, count: PackFormat.recordCount(record.count) - record.count)
    }

    private static func checked(_ record: [UInt8]) throws -> [UInt8] {
        do {
            _ = try Pack(number: 0, record: MappedBytes(copying: record))
        } catch let error as CambiumError {
            throw fault("makes no pack (\(error.message))")
        }
        return record
    }

    private static func fault(_ problem: String) -> CambiumError {
        CambiumError(
            .corrupt, "what tells of a pack \(problem): damaged on its way or on the remote")
    }
}

extension Pack {
    /// Whether the data lie on a remote.
    package var isPromised: Bool { promise != nil }

    /// Where the objects' data lie in the record, as they are stored there: raw or compressed.
    ///
    /// Empty where they are in other records or on a remote.
    package var bulk: Range<Int> {
        if promise != nil || segmented != nil { return directoryOffset..<directoryOffset }
        return cold?.block ?? PackFormat.headerCount..<directoryOffset
    }

    /// The record without the objects' data, and without what fills its pages: with the data behind its first part it is
    /// the whole pack again.
    ///
    /// That of a promised pack is the one that it was made of.
    package var stub: [UInt8] {
        let bytes = record.slice(0..<used).copy()
        guard let promise else {
            return Array(bytes[..<bulk.lowerBound] + bytes[bulk.upperBound...])
        }
        let start = directoryOffset - PromisedPack.placeCount
        let flags = bytes.raw.number(at: 6, as: UInt16.self) & ~PromisedPack.flag
        return PromisedPack.header(bytes, flags: flags, directory: start + promise.count)
            + bytes[PackFormat.headerCount..<start] + bytes[directoryOffset...]
    }

    /// Where an object's data lie on a remote; nil unless they lie there raw.
    func promise(of index: Int) -> BulkRange? {
        guard let promise, cold == nil else { return nil }
        let start =
            promise.range.lowerBound + Int(location(index).unit) * PackFormat.alignment
        return BulkRange(promise.pack, start..<(start + header(index).payloadCount))
    }
}
