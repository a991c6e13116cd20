internal import Elements
internal import KeyValue

extension ObjectReader {
    /// The record of a raw pack as differences from what its objects take the place of.
    ///
    /// - Returns: Nil when raw bytes serve better: little is alike, or the chain would become too long.
    func difference(
        of pack: Pack, from predecessors: [Predecessor],
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [UInt8]? {
        var places: [(index: Int, pack: Pack, position: Int)] = []
        var depth = 0
        var version = 0
        for (index, predecessor) in predecessors.enumerated() {
            let found: (pack: Pack, index: Int)?
            do {
                found = try find(predecessor, transaction)
            } catch let error as CambiumError where error.code == .corrupt {
                continue
            }
            guard let place = found, place.pack.header(place.index) == pack.header(index) else {
                continue
            }
            places.append((index, place.pack, place.index))
            version = max(version, place.pack.step + 1)
        }
        guard !places.isEmpty, version <= StepScheme.last else { return nil }
        var bases: [Int: StoredObject] = [:]
        for (index, first, position) in places {
            // What is damaged is no base, and no reason not to keep what is new.
            do {
                let base = try base(first, position, version, transaction)
                guard base.pack.header(base.index) == pack.header(index),
                    base.pack.segmented == nil
                else { continue }
                let object = try stored(base.pack, base.index, transaction)
                guard
                    Self.isNear(
                        pack.payload(index).bytes, object.payload.bytes, pack.header(index))
                else { continue }
                try object.check()
                bases[index] = object
                depth = max(depth, base.pack.notedDepth + 1)
            } catch let error as CambiumError where error.code == .corrupt {
                continue
            }
        }
        guard !bases.isEmpty, depth <= ColdPack.greatestDepth else { return nil }
        return try pack.difference(from: bases, depth: depth, step: version)
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

    /// The version from which a new one is stored, found along the differences of the version before it.
    private func base(
        _ pack: Pack, _ index: Int, _ version: Int,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> (pack: Pack, index: Int) {
        let wanted = StepScheme.base(of: version, after: pack.step)
        var place = (pack: pack, index: index)
        // Versions fall along a chain; one that does not is damaged, or was written by a repack.
        while place.pack.step > wanted, let id = place.pack.predecessor(of: place.index) {
            guard let next = try find(id, transaction), next.pack.step < place.pack.step else {
                return place
            }
            place = next
        }
        return place
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
