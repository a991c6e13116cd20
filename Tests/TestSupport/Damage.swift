internal import Elements
internal import KeyValue
package import Objects
package import Snapshots

extension SnapshotStore {
    /// Flips a bit in the middle of a stored object's data, in its newest copy, behind the store's
    /// back.
    package func damage(_ id: ObjectID) throws {
        let environment = environment
        try environment.write("damage") { transaction in
            let object = try ObjectReader(transaction).object(id, transaction)
            let number = object.location.pack
            guard let pack = try ObjectReader.packIfPresent(number, transaction) else { return }
            var record = pack.record.copy()
            var offset = 48 + 64 * Int(object.location.unit) + object.payload.count / 2
            if pack.isCold {
                // The middle of the block, which lies behind the ids of predecessors.
                let entry = record.raw.number(at: 6, as: UInt16.self) == 5 ? 44 : 36
                let block = 64 + entry * pack.predecessors.count
                offset = (block + Int(record.raw.number(at: 16, as: UInt64.self))) / 2
            }
            record[offset] ^= 4
            try ObjectStaging.replaceRecord(number, with: record, transaction)
        }
    }
}
