internal import Elements
package import KeyValue

extension ObjectReader {
    /// A chain of more differences is taken for damage.
    private static let longestChain = 500

    /// The object of a pack, read in place or decompressed.
    ///
    /// - Complexity: Of a difference, a copy of the bytes at the end of its chain and what changed since.
    /// - Throws: `.corrupt` when it is damaged, or a predecessor is missing.
    func stored(
        _ pack: Pack, _ index: Int, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> StoredObject {
        if pack.isReadable { return pack.stored(index) }
        let header = pack.header(index)
        if let segmented = pack.segmented {
            return try assembled(pack, segmented, transaction).stored(0)
        }
        if pack.cold == nil { return try fetched(pack, index, transaction) }
        var chain = try chain(of: pack, index, nil, transaction)
        // A chain that restores writes every byte before it changes any.
        let payload = try MappedBytes(count: header.payloadCount, zeroed: false) {
            bytes throws(CambiumError) in
            try chain.restore(&bytes)
        }
        do {
            try pack.check(payload.bytes, at: index, hashing: chain.isFetched)
        } catch {
            transaction.environment.promisedBulk?.forget(chain.promises)
            throw error
        }
        return StoredObject(
            id: pack.id(index), header: header, payload: payload, location: pack.location(index),
            isDecoded: true,
            isHashed: chain.isFetched || pack.difference(of: index)?.checksum == nil, isAlone: true)
    }

    /// The pack with its data, decompressed where they are not raw.
    ///
    /// - Throws: `.corrupt` when they are damaged, or a predecessor is missing.
    package func readable(
        _ pack: Pack, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Pack {
        if pack.isReadable { return pack }
        if let segmented = pack.segmented { return try assembled(pack, segmented, transaction) }
        try fetch((0..<pack.count).map { (pack, $0) }, transaction)
        let data = DecodedData(count: PackFormat.headerCount + pack.dataCount)
        if pack.cold == nil {
            for index in 0..<pack.count {
                let object = try fetched(pack, index, transaction)
                try data.fill(pack.dataRange(index)) { bytes throws(CambiumError) in
                    bytes.replace(at: 0, by: object.payload.bytes)
                }
            }
            return Pack(pack, data: data.mapped)
        }
        var last: Chain?
        for index in 0..<pack.count {
            var chain = try chain(of: pack, index, last, transaction)
            let range = pack.dataRange(index)
            do {
                try data.fill(range) { bytes throws(CambiumError) in
                    try chain.restore(&bytes)
                    try pack.check(bytes.bytes, at: index, hashing: chain.isFetched)
                }
            } catch let error {
                // The neighbour of what was read last may be a damaged copy that the index does not name.
                guard error.code == .corrupt, last != nil else { throw error }
                chain = try self.chain(of: pack, index, nil, transaction)
                try data.fill(range) { bytes throws(CambiumError) in
                    try chain.restore(&bytes)
                    try pack.check(bytes.bytes, at: index, hashing: chain.isFetched)
                }
            }
            last = chain
        }
        return Pack(pack, data: data.mapped)
    }

    /// A pack whose object's segments were put together in memory.
    private func assembled(
        _ pack: Pack, _ segmented: SegmentedPack,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Pack {
        let data = DecodedData(count: PackFormat.headerCount + pack.dataCount)
        let size = pack.header(0).payloadCount
        let ranges = SegmentedPack.ranges(size, segmented.segmentBytes)
        for (id, range) in zip(segmented.ids, ranges) {
            guard let found = try find(id, transaction) else {
                throw CambiumError(
                    .corrupt,
                    "pack \(pack.number) needs the segment \(id.short), which is missing; run "
                        + "`cambium verify`")
            }
            let piece = try stored(found.pack, found.index, transaction)
            guard piece.header.kind == .segment, piece.payload.count == range.count else {
                throw CambiumError(
                    .corrupt,
                    "pack \(pack.number) needs \(range.count) bytes of segment \(id.short), which has "
                        + "\(piece.payload.count); run `cambium verify`")
            }
            let start = PackFormat.headerCount + range.lowerBound
            try data.fill(start..<(start + range.count)) { bytes throws(CambiumError) in
                unsafe bytes.withUnsafeMutableBytes { target in
                    unsafe piece.payload.bytes.withUnsafeBytes {
                        unsafe target.copyMemory(from: $0)
                    }
                }
            }
        }
        let start = PackFormat.headerCount
        try data.fill(start..<(start + size)) { bytes throws(CambiumError) in
            try pack.check(bytes.bytes, at: 0)
        }
        return Pack(pack, data: data.mapped)
    }

    /// The differences from which an object is restored.
    ///
    /// - Parameter neighbour: The chain of the object before it: its own often leads through the same packs.
    func chain(
        of pack: Pack, _ index: Int, _ neighbour: Chain?,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Chain {
        var chain = Chain()
        var (next, position) = (pack, index)
        while !next.isReadable, next.segmented != nil || next.cold != nil {
            guard next.segmented == nil else {
                throw CambiumError(
                    .corrupt,
                    "pack \(pack.number) holds differences from an object in segments; run `cambium verify`"
                )
            }
            chain.steps.append(
                Chain.Step(pack: next, index: position, group: try block(of: next, transaction)))
            if next.isPromised { chain.isFetched = true }
            guard let id = next.difference(of: position)?.base else {
                guard try chain.steps.last?.group.needsPredecessor(position) != true else {
                    throw CambiumError(
                        .corrupt,
                        "pack \(next.number) does not say what object \(position) is a difference from; "
                            + "run `cambium verify`")
                }
                return chain
            }
            guard chain.steps.count < Self.longestChain else {
                throw CambiumError(
                    .corrupt,
                    "pack \(pack.number) holds differences that lead back to it, or through more than "
                        + "\(Self.longestChain) packs; run `cambium verify`")
            }
            if let near = neighbour?.follower(chain.steps.count), near.pack.id(near.index) == id {
                (next, position) = (near.pack, near.index)
                continue
            }
            guard let found = try find(id, transaction) else {
                throw CambiumError(
                    .corrupt,
                    "pack \(next.number) holds differences from object \(id.short), which is "
                        + "missing; run `cambium verify`")
            }
            (next, position) = found
        }
        chain.raw = (next, position)
        if next.isReadable {
            chain.rawPayload = next.payload(position)
        } else {
            chain.rawPayload = try fetched(next, position, transaction).payload
            chain.isFetched = true
        }
        return chain
    }
}

/// An object's differences, the newest first, down to bytes that need no others.
struct Chain {
    struct Step {
        let pack: Pack
        let index: Int
        let group: ColdGroup
    }

    var steps: [Step] = []
    /// Where the raw bytes are; nil when the last step needs none.
    var raw: (pack: Pack, index: Int)?
    var rawPayload: MappedBytes?
    /// Whether anything of it came from a remote, whose checksums of differences prove nothing.
    var isFetched = false

    /// What of it came from a remote.
    var promises: [BulkRange] {
        steps.compactMap(\.pack.promise)
            + [raw?.pack.promise(of: raw?.index ?? 0)].compactMap { $0 }
    }

    /// The object behind the one of this depth, where it is in the same pack.
    func follower(_ depth: Int) -> (pack: Pack, index: Int)? {
        let place =
            depth < steps.count
            ? (pack: steps[depth].pack, index: steps[depth].index)
            : depth == steps.count ? raw : nil
        guard let place, place.index + 1 < place.pack.count else { return nil }
        return (place.pack, place.index + 1)
    }

    /// The object itself, where it is raw.
    var onlyRaw: StoredObject? {
        guard steps.isEmpty, let raw else { return nil }
        return raw.pack.stored(raw.index)
    }

    /// Writes the newest version.
    mutating func restore(_ bytes: inout MutableRawSpan) throws(CambiumError) {
        do {
            if let payload = rawPayload {
                guard payload.count == bytes.byteCount else {
                    throw CambiumError(
                        .corrupt,
                        "pack \(steps.first?.pack.number ?? 0) holds differences from an object of "
                            + "\(payload.count) bytes; run `cambium verify`")
                }
                unsafe bytes.withUnsafeMutableBytes { target in
                    unsafe payload.bytes.withUnsafeBytes { unsafe target.copyMemory(from: $0) }
                }
            }
            for step in steps.reversed() { try step.group.restore(step.index, in: &bytes) }
        } catch let error as CambiumError {
            throw error
        } catch {
            throw CambiumError(.corrupt, "\(error)")
        }
    }
}

extension Pack {
    /// Where an object's data lie where all are laid out as in a raw pack.
    func dataRange(_ index: Int) -> Range<Int> {
        let start = PackFormat.headerCount + Int(location(index).unit) * PackFormat.alignment
        return start..<(start + header(index).payloadCount)
    }

    /// Checks decompressed data against the checksum of the object at `index`, or against its name.
    ///
    /// - Parameter hashing: Whether only the name tells.
    func check(
        _ payload: RawSpan, at index: Int, hashing: Bool = false
    ) throws(CambiumError) {
        if !hashing, let checksum = difference(of: index)?.checksum {
            guard PayloadChecksum.of(payload) == checksum else {
                throw CambiumError(
                    .corrupt,
                    "object \(id(index).short) of pack \(number) does not match its checksum: it, or "
                        + "what it is a difference from, was damaged on disk; run `cambium verify`")
            }
            return
        }
        let actual = header(index).id(of: payload)
        guard actual == id(index) else {
            throw CambiumError(
                .corrupt,
                "object \(id(index).short) of pack \(number) decompresses to \(actual.short): "
                    + "damaged on disk; run `cambium verify`")
        }
    }
}
