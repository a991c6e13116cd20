internal import Elements

extension Pack {
    /// Packs with more data stay raw: a compressed pack is read as a whole.
    package static var greatestColdData: Int { ColdPack.greatestData }

    /// Differences that may lie between an object and data that need no others.
    package static var greatestDepth: Int { ColdPack.greatestDepth }

    /// As many a repack makes.
    package static var greatestRepackDepth: Int { ColdPack.greatestRepackDepth }

    /// The depth that the record notes (``PackChains``); 0 for a raw pack.
    package var notedDepth: Int { cold?.depth ?? segmented?.depth ?? 0 }

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

    /// The block of a compressed pack, opened.
    ///
    /// - Throws: `.corrupt` when it is damaged, or holds other payloads than the directory names.
    func group(_ block: RawSpan) throws -> ColdGroup {
        let total = headerRuns.reduce(0) { $0 + $1.header.payloadCount * $1.count }
        var decompressor = try ZstdDecompressor()
        let group = try ColdGroup(block, limit: total, &decompressor)
        guard group.count == count else {
            throw CambiumError(
                .corrupt, "pack \(number) has \(group.count) compressed objects instead of \(count)"
            )
        }
        return group
    }

    /// How the object at `index` is stored as a difference; nil for one that needs no other.
    func difference(of index: Int) -> ColdPack.Difference? {
        guard let differences = cold?.differences else { return nil }
        var low = 0
        var high = differences.count
        while low < high {
            let middle = (low + high) / 2
            if differences[middle].index < index { low = middle + 1 } else { high = middle }
        }
        guard low < differences.count, differences[low].index == index else { return nil }
        return differences[low]
    }

    /// How many versions lie between raw bytes and this pack's; see ``StepScheme``.
    var step: Int { cold?.step ?? 0 }
}
