internal import KeyValue
internal import Objects

/// Copies of objects that were stored again, because they were damaged, and that no array names any
/// more: a collection removes them, and until then they harm nobody.
struct SupersededCopies {
    private let reader: ObjectReader?
    /// The places that arrays name; nil when they cannot be read.
    private let named: PlaceMarks?

    /// - Complexity: Reads all arrays, so it is made only where there is damage.
    init(_ transaction: borrowing ReadTransaction) {
        reader = try? ObjectReader(transaction)
        named = try? Self.named(transaction)
    }

    private static func named(
        _ transaction: borrowing ReadTransaction
    ) throws -> PlaceMarks {
        var marks = PlaceMarks(
            lastPack: try ObjectReader.lastPack(transaction))
        for root in try SnapshotStore.arrayRoots(transaction) {
            guard let record = try ArrayRecord(root, transaction) else { continue }
            for index in 0..<(record.isFull ? record.count : record.changeCount) {
                let entry = record.isFull ? record.entry(index) : record.changedEntry(index)
                if !entry.isAbsent { marks.insert(entry.location) }
            }
        }
        return marks
    }

    /// Whether a copy is one of these: the index names another one, which is checked like all.
    func contains(
        _ location: Location, of id: ObjectID, _ transaction: borrowing ReadTransaction
    ) -> Bool {
        guard let reader, let named, !named.contains(location),
            let newest = try? reader.location(of: id, transaction)
        else { return false }
        return newest != location
    }
}
