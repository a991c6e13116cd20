package import Elements

/// One pack record, read in place.
package final class Pack: Sendable {
    /// A run of objects with the same header, back to back.
    private struct Group {
        /// The position of its first object in the directory, and that object's unit.
        let first: Int
        let unit: Int
        let count: Int
        /// Units from one object to the next; 0 for objects without data.
        let stride: Int
        let header: Int

        var endUnit: Int { unit + count * stride }
    }

    package let number: UInt32
    package let record: MappedBytes
    /// Objects in this pack.
    package let count: Int
    let directoryOffset: Int
    private let groups: [Group]
    private let headers: [ObjectHeader]
    /// Bytes in use, the padding at the end left out.
    package let used: Int
    /// How the data are compressed, or nil in a raw pack.
    let cold: ColdPack?
    /// Where the data are, when they are in other objects.
    let segmented: SegmentedPack?
    /// Where the data are, raw or compressed, when they are on a remote.
    package let promise: BulkRange?
    /// What payloads are parts of: the record of a raw pack, or the data that were decompressed.
    private let data: MappedBytes?

    /// Checks the record's structure: lengths, and that every object lies before the directory.
    ///
    /// - Parameter checksum: Whether to hash the directory too, which touches all of it.
    /// - Complexity: One step per run of objects with the same header, besides the checksum.
    /// - Throws: `.corrupt` naming the pack and what is wrong.
    package init(number: UInt32, record: MappedBytes, checksum: Bool = true) throws {
        self.number = number
        self.record = record
        func fail(_ problem: String) -> CambiumError {
            CambiumError(.corrupt, "pack \(number): \(problem); run `cambium verify`")
        }
        let bytes = record.bytes
        guard bytes.byteCount >= PackFormat.headerCount else { throw fail("record too short") }
        guard bytes.number(at: 0) == PackFormat.magic else { throw fail("wrong magic number") }
        let version: UInt16 = bytes.number(at: 4)
        guard version == PackFormat.version else { throw fail("version \(version) is unknown") }
        let flags: UInt16 = bytes.number(at: 6)
        let isPromised = flags & PromisedPack.flag != 0
        let form = flags & ~PromisedPack.flag
        guard [0, ColdPack.flag, SegmentedPack.flag, ColdPack.checkedFlag].contains(form),
            !isPromised || form != SegmentedPack.flag
        else { throw fail("reserved bytes in use") }
        count = Int(bytes.number(at: 8, as: UInt32.self))
        let groupCount = Int(bytes.number(at: 12, as: UInt32.self))
        let start: UInt64 = bytes.number(at: 16)
        let end: UInt64 = bytes.number(at: 24)
        guard start >= UInt64(PackFormat.headerCount), start <= end, end <= UInt64(bytes.byteCount)
        else { throw fail("directory \(start)..<\(end) outside \(bytes.byteCount) bytes") }
        directoryOffset = Int(start)
        used = Int(end)
        let idBytes = count * PackFormat.directoryEntryCount
        let groupBytes = groupCount * PackFormat.groupEntryCount
        guard idBytes + groupBytes <= used - directoryOffset else {
            throw fail("\(count) objects do not fit the directory")
        }
        if checksum {
            let directory = ObjectID(hashing: [], bytes.extracting(directoryOffset..<used))
            guard directory.bytes.prefix(16).elementsEqual(bytes.copy(32..<48)) else {
                throw fail("the directory does not match its checksum")
            }
        }
        let groupsOffset = directoryOffset + idBytes
        var rest = ByteDecoder(bytes.copy((groupsOffset + groupBytes)..<used), "pack \(number)")
        var headers: [ObjectHeader] = []
        while rest.remaining > 0 {
            let length = Int(try rest.number(UInt16.self))
            headers.append(try ObjectHeader(decoding: try rest.take(length)))
        }
        let promise =
            isPromised ? try PromisedPack.place(bytes, directory: directoryOffset, fail) : nil
        self.promise = promise
        cold =
            form == ColdPack.flag || form == ColdPack.checkedFlag
            ? try ColdPack(
                bytes, flags: form, directory: directoryOffset, objects: count, promise, fail)
            : nil
        segmented =
            form == SegmentedPack.flag
            ? try SegmentedPack(bytes, directory: directoryOffset, fail) : nil
        data = flags == 0 ? record : nil
        if promise != nil, cold == nil,
            directoryOffset != PackFormat.headerCount + PromisedPack.placeCount
        {
            throw fail("bytes lie between its header and its place")
        }
        // What the objects' data may take.
        let limit =
            cold != nil
            ? (count == 1 ? ObjectHeader.maximumPayload : ColdPack.greatestData)
            : segmented != nil
                ? ObjectHeader.maximumTensor
                : promise?.count ?? directoryOffset - PackFormat.headerCount
        var groups: [Group] = []
        groups.reserveCapacity(groupCount)
        var first = 0
        var unit = 0
        for index in 0..<groupCount {
            let offset = groupsOffset + index * PackFormat.groupEntryCount
            let length = Int(bytes.number(at: offset, as: UInt32.self))
            let header = Int(bytes.number(at: offset + 4, as: UInt32.self))
            guard header < headers.count, length > 0, length <= count - first else {
                throw fail("group \(index) has \(length) objects of header \(header)")
            }
            let size = headers[header].payloadCount
            let stride = (size + PackFormat.alignment - 1) / PackFormat.alignment
            // The last object may end short of its last unit.
            let last = unit + (length - 1) * stride
            guard last * PackFormat.alignment + size <= limit else {
                throw fail("group \(index) points outside the record")
            }
            groups.append(
                Group(first: first, unit: unit, count: length, stride: stride, header: header))
            first += length
            unit += length * stride
        }
        guard first == count else { throw fail("\(first) of \(count) objects are in groups") }
        if let segmented {
            let size = count == 1 ? headers.first?.payloadCount ?? 0 : 0
            guard
                SegmentedPack.ranges(size, segmented.segmentBytes).count == segmented.ids.count
            else { throw fail("\(segmented.ids.count) segments do not make \(size) bytes") }
        }
        self.headers = headers
        self.groups = groups
    }

    /// A compressed or promised pack with its data.
    init(_ pack: Pack, data: MappedBytes) {
        number = pack.number
        record = pack.record
        count = pack.count
        directoryOffset = pack.directoryOffset
        groups = pack.groups
        headers = pack.headers
        used = pack.used
        cold = pack.cold
        segmented = pack.segmented
        promise = pack.promise
        self.data = data
    }

    /// Whether the data are compressed.
    package var isCompressed: Bool { cold != nil }

    /// Whether the data are not in the record as they are: compressed, in segments, or on a remote.
    package var isCold: Bool { cold != nil || segmented != nil || promise != nil }

    /// Whether payloads can be read: those of a compressed or promised pack must be had before.
    package var isReadable: Bool { data != nil }

    /// Bytes of the objects' data in a raw pack, padded to units.
    package var dataCount: Int { (groups.last?.endUnit ?? 0) * PackFormat.alignment }

    /// The directory's bytes.
    var directory: [UInt8] { record.slice(directoryOffset..<used).copy() }

    /// The directory as the record has it, to be written again.
    var encodedDirectory: PackDirectory.Encoded {
        PackDirectory.Encoded(
            bytes: directory, objects: count, groups: groups.count,
            checksum: record.slice(32..<PackFormat.headerCount).copy())
    }

    /// What must be at hand to read this pack: of objects that are stored as differences, their predecessors; of one in
    /// segments, these.
    package var predecessors: [(index: Int, id: ObjectID)] {
        cold?.differences.map { ($0.index, $0.base) } ?? segmented?.ids.map { (0, $0) } ?? []
    }

    package func id(_ index: Int) -> ObjectID {
        let record = record
        let bytes = record.bytes
        return ObjectID(bytes, at: directoryOffset + index * PackFormat.directoryEntryCount)
    }

    package func header(_ index: Int) -> ObjectHeader { headers[group(of: index).header] }

    /// The headers of all objects, in runs of equal ones.
    package var headerRuns: [(header: ObjectHeader, count: Int)] {
        groups.map { (headers[$0.header], $0.count) }
    }

    package func location(_ index: Int) -> Location {
        let group = group(of: index)
        return Location(
            pack: number, unit: UInt32(group.unit + (index - group.first) * group.stride))
    }

    /// The object's data in place.
    package func payload(_ index: Int) -> MappedBytes {
        guard let data else { preconditionFailure("pack \(number) is not raw; decode it first") }
        return data.slice(dataRange(index))
    }

    /// Whether the object at `index` of a raw pack has this header and these bytes.
    func holds(_ header: ObjectHeader, _ payload: RawSpan, at index: Int) -> Bool {
        guard let data else { preconditionFailure("pack \(number) is not raw; decode it first") }
        let group = group(of: index)
        guard headers[group.header] == header else { return false }
        let unit = group.unit + (index - group.first) * group.stride
        let start = PackFormat.headerCount + unit * PackFormat.alignment
        let bytes = data.bytes
        return bytes.extracting(start..<(start + header.payloadCount)).hasSameBytes(as: payload)
    }

    /// The object at `index`, in place.
    package func stored(_ index: Int) -> StoredObject {
        StoredObject(
            id: id(index), header: header(index), payload: payload(index),
            location: location(index), isDecoded: isCold,
            isHashed: isCold && difference(of: index)?.checksum == nil)
    }

    /// The id of the object at `unit` whose id ends with `check`, or nil.
    package func id(unit: UInt32, check: UInt32) -> ObjectID? {
        ids(count: 1) { _ in (unit, check) }[0]
    }

    /// The ids of the objects at many places, as ``id(unit:check:)`` tells them.
    package func ids(
        count: Int, _ place: (Int) -> (unit: UInt32, check: UInt32)
    ) -> [ObjectID?] {
        let record = record
        let bytes = record.bytes
        // Most packs begin with experts of one kind: then the position follows at once.
        let first = groups.first.flatMap { $0.stride > 0 ? $0 : nil }
        var ids: [ObjectID?] = []
        ids.reserveCapacity(count)
        for position in 0..<count {
            let (unit, check) = place(position)
            if let first, Int(unit) < first.endUnit {
                let (index, rest) = Int(unit).quotientAndRemainder(dividingBy: first.stride)
                let offset = directoryOffset + index * PackFormat.directoryEntryCount
                let id = rest == 0 ? ObjectID(bytes, at: offset) : nil
                ids.append(id?.check == check ? id : nil)
            } else {
                ids.append(index(unit: unit, check: check).map(id))
            }
        }
        return ids
    }

    /// The position of the object named `id` if it starts at `unit`.
    package func index(_ id: ObjectID, unit: UInt32) -> Int? {
        indexes(unit: unit).first { self.id($0) == id }
    }

    /// The position of the object at `unit` whose id ends with `check`, or nil.
    package func index(unit: UInt32, check: UInt32) -> Int? {
        indexes(unit: unit).first { id($0).check == check }
    }

    /// The positions of the objects that start at `unit`: one, or more where objects without data
    /// share the unit with the next one.
    package func indexes(unit: UInt32) -> Range<Int> {
        let unit = Int(unit)
        // The first group that begins at the unit or behind it.
        var low = 0
        var high = groups.count
        while low < high {
            let middle = (low + high) / 2
            if groups[middle].unit < unit { low = middle + 1 } else { high = middle }
        }
        if low > 0, groups[low - 1].endUnit > unit {
            let group = groups[low - 1]
            let (step, rest) = (unit - group.unit).quotientAndRemainder(dividingBy: group.stride)
            return rest == 0 ? (group.first + step)..<(group.first + step + 1) : 0..<0
        }
        guard low < groups.count, groups[low].unit == unit else { return 0..<0 }
        let first = groups[low].first
        while low < groups.count, groups[low].stride == 0 { low += 1 }
        guard low < groups.count else { return first..<count }
        return first..<(groups[low].first + 1)
    }

    private func group(of index: Int) -> Group {
        precondition(index >= 0 && index < count, "object \(index) of \(count)")
        var low = 0
        var high = groups.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if groups[middle].first <= index { low = middle } else { high = middle }
        }
        return groups[low]
    }
}
