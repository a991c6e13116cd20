internal import Elements
internal import KeyValue
internal import Objects
internal import Snapshots

/// An array record of the formats 1 and 2, whose entries held whole ids and no nodes.
///
/// | record `root, chunk 0` | bytes | |
/// | --- | --- | --- |
/// | 0 | 8 | u32 "CARR", u32 1 |
/// | 8 | 8 | level, 0 |
/// | 16 | 16 | u64 number of ids, u64 n changes |
/// | 32 | 32 | root of the base array, or zero |
/// | 64 | 48 × n | u64 ordinals, then entries of 40 bytes: id, u32 pack, u32 unit |
///
/// A full array's entries follow in chunks 1…, 26,208 in each.
struct ArrayVersion1 {
    let count: Int
    let base: ObjectID
    /// Ids by ordinal: of a full array all, else the changes.
    let ids: [Int: ObjectID]

    private static let table = "arrays"
    private static let magic: UInt32 = 0x5252_4143  // "CARR"

    /// All records of a store, by root.
    static func all(
        _ transaction: borrowing WriteTransaction
    ) throws -> [ObjectID: ArrayVersion1] {
        var chunks: [ObjectID: [MappedBytes]] = [:]
        let table = transaction.environment.table(Self.table)
        try transaction.scan(table) { key, value in
            guard key.count == ObjectID.byteCount + 4 else {
                throw CambiumError(.corrupt, "an expert array has an impossible key")
            }
            // In the order of their numbers.
            chunks[ObjectID(key.raw), default: []].append(value)
            return true
        }
        var records: [ObjectID: ArrayVersion1] = [:]
        for (root, values) in chunks {
            records[root] = try ArrayVersion1(values, root)
        }
        return records
    }

    private init(_ chunks: [MappedBytes], _ root: ObjectID) throws {
        var decoder = ByteDecoder(chunks[0].copy(), "expert array \(root.short)")
        guard try decoder.number(UInt32.self) == Self.magic, try decoder.number(UInt32.self) == 1
        else { throw CambiumError(.corrupt, "expert array \(root.short) has no valid header") }
        _ = try decoder.take(8)
        let count = try decoder.number(UInt64.self)
        let changes = try decoder.number(UInt64.self)
        base = try decoder.id()
        guard count <= UInt64(UInt32.max), changes <= UInt64(decoder.remaining) / 48 else {
            throw CambiumError(.corrupt, "expert array \(root.short) has an impossible length")
        }
        self.count = Int(count)
        var ordinals: [Int] = []
        for _ in 0..<changes {
            let ordinal = try decoder.number(UInt64.self)
            guard ordinal < count else {
                throw CambiumError(.corrupt, "expert array \(root.short) changes expert \(ordinal)")
            }
            ordinals.append(Int(ordinal))
        }
        var ids: [Int: ObjectID] = [:]
        for ordinal in ordinals {
            ids[ordinal] = try decoder.id()
            _ = try decoder.take(8)
        }
        try decoder.end()
        if base == .zero {
            for chunk in chunks.dropFirst() {
                var entries = ByteDecoder(chunk.copy(), "expert array \(root.short)")
                while entries.remaining > 0 {
                    ids[ids.count] = try entries.id()
                    _ = try entries.take(8)
                }
            }
            guard ids.count == self.count else {
                throw CambiumError(.corrupt, "expert array \(root.short) has \(ids.count) ids")
            }
        }
        self.ids = ids
    }
}
