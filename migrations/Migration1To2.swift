internal import Elements
internal import KeyValue
internal import Objects
internal import Snapshots

/// Format 2: an entry of the location index shrinks from 40 bytes to 16.
///
/// It holds the first eight bytes of the id instead of the whole, and the pack's directory tells
/// the rest. The index is derived, so it is rebuilt from the packs, naming what it named before.
/// The writing is the current code's: it leaves an index of the current form, which the later steps
/// of the same transaction take as it is.
struct Migration1To2: Migration {
    let from: UInt32 = 1

    private static let magic: UInt32 = 0x5844_4943  // "CIDX"

    func run(_ transaction: borrowing WriteTransaction) throws {
        var named: Set<ObjectID> = []
        let table = transaction.environment.table(ObjectStore.indexTable)
        try transaction.scan(table) { _, record in
            named.formUnion(try Self.ids(record.copy()))
            return true
        }
        transaction.environment.step("migrate: old index read")
        // Of several copies of an object the one in the newest pack counts, as the index had it.
        var newest: [ObjectID: Location] = [:]
        try PackVersion1.all(transaction) { pack in
            for object in pack.objects where named.contains(object.id) {
                newest[object.id] = Location(pack: pack.number, unit: object.unit)
            }
        }
        try ObjectStaging.replaceIndex(
            with: newest.map { (id: $0.key, location: $0.value) }, transaction)
        transaction.environment.step("migrate: index rebuilt")
    }

    /// The ids in one chunk of format 1: magic, level, count, then entries of id, pack and unit.
    private static func ids(_ chunk: [UInt8]) throws -> [ObjectID] {
        var decoder = ByteDecoder(chunk, "an index chunk")
        guard try decoder.number(UInt32.self) == magic else {
            throw CambiumError(.corrupt, "an index chunk has no magic number; restore a backup")
        }
        _ = try decoder.take(4)
        let count = try decoder.number(UInt32.self)
        _ = try decoder.take(4)
        var ids: [ObjectID] = []
        for _ in 0..<count {
            ids.append(try decoder.id())
            _ = try decoder.take(8)
        }
        try decoder.end()
        return ids
    }
}
