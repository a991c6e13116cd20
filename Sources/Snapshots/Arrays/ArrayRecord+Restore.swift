internal import Elements
package import KeyValue
package import Objects

extension SnapshotStore {
    /// Stores an array whose ids are known; for migrations.
    ///
    /// - Parameters:
    ///   - base: The root of a stored array that it changes; nil for a new one.
    ///   - ids: By ordinal: the changes, or all of a new array.
    /// - Throws: `.corrupt` when the ids do not have this root, or one is in no pack.
    package static func storeArray(
        _ root: ObjectID, base: ObjectID?, count: Int, _ ids: [Int: ObjectID],
        _ transaction: borrowing WriteTransaction
    ) throws {
        let reader = try ObjectReader(transaction)
        let changes = ids.sorted { $0.key < $1.key }
        let edit: ArrayEdit
        if let base {
            edit = try ArrayEdit(
                base: ArrayView(base, transaction), changes.map(\.key), changes.map(\.value),
                places: nil, count: count, reader, transaction)
        } else {
            edit = ArrayEdit(changes.map(\.value))
        }
        guard edit.root == root else {
            throw CambiumError(
                .corrupt, "the ids of array \(root.short) hash to \(edit.root.short)")
        }
        var entries: [ArrayEntry] = []
        for id in edit.ids {
            guard id != .zero else {
                entries.append(.absent)
                continue
            }
            guard let location = try reader.location(of: id, transaction) else {
                throw CambiumError(
                    .corrupt, "expert \(id.short) of array \(root.short) is missing")
            }
            entries.append(ArrayEntry(id: id, location: location))
        }
        try ArrayRecord.write(edit, entries, transaction)
    }
}
