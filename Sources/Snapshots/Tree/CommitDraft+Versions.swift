package import Elements
internal import KeyValue
package import Objects

/// What a draft's new objects take the place of, so that a small change is stored as what changed.
extension CommitDraft {
    /// The experts of a stored array, by ordinal: as many as asked for, nil for those that it does not have.
    ///
    /// They are of use as long as the draft: it keeps collections away, which would move them.
    package func versions(ofArray root: ObjectID, _ ordinals: Range<Int>) throws -> [Predecessor?] {
        try store.versions(ofArray: root, ordinals)
    }

    /// The same for some ordinals, ascending, from any thread as long as the draft lives; nil without an array.
    package func versions(
        ofArray root: ObjectID?
    ) -> @Sendable (ArraySlice<Int>) throws -> [Predecessor?] {
        let store = store
        return { ordinals in
            guard let root, let first = ordinals.first, let last = ordinals.last else {
                return ordinals.map { _ in nil }
            }
            let all = try store.versions(ofArray: root, first..<(last + 1))
            return ordinals.map { all[$0 - first] }
        }
    }

    /// The expert that a stored array has at an ordinal.
    package func version(ofArray root: ObjectID, _ ordinal: Int) throws -> Predecessor? {
        try store.environment.read { transaction in
            let array = try known.view(root, transaction)
            return ordinal < array.count ? array.entry(ordinal).predecessor : nil
        }
    }

    /// Stages one dense tensor.
    ///
    /// - Parameters:
    ///   - prepared: What is known of it already.
    ///   - before: The tensor that it takes the place of.
    package mutating func putTensor(
        _ shape: TensorShape, _ payload: RawSpan, _ prepared: PreparedObject? = nil,
        after before: StoredTensor? = nil
    ) throws -> StoredTensor {
        let header = try ObjectHeader(.tensor, [shape])
        let predecessor = before?.shape == shape ? before.map { Predecessor.object($0.id) } : nil
        return StoredTensor(
            shape: shape, id: try put(header, payload, prepared, after: predecessor))
    }
}

extension SnapshotStore {
    fileprivate func versions(ofArray root: ObjectID, _ ordinals: Range<Int>) throws
        -> [Predecessor?]
    {
        try environment.read { transaction in
            try ArrayView(root, transaction).entries(ordinals).map(\.predecessor)
        }
    }
}

extension ArrayEntry {
    /// The expert as what a new one takes the place of; nil where there is none.
    var predecessor: Predecessor? { isAbsent ? nil : .place(location, check: check) }
}
