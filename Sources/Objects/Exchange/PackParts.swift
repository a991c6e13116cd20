package import Elements

/// A pack record taken apart: what says what it holds, its *stub*, and the bulk of its data.
///
/// The stub is the record's header, the table of predecessors or segments, and the directory; the bulk is what lies
/// between the last two: raw data, or one compressed block. Padding at the end is left out.
package struct PackParts: Sendable {
    package let stub: PackStub
    /// As it lies in the record, not copied.
    package let bulk: MappedBytes

    /// - Parameter pack: One whose data are in the store.
    package init(_ pack: Pack) throws {
        let range = pack.bulk
        stub = try PackStub(pack.stub, head: range.lowerBound)
        bulk = pack.record.slice(range)
    }

    /// A pack of data that are in no store, taken apart.
    package init(_ objects: [(header: ObjectHeader, data: [UInt8])]) throws {
        var builder = PackBuilder()
        for (header, data) in objects { _ = builder.add(header.id(of: data.raw), header, data.raw) }
        try self.init(
            Pack(number: 0, record: MappedBytes(copying: builder.finish()), checksum: false))
    }

    /// The record of a pack with these objects alone, taken apart.
    ///
    /// Copies their data.
    ///
    /// - Parameter compresses: Whether they are compressed where that saves something.
    package init(of objects: [StoredObject], compresses: Bool) throws {
        let size = objects.reduce(8192) { $0 + $1.payload.count + 160 }
        var builder = PackBuilder(capacity: size)
        for object in objects { _ = builder.add(object.id, object.header, object.payload.bytes) }
        let raw = try Pack(
            number: 0, record: MappedBytes(copying: builder.finish()), checksum: false)
        guard compresses, raw.dataCount <= Pack.greatestColdData,
            let record = try raw.compressed(predecessors: [:])
        else {
            try self.init(raw)
            return
        }
        try self.init(
            Pack(number: 0, record: MappedBytes(copying: record.bytes), checksum: false))
    }
}

/// A pack record without its bulk.
package struct PackStub: Sendable, Equatable {
    package let bytes: [UInt8]
    /// Bytes in front of the bulk.
    package let head: Int
    /// Bytes of the bulk.
    package let bulkCount: Int
    /// Objects of the record.
    package let count: Int

    /// - Throws: `.corrupt` for bytes that no record can have beside a bulk; what the directory says is left to
    ///   ``record(with:)`` and to whoever reads that.
    package init(_ bytes: [UInt8], head: Int) throws {
        func fail(_ problem: String) -> CambiumError {
            CambiumError(.corrupt, "the stub of a pack: \(problem)")
        }
        let raw = bytes.raw
        guard head >= PackFormat.headerCount, bytes.count >= head,
            raw.number(at: 0) == PackFormat.magic, raw.number(at: 4) == PackFormat.version
        else { throw fail("it has no valid header") }
        let flags: UInt16 = raw.number(at: 6)
        let start: UInt64 = raw.number(at: 16)
        let end: UInt64 = raw.number(at: 24)
        guard start >= UInt64(head), end >= start, end - start == UInt64(bytes.count - head),
            start - UInt64(head) <= UInt64(ObjectHeader.maximumPayload)
        else { throw fail("its directory is not where it says") }
        let count = Int(raw.number(at: 8, as: UInt32.self))
        let isWhole =
            switch flags {
            case 0: head == PackFormat.headerCount
            case ColdPack.flag, ColdPack.checkedFlag:
                head >= PackFormat.headerCount + ColdPack.headCount
                    && head - PackFormat.headerCount - ColdPack.headCount
                        == Int(raw.number(at: PackFormat.headerCount + 8, as: UInt32.self))
                        * ColdPack.predecessorCount(flags)
            case SegmentedPack.flag: start == UInt64(head) && count == 1
            default: false
            }
        guard isWhole, count <= (bytes.count - head) / PackFormat.directoryEntryCount else {
            throw fail("\(count) objects of the form \(flags) do not fit it")
        }
        self.bytes = bytes
        self.head = head
        self.count = count
        bulkCount = Int(start) - head
    }

    private var flags: UInt16 { bytes.raw.number(at: 6) }

    /// The names of its objects, in the order of their data.
    package var ids: [ObjectID] {
        let raw = bytes.raw
        return (0..<count).map {
            ObjectID(raw, at: head + $0 * PackFormat.directoryEntryCount)
        }
    }

    /// The objects that must be at hand to read these: what they are differences from, or their segments.
    package var needs: [ObjectID] {
        let raw = bytes.raw
        let first = PackFormat.headerCount + ColdPack.headCount
        switch flags {
        case ColdPack.flag, ColdPack.checkedFlag:
            let size = ColdPack.predecessorCount(flags)
            return stride(from: first, to: head, by: size).map { ObjectID(raw, at: $0 + 4) }
        case SegmentedPack.flag:
            let count = Int(raw.number(at: PackFormat.headerCount + 8, as: UInt32.self))
            guard count <= (head - first) / ObjectID.byteCount else { return [] }
            return (0..<count).map { ObjectID(raw, at: first + $0 * ObjectID.byteCount) }
        default: return []
        }
    }

    /// The record that it is the stub of.
    ///
    /// - Throws: `.corrupt` for a bulk of another length.
    package func record(with bulk: RawSpan) throws -> [UInt8] {
        guard bulk.byteCount == bulkCount else {
            throw CambiumError(
                .corrupt, "a pack's data have \(bulk.byteCount) bytes instead of \(bulkCount)")
        }
        let used = bytes.count + bulkCount
        var encoder = ByteEncoder(capacity: PackFormat.recordCount(used))
        encoder.append(raw: Array(bytes[..<head]))
        encoder.append(span: bulk)
        encoder.append(raw: Array(bytes[head...]))
        encoder.append(raw: Array(repeating: 0, count: PackFormat.recordCount(used) - used))
        return encoder.bytes
    }
}
