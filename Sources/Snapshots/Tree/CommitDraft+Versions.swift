package import Elements
internal import KeyValue
package import Objects

/// What a draft's new objects take the place of, so that a small change is stored as what changed.
extension CommitDraft {
    /// The experts of a stored array, by ordinal: as many as asked for, nil for those that it does not have.
    ///
    /// They are of use as long as the draft: it keeps collections away, which would move them.
    package func versions(ofArray root: ObjectID, _ ordinals: Range<Int>) throws -> [Predecessor?] {
        try store.environment.read { transaction in
            let array = try ArrayView(root, transaction)
            return array.entries(ordinals).map { entry in
                entry.isAbsent ? nil : .place(entry.location, check: entry.check)
            }
        }
    }

    /// The expert that a stored array has at an ordinal.
    package func version(ofArray root: ObjectID, _ ordinal: Int) throws -> Predecessor? {
        try versions(ofArray: root, ordinal..<(ordinal + 1))[0]
    }

    /// Stages one dense tensor.
    ///
    /// - Parameter before: The tensor that it takes the place of.
    package mutating func putTensor(
        _ shape: TensorShape, _ payload: RawSpan, after before: StoredTensor? = nil
    ) throws -> StoredTensor {
        let header = try ObjectHeader(.tensor, [shape])
        let predecessor = before?.shape == shape ? before.map { Predecessor.object($0.id) } : nil
        return StoredTensor(shape: shape, id: try put(header, payload, after: predecessor))
    }
}
