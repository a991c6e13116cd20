internal import Elements
internal import KeyValue
package import Objects

/// How an expert array lies on disk: all entries, or the changes against an earlier array.
///
/// Keyed by the array's root, so equal arrays are stored once. Records are immutable; what is
/// mapped from them stays valid while a lease keeps the snapshot.
package struct ArrayRecord: Sendable {
    static let table = "arrays"
    static let magic: UInt32 = 0x5252_4143  // "CARR"
    static let headerCount = 64
    static let entryCount = 40
    /// Entries per chunk of a full array: 256 pages.
    static let chunkEntries = 26_208

    let root: ObjectID
    let count: Int
    /// Zero for a full array.
    let base: ObjectID
    /// 0 for a full array; a change set that absorbed 8 of level n has level n + 1.
    let level: UInt8
    /// Entries of the change set, or 0.
    let changeCount: Int
    /// Bytes of the record after its header: ordinals, then entries; or the chunks of a full array.
    private let changes: MappedBytes
    private let chunks: [MappedBytes]

    var isFull: Bool { base == .zero }

    static func key(_ root: ObjectID, chunk: UInt32) -> [UInt8] {
        root.bytes + (0..<4).map { UInt8(truncatingIfNeeded: chunk >> UInt32(24 - 8 * $0)) }
    }

    /// Reads one record; nil when the root is not stored.
    init?(
        _ root: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws(SnapshotError) {
        let table = transaction.environment.table(Self.table)
        do throws(KeyValueError) {
            guard let record = try transaction.mapped(table, Self.key(root, chunk: 0)) else {
                return nil
            }
            self.root = root
            func corrupt(_ problem: String) -> KeyValueError {
                KeyValueError(
                    .corrupt, "expert array \(root.short): \(problem); run `cambium verify`")
            }
            let bytes = record.bytes
            guard bytes.byteCount >= Self.headerCount, bytes.number(at: 0) == Self.magic,
                bytes.number(at: 4) == UInt32(1)
            else { throw corrupt("the record has no valid header") }
            guard bytes.number(at: 8, as: UInt64.self) >> 8 == 0 else {
                throw corrupt("reserved bytes are in use")
            }
            level = bytes.number(at: 8)
            let count: UInt64 = bytes.number(at: 16)
            let changeCount: UInt64 = bytes.number(at: 24)
            base = ObjectID(bytes, at: 32)
            guard count <= 1 << 40, changeCount <= count,
                bytes.byteCount == Self.headerCount + Int(changeCount) * (8 + Self.entryCount)
            else { throw corrupt("\(changeCount) changes in \(bytes.byteCount) bytes") }
            self.count = Int(count)
            self.changeCount = Int(changeCount)
            changes = record.slice(Self.headerCount..<record.count)
            var chunks: [MappedBytes] = []
            if base == .zero {
                var rest = self.count
                while rest > 0 {
                    let length = min(rest, Self.chunkEntries) * Self.entryCount
                    let key = Self.key(root, chunk: UInt32(chunks.count + 1))
                    guard let chunk = try transaction.mapped(table, key), chunk.count == length
                    else { throw corrupt("chunk \(chunks.count + 1) is missing or too short") }
                    chunks.append(chunk)
                    rest -= Self.chunkEntries
                }
            }
            self.chunks = chunks
        } catch {
            throw SnapshotError(error)
        }
        try checkOrdinals()
    }

    /// Ordinals ascend and are below the count, so that whoever reads them need not look.
    private func checkOrdinals() throws(SnapshotError) {
        var least = 0
        for index in 0..<changeCount {
            let ordinal = changedOrdinal(index)
            guard ordinal >= least, ordinal < count else {
                throw SnapshotError(
                    .corrupt,
                    "expert array \(root.short): change \(index) is of expert \(ordinal) of "
                        + "\(count), out of order; run `cambium verify`")
            }
            least = ordinal + 1
        }
    }

    /// The entry of a full array.
    func entry(_ ordinal: Int) -> ArrayEntry {
        let chunk = chunks[ordinal / Self.chunkEntries]
        return Self.entry(chunk.bytes, (ordinal % Self.chunkEntries) * Self.entryCount)
    }

    /// The ordinal of the change at `index`; ordinals ascend.
    func changedOrdinal(_ index: Int) -> Int {
        Int(truncatingIfNeeded: changes.bytes.number(at: 8 * index, as: UInt64.self))
    }

    func changedEntry(_ index: Int) -> ArrayEntry {
        Self.entry(changes.bytes, 8 * changeCount + index * Self.entryCount)
    }

    /// The change of `ordinal`, or nil.
    func change(of ordinal: Int) -> ArrayEntry? {
        var low = 0
        var high = changeCount
        while low < high {
            let middle = (low + high) / 2
            if changedOrdinal(middle) < ordinal { low = middle + 1 } else { high = middle }
        }
        guard low < changeCount, changedOrdinal(low) == ordinal else { return nil }
        return changedEntry(low)
    }

    private static func entry(_ bytes: RawSpan, _ offset: Int) -> ArrayEntry {
        ArrayEntry(
            id: ObjectID(bytes, at: offset),
            location: Location(
                pack: bytes.number(at: offset + 32), unit: bytes.number(at: offset + 36)))
    }
}

/// One expert array, read through its chain of change sets down to a full array.
package struct ArrayView: Sendable {
    package let root: ObjectID
    package let count: Int
    /// Newest first; the last one is full.
    let chain: [ArrayRecord]

    /// - Throws: `.corrupt` when a record of the chain is missing.
    init(
        _ root: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws(SnapshotError) {
        var chain: [ArrayRecord] = []
        var next = root
        repeat {
            guard let record = try ArrayRecord(next, transaction) else {
                throw SnapshotError(
                    .corrupt, "expert array \(next.short) is missing; run `cambium verify`")
            }
            guard chain.count < 1000, record.count <= chain.last?.count ?? .max else {
                throw SnapshotError(
                    .corrupt,
                    "expert array \(root.short) has a chain that does not end, or whose base is "
                        + "longer; run `cambium verify`")
            }
            chain.append(record)
            next = record.base
        } while next != .zero
        let bound = chain.reduce(chain.last?.count ?? 0) { $0 + $1.changeCount }
        guard chain[0].count <= bound else {
            throw SnapshotError(
                .corrupt,
                "expert array \(root.short) claims \(chain[0].count) experts but names at "
                    + "most \(bound); run `cambium verify`")
        }
        self.root = root
        self.count = chain[0].count
        self.chain = chain
    }

    /// The expert at `ordinal`.
    ///
    /// Traps when it is out of bounds.
    package func entry(_ ordinal: Int) -> ArrayEntry {
        precondition(ordinal >= 0 && ordinal < count, "expert \(ordinal) of \(count)")
        for record in chain {
            if record.isFull { return ordinal < record.count ? record.entry(ordinal) : .absent }
            if let entry = record.change(of: ordinal) { return entry }
        }
        return .absent
    }

    /// Every entry, in order.
    ///
    /// - Complexity: One pass over the full array and over each change set.
    package func entries() -> [ArrayEntry] {
        var result: [ArrayEntry] = []
        guard let full = chain.last else { return result }
        result.reserveCapacity(count)
        for ordinal in 0..<min(full.count, count) { result.append(full.entry(ordinal)) }
        result.append(contentsOf: repeatElement(.absent, count: max(0, count - result.count)))
        for record in chain.dropLast().reversed() {
            for index in 0..<record.changeCount {
                let ordinal = record.changedOrdinal(index)
                if ordinal < count { result[ordinal] = record.changedEntry(index) }
            }
        }
        return result
    }

    /// The ordinals at which two arrays differ, ascending.
    ///
    /// Arrays that share a stored ancestor cost the changes since; others a comparison of all ids.
    package func differences(from other: ArrayView) -> [Int] {
        if root == other.root { return [] }
        guard let shared = sharedDepth(with: other) else {
            let mine = entries()
            let theirs = other.entries()
            return (0..<max(count, other.count)).filter { ordinal in
                (ordinal < count ? mine[ordinal].id : .zero)
                    != (ordinal < other.count ? theirs[ordinal].id : .zero)
            }
        }
        var candidates: Set<Int> = []
        for record in chain[..<shared.mine] + other.chain[..<shared.theirs] {
            for index in 0..<record.changeCount { candidates.insert(record.changedOrdinal(index)) }
        }
        candidates.formUnion(min(count, other.count)..<max(count, other.count))
        return candidates.sorted().filter { ordinal in
            (ordinal < count ? entry(ordinal).id : .zero)
                != (ordinal < other.count ? other.entry(ordinal).id : .zero)
        }
    }

    /// Positions in both chains of the newest record that both contain.
    private func sharedDepth(with other: ArrayView) -> (mine: Int, theirs: Int)? {
        for (mine, record) in chain.enumerated() {
            if let theirs = other.chain.firstIndex(where: { $0.root == record.root }) {
                return (mine, theirs)
            }
        }
        return nil
    }
}
