internal import Elements
internal import KeyValue
package import Objects

extension SnapshotStore {
    /// The commit named `id`.
    ///
    /// - Throws: `.notFound`, or `.badRevision` when the object is no commit.
    package func commit(_ id: ObjectID) throws -> Commit {
        try environment.read { transaction in
            try Self.commit(id, try ObjectReader(transaction), transaction)
        }
    }

    /// The model tree named `id`.
    package func tree(_ id: ObjectID) throws -> Tree {
        try environment.read { transaction in
            try Self.tree(id, try ObjectReader(transaction), transaction)
        }
    }

    /// A copy of the object's raw data, checked against its name.
    package func data(of id: ObjectID) throws -> (header: ObjectHeader, [UInt8]) {
        try environment.read { transaction in
            let (header, bytes) = try ObjectReader(transaction).data(id, transaction)
            return (header, bytes)
        }
    }

    /// A copy of a tensor's raw data, which has the length of its shape.
    func data(of tensor: StoredTensor) throws -> [UInt8] {
        let (header, bytes) = try data(of: tensor.id)
        guard header.kind == .tensor, header.parts == [tensor.shape] else {
            throw CambiumError(
                .corrupt,
                "object \(tensor.id.short) is \(header.kind) \(header.parts), but its tree has "
                    + "\(tensor.shape); run `cambium verify`")
        }
        return bytes
    }

    static func commit(
        _ id: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Commit {
        let (header, bytes) = try reader.data(id, transaction)
        guard header.kind == .commit else {
            throw CambiumError(.notFound, "\(id.short) is a \(header.kind), not a commit")
        }
        let commit = try Commit(decoding: bytes)
        return try isShallow(id, transaction) ? commit.withoutParents() : commit
    }

    static func tree(
        _ id: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Tree {
        let record = try treeRecord(id, reader, transaction)
        var tree = Tree(
            architecture: record.architecture, files: record.files, layout: record.layout)
        tree.trunk = try Trunk(
            decoding: try reader.data(record.trunk, transaction).bytes)
        for (number, layer) in record.layers {
            tree.layers[number] = try Layer(
                decoding: try reader.data(layer, transaction).bytes)
        }
        return tree
    }

    static func treeRecord(
        _ id: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> TreeRecord {
        let (header, bytes) = try reader.data(id, transaction)
        guard header.kind == .tree else {
            throw CambiumError(.corrupt, "\(id.short) is a \(header.kind), not a tree")
        }
        return try TreeRecord(decoding: bytes)
    }

    /// The layout of a tree, or nil when it has none.
    package func layout(of tree: Tree) throws -> Layout? {
        guard let id = tree.layout else { return nil }
        let bytes = try data(of: id).1
        return try Layout(decoding: bytes)
    }

    /// The ids of a pool's experts, in ordinal order.
    package func experts(of pool: ExpertPool) throws -> [ObjectID] {
        try environment.read { transaction in
            let array = try ArrayView(pool.experts, transaction)
            return try array.ids(0..<array.count, try ObjectReader(transaction), transaction)
        }
    }

    /// The ordinals of an array that no expert has, ascending.
    package func absentOrdinals(ofArray root: ObjectID) throws -> [Int] {
        try environment.read { transaction in
            try ArrayView(root, transaction).entries().enumerated()
                .filter { $0.element.isAbsent }.map(\.offset)
        }
    }

    /// The ordinals of an array that have an expert, ascending.
    package func presentOrdinals(ofArray root: ObjectID) throws -> [Int] {
        try environment.read { transaction in
            try ArrayView(root, transaction).presentOrdinals
        }
    }

    /// How many experts a stored array has, absent ones included.
    func count(ofArray root: ObjectID) throws -> Int {
        try environment.read { transaction in
            try ArrayView(root, transaction).count
        }
    }
}
