internal import KeyValue
package import Objects

/// What a tree consists of, by id, so that what many trees share need not be read again.
package struct TreeParts: Sendable {
    package let architecture: String
    package let files: [String: ObjectID]
    package let trunk: ObjectID
    package let layers: [UInt32: ObjectID]
}

extension SnapshotStore {
    /// The parts of a tree, of which none is read.
    package func parts(ofTree id: ObjectID) throws -> TreeParts {
        try environment.read { transaction in
            let record = try Self.treeRecord(id, try ObjectReader(transaction), transaction)
            return TreeParts(
                architecture: record.architecture, files: record.files, trunk: record.trunk,
                layers: record.layers)
        }
    }

    /// The dense tensors of a record of a trunk.
    package func trunk(_ id: ObjectID) throws -> Trunk {
        let bytes = try data(of: id).1
        return try Trunk(decoding: bytes)
    }

    /// The pools of a record of a layer.
    package func layer(_ id: ObjectID) throws -> Layer {
        let bytes = try data(of: id).1
        return try Layer(decoding: bytes)
    }
}
