internal import Elements
internal import KeyValue

/// An object as what changed since the one that it takes the place of.
package struct ObjectDifference: Sendable {
    /// What it is a difference from.
    let base: ObjectID
    /// The changed elements.
    let words: ChangedWords
    /// ``PayloadChecksum`` of the object's own bytes.
    let checksum: UInt64
    /// How many versions lie between raw bytes and this one (``StepScheme``).
    let step: Int
    /// How many differences lie between raw bytes and this one.
    let depth: Int

    /// The versions that may share a pack, whose step is the greatest of theirs: whichever it is, their bases are those
    /// that the scheme wants.
    var run: Int { step >> 4 }
}

extension ObjectReader {
    /// What an object is to be a difference from, found in the store but not read.
    struct Base {
        let chain: Chain
        let pack: Pack
        let index: Int
        /// Of the version that takes its place.
        let step: Int
    }

    /// From which stored version a new one of this header is stored as a difference.
    ///
    /// - Returns: Nil when raw bytes serve better: there is none, or the chain would become too long.
    func base(
        for header: ObjectHeader, after predecessor: Predecessor,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Base? {
        // What is damaged or on a remote is no base, and no reason not to keep what is new.
        do {
            guard let before = try find(predecessor, transaction),
                before.pack.header(before.index) == header
            else { return nil }
            let step = before.pack.step + 1
            guard step <= StepScheme.last else { return nil }
            let place = try version(
                StepScheme.base(of: step, after: before.pack.step), before, transaction)
            guard place.pack.header(place.index) == header, place.pack.segmented == nil,
                place.pack.notedDepth < ColdPack.greatestDepth
            else { return nil }
            return Base(
                chain: try chain(of: place.pack, place.index, nil, transaction), pack: place.pack,
                index: place.index, step: step)
        } catch let error as CambiumError where [.corrupt, .remote].contains(error.code) {
            return nil
        }
    }

    /// Where a predecessor is; nil when the store does not have it.
    func find(
        _ predecessor: Predecessor, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> (pack: Pack, index: Int)? {
        switch predecessor {
        case .object(let id): return try find(id, transaction)
        case .place(let location, let check):
            let pack = try pack(location.pack, transaction)
            return pack.index(unit: location.unit, check: check).map { (pack, $0) }
        }
    }

    /// The first version of at most this step along the differences of a stored one.
    private func version(
        _ wanted: Int, _ newest: (pack: Pack, index: Int),
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> (pack: Pack, index: Int) {
        var place = newest
        // Versions fall along a chain; one that does not is damaged, or was written by a repack.
        while place.pack.step > wanted, let difference = place.pack.difference(of: place.index) {
            guard let next = try find(difference.base, transaction),
                next.pack.step < place.pack.step
            else { return place }
            place = next
        }
        return place
    }
}

extension ObjectReader.Base {
    /// The difference of a new object's bytes, or nil when raw bytes serve better: little is alike, or what they would be
    /// a difference from is damaged.
    ///
    /// Needs the transaction no more, but what keeps its map.
    ///
    /// - Parameter scratch: Bytes to work in, kept from call to call.
    func difference(of payload: RawSpan, _ scratch: inout [UInt8]) -> ObjectDifference? {
        guard let raw = chain.onlyRaw else {
            if scratch.count < payload.byteCount {
                scratch = [UInt8](repeating: 0, count: payload.byteCount)
            }
            return unsafe scratch.withUnsafeMutableBytes { buffer in
                var bytes = unsafe MutableRawSpan(
                    _unsafeBytes: UnsafeMutableRawBufferPointer(
                        rebasing: buffer[..<payload.byteCount]))
                do {
                    var chain = chain
                    try chain.restore(&bytes)
                    try pack.check(bytes.bytes, at: index)
                } catch {
                    return nil
                }
                return compared(payload, bytes.bytes)
            }
        }
        guard Self.isNear(payload, raw.payload.bytes, raw.header) else { return nil }
        guard (try? raw.check()) != nil else { return nil }
        return compared(payload, raw.payload.bytes)
    }

    private func compared(_ payload: RawSpan, _ old: RawSpan) -> ObjectDifference? {
        let header = pack.header(index)
        guard Self.isNear(payload, old, header) else { return nil }
        var words = ChangedWords(ChangedWords.width(ElementWidth(header), payload.byteCount))
        words.add(payload, predecessor: old)
        // Compressed, it takes two thirds of that bound or less: half of the raw bytes.
        let size = words.storedBound + ColdPack.predecessorCount(ColdPack.checkedFlag)
        guard size * 4 <= payload.byteCount * 3 else { return nil }
        return ObjectDifference(
            base: pack.id(index), words: words, checksum: PayloadChecksum.of(payload), step: step,
            depth: pack.notedDepth + 1)
    }

    /// Whether two versions look alike where they are sampled: most of their elements are equal at one place at
    /// least.
    private static func isNear(_ new: RawSpan, _ old: RawSpan, _ header: ObjectHeader) -> Bool {
        let width = ElementWidth(header).byteCount
        let sample = min(new.byteCount, 2048) / width * width
        guard sample > 0 else { return false }
        let last = (new.byteCount - sample) / width * width
        for start in [0, last / 2 / width * width, last] {
            var equal = 0
            for offset in stride(from: start, to: start + sample, by: width) {
                let element = offset..<(offset + width)
                if new.extracting(element).hasSameBytes(as: old.extracting(element)) { equal += 1 }
            }
            if equal * 2 * width >= sample { return true }
            if last == 0 { break }
        }
        return false
    }
}
