internal import Elements

extension Pack {
    /// Packs with more data stay raw: a compressed pack is read as a whole.
    package static var greatestColdData: Int { ColdPack.greatestData }

    /// 0 for a raw pack; else how many differences may lie between its objects and raw bytes,
    /// plus one.
    package var coldDepth: Int { cold.map { $0.depth + 1 } ?? 0 }

    /// The record of this pack, compressed, or nil when that would not be smaller by 5 %.
    ///
    /// - Parameters:
    ///   - predecessors: By position, later versions of objects, in packs with higher numbers.
    ///   - depths: The ``coldDepth`` of each predecessor's pack.
    package func compressed(
        predecessors: [Int: StoredObject], depths: [Int: Int]
    ) throws(ObjectError) -> [UInt8]? {
        let near = predecessors.filter { (depths[$0.key] ?? 0) < ColdPack.greatestDepth }
        return try ColdPack.record(of: self, predecessors: near, depths: depths)
    }

    /// The same pack with its data decompressed, each object checked against its name.
    ///
    /// - Parameter predecessor: Finds an object that this pack's are differences from.
    /// - Throws: `.corrupt` when the block is damaged or gives other data than the names say.
    func decoded(
        _ predecessor: (ObjectID) throws(ObjectError) -> MappedBytes
    ) throws(ObjectError) -> Pack {
        guard let cold else { return self }
        var decompressor = try ZstdDecompressor()
        let block = record.slice(cold.block)
        let total = (0..<count).reduce(0) { $0 + header($1).payloadCount }
        let group = try ColdGroup(
            block.bytes, limit: total, &decompressor)
        guard group.count == count else {
            throw ObjectError(
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
                throw ObjectError(
                    .corrupt,
                    "object \(id(index).short) of pack \(number) decompresses to \(actual.short): "
                        + "damaged on disk; run `cambium verify`")
            }
            data.put(payload, at: PackFormat.headerCount + Int(location(index).unit) * 64)
        }
        return Pack(self, data: data.mapped)
    }
}
