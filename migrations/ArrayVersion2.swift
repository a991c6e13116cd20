internal import Elements
internal import KeyValue
internal import Objects
internal import Snapshots

/// An array record of format 3: without checksums, and with chunks that leave no room for them.
///
/// | record `root, chunk 0` | bytes | |
/// | --- | --- | --- |
/// | 0 | 8 | u32 "CARR", u32 2 |
/// | 8 | 8 | level, 0 |
/// | 16 | 8 | u64 number of ids |
/// | 24 | 40 | u64 n changes, root of the base array, or zero |
/// | 64 | | changes and their nodes, as in the current form |
///
/// A full array's 12 bytes for each id follow in chunks of 87,380, then its nodes in further chunks.
enum ArrayVersion2 {
    private static let table = "arrays"
    private static let magic: UInt32 = 0x5252_4143  // "CARR"
    private static let entryCount = 12
    /// Entries and nodes in a chunk of the current form.
    private static let chunkEntries = 87_378
    private static let chunkNodes = 32_767

    /// Rewrites the records of this form, and leaves the others.
    static func renew(_ transaction: borrowing WriteTransaction) throws {
        let table = transaction.environment.table(Self.table)
        var roots: [[UInt8]] = []
        try transaction.scan(table) { key, value in
            guard key.count == ObjectID.byteCount + 4 else {
                throw CambiumError(.corrupt, "an expert array has an impossible key")
            }
            if key.suffix(4) == [0, 0, 0, 0], isOld(value) {
                roots.append(Array(key.prefix(32)))
            }
            return true
        }
        for root in roots { try renew(root, table, transaction) }
    }

    private static func isOld(_ value: MappedBytes) -> Bool {
        value.count >= 64 && value.bytes.number(at: 0) == magic
            && value.bytes.number(at: 4) == UInt32(2)
    }

    private static func renew(
        _ root: [UInt8], _ table: Table, _ transaction: borrowing WriteTransaction
    ) throws {
        var chunks: [[UInt8]] = []
        while let chunk = try transaction.value(table, key(root, chunks.count)) {
            chunks.append(chunk)
        }
        var head = chunks.removeFirst()
        head[4] = 3
        let all = chunks.reduce(into: []) { $0 += $1 }
        let count = Int(clamping: head.raw.number(at: 16, as: UInt64.self))
        // A change set has no chunks but the first.
        let (end, isOverflow) =
            chunks.isEmpty
            ? (0, false) : count.multipliedReportingOverflow(by: entryCount)
        guard !isOverflow, end <= all.count else {
            throw CambiumError(
                .corrupt, "expert array \(ObjectID(root.raw).short) lacks entries; restore a backup"
            )
        }
        let renewed =
            [head] + split(all[..<end], chunkEntries * entryCount)
            + split(all[end...], chunkNodes * ObjectID.byteCount)
        for (number, chunk) in renewed.enumerated() {
            try transaction.putChecked(table, key(root, number), chunk)
        }
    }

    private static func split(_ bytes: ArraySlice<UInt8>, _ size: Int) -> [[UInt8]] {
        stride(from: bytes.startIndex, to: bytes.endIndex, by: size).map {
            Array(bytes[$0..<min($0 + size, bytes.endIndex)])
        }
    }

    private static func key(_ root: [UInt8], _ chunk: Int) -> [UInt8] {
        root + (0..<4).map { UInt8(truncatingIfNeeded: chunk >> (24 - 8 * $0)) }
    }
}
