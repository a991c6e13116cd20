internal import Elements

extension Pack {
    /// Packs with more data stay raw: a compressed pack is read as a whole.
    package static var greatestColdData: Int { ColdPack.greatestData }

    /// Differences that may lie between an object and data that need no others.
    package static var greatestDepth: Int { ColdPack.greatestDepth }

    /// The depth that the record notes (``PackChains``); 0 for a raw pack.
    package var notedDepth: Int { cold?.depth ?? 0 }

    /// The record of this pack, compressed, or nil when that would not be smaller by 5 %.
    ///
    /// - Parameter predecessors: By position, later versions of objects, of the same kind and shape.
    /// - Throws: `.corrupt` when an object's data, or a predecessor's, do not match its name: then a
    ///   difference would hide the damage, or be readable only as long as the damage lasts.
    package func compressed(
        predecessors: [Int: StoredObject]
    ) throws -> CompressedRecord? {
        for index in 0..<count {
            try stored(index).check()
            try predecessors[index]?.check()
        }
        return try ColdPack.record(of: self, predecessors: predecessors)
    }

    /// A copy of a compressed record that notes another depth.
    package static func record(_ record: [UInt8], depth: Int) -> [UInt8] {
        var record = record
        record[ColdPack.depthOffset] = UInt8(depth)
        return record
    }

    /// The same pack with its data decompressed, each object checked against its name.
    ///
    /// - Parameter predecessor: Finds an object that this pack's are differences from.
    /// - Throws: `.corrupt` when the block is damaged or gives other data than the names say.
    func decoded(
        _ predecessor: (ObjectID) throws -> MappedBytes
    ) throws -> Pack {
        guard let cold else { return self }
        var decompressor = try ZstdDecompressor()
        let block = record.slice(cold.block)
        let total = (0..<count).reduce(0) { $0 + header($1).payloadCount }
        let group = try ColdGroup(
            block.bytes, limit: total, &decompressor)
        guard group.count == count else {
            throw CambiumError(
                .corrupt, "pack \(number) has \(group.count) compressed objects instead of \(count)"
            )
        }
        let data = DecodedData(count: PackFormat.headerCount + dataCount)
        var needed = cold.predecessors[...]
        for index in 0..<count {
            var payload: [UInt8] = []
            if let first = needed.first, first.index == index {
                let base = try predecessor(first.id)
                payload = try group.payload(index, predecessor: base.bytes)
                needed = needed.dropFirst()
            } else {
                payload = try group.payload(index)
            }
            let actual = header(index).id(of: payload.raw)
            guard payload.count == header(index).payloadCount, actual == id(index) else {
                throw CambiumError(
                    .corrupt,
                    "object \(id(index).short) of pack \(number) decompresses to \(actual.short): "
                        + "damaged on disk; run `cambium verify`")
            }
            data.put(payload, at: PackFormat.headerCount + Int(location(index).unit) * 64)
        }
        return Pack(self, data: data.mapped)
    }
}
