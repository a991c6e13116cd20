internal import Elements
internal import KeyValue
internal import Objects
internal import Snapshots

/// The location index of the formats 2 and 3: chunks without a checksum.
///
/// | chunk | bytes | |
/// | --- | --- | --- |
/// | 0 | 16 | u32 "CIX2"; level; 0; u32 number of entries; u32 0 |
/// | 16 | 16 per entry | the first 8 bytes of the id; u32 pack; u32 unit |
enum IndexVersion2 {
    private static let magic: UInt32 = 0x3258_4943  // "CIX2"

    /// Rebuilds the index in the current form, naming what it named; one that has it stays.
    static func renew(_ transaction: borrowing WriteTransaction) throws {
        var named: [(prefix: UInt64, location: Location)] = []
        var isOld = false
        let table = transaction.environment.table(ObjectStore.indexTable)
        try transaction.scan(table) { _, record in
            guard record.count >= 4, record.bytes.number(at: 0) == magic else { return false }
            isOld = true
            named += try entries(record.copy())
            return true
        }
        guard isOld else { return }
        try ObjectStaging.replaceIndex(withPrefixes: named, transaction)
    }

    private static func entries(
        _ chunk: [UInt8]
    ) throws -> [(prefix: UInt64, location: Location)] {
        var decoder = ByteDecoder(chunk, "an index chunk")
        _ = try decoder.take(8)
        let count = try decoder.number(UInt32.self)
        _ = try decoder.take(4)
        var entries: [(prefix: UInt64, location: Location)] = []
        for _ in 0..<count {
            let prefix = try decoder.number(UInt64.self).byteSwapped
            entries.append(
                (prefix, Location(pack: try decoder.number(), unit: try decoder.number())))
        }
        try decoder.end()
        return entries
    }
}
