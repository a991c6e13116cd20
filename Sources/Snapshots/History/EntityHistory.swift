internal import Elements
internal import KeyValue
package import Objects

/// One thing in a model, whose history can be asked for.
package enum ModelEntity: Sendable, Hashable {
    case expert(layer: UInt32, pool: String, ordinal: Int)
    /// A file, or a tensor of the trunk or of a router.
    case named(String)
    /// A row of such a tensor; see ``rows(of:)``.
    case row(Int, of: String)
}

/// A commit that changed something, and what the thing is from then on.
package struct EntityChange: Sendable {
    package let entry: HistoryEntry
    /// The object's id, or of a row the id that its bytes would have as a file; nil when the commit
    /// removed it.
    package let version: ObjectID?
}

extension SnapshotStore {
    /// The commits among `entries` that changed an entity: in which it is not what it is in any of
    /// their parents.
    ///
    /// - Parameters:
    ///   - entries: In any order; parents may be missing.
    ///   - limit: At most this many, from the beginning.
    /// - Complexity: Reads each commit's records of trees and layers; an array only where its root
    ///   changed, and then one place of it; a tensor only where it changed.
    package func changes(
        of entity: ModelEntity, in entries: [HistoryEntry], limit: Int? = nil
    ) throws -> [EntityChange] {
        try environment.read { transaction in
            let reader = try ObjectReader(transaction)
            var versions = EntityVersions(entity, entries)
            var changes: [EntityChange] = []
            for entry in entries {
                guard changes.count < limit ?? .max else { break }
                let now = try versions.version(ofCommit: entry.id, reader, transaction)
                var isChanged = now != nil || !entry.commit.parents.isEmpty
                for parent in entry.commit.parents where isChanged {
                    isChanged = try versions.version(ofCommit: parent, reader, transaction) != now
                }
                if isChanged { changes.append(EntityChange(entry: entry, version: now)) }
            }
            return changes
        }
    }
}

/// What one entity is in each of many commits; whatever two of them share is read once.
private struct EntityVersions {
    private let entity: ModelEntity
    private var trees: [ObjectID: ObjectID]
    private var byTree: [ObjectID: ObjectID?] = [:]
    private var byTrunk: [ObjectID: StoredTensor?] = [:]
    private var byLayer: [ObjectID: StoredTensor?] = [:]
    private var byExpertLayer: [ObjectID: ObjectID?] = [:]
    private var byArray: [ObjectID: ObjectID?] = [:]
    private var byTensor: [ObjectID: ObjectID?] = [:]

    init(_ entity: ModelEntity, _ entries: [HistoryEntry]) {
        self.entity = entity
        trees = Dictionary(
            entries.map { ($0.id, $0.commit.tree) }, uniquingKeysWith: { first, _ in first })
    }

    mutating func version(
        ofCommit id: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ObjectID? {
        var known = trees[id]
        if known == nil { known = try SnapshotStore.commit(id, reader, transaction).tree }
        guard let tree = known else { return nil }
        trees[id] = tree
        if let known = byTree[tree] { return known }
        let record = try SnapshotStore.treeRecord(tree, reader, transaction)
        var version: ObjectID?
        switch entity {
        case .expert(let layer, let pool, let ordinal):
            if let id = record.layers[layer] {
                version = try expert(ordinal, pool, inLayer: id, reader, transaction)
            }
        case .named(let name):
            version = record.files[name]
            if version == nil { version = try tensor(name, in: record, reader, transaction)?.id }
        case .row(let row, let name):
            if let tensor = try tensor(name, in: record, reader, transaction) {
                version = try self.row(row, of: tensor, reader, transaction)
            }
        }
        byTree[tree] = version
        return version
    }

    private mutating func expert(
        _ ordinal: Int, _ pool: String, inLayer id: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ObjectID? {
        if let known = byExpertLayer[id] { return known }
        var version: ObjectID?
        if let root = try layer(id, reader, transaction).pools[pool]?.experts {
            if let known = byArray[root] {
                version = known
            } else {
                version = try ArrayView(root, transaction).id(ordinal, reader, transaction)
                byArray[root] = version
            }
        }
        byExpertLayer[id] = version
        return version
    }

    private mutating func tensor(
        _ name: String, in record: TreeRecord, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> StoredTensor? {
        if let known = byTrunk[record.trunk] {
            if let known { return known }
        } else {
            let trunk = try Trunk(decoding: try reader.data(record.trunk, transaction).bytes)
            byTrunk[record.trunk] = trunk.tensors[name]
            if let tensor = trunk.tensors[name] { return tensor }
        }
        for id in record.layers.sorted(by: { $0.key < $1.key }).map(\.value) {
            if let known = byLayer[id] {
                if let known { return known }
                continue
            }
            let routers = try layer(id, reader, transaction).pools.values.map(\.router)
            let found = routers.compactMap { $0[name] }.first
            byLayer[id] = found
            if let found { return found }
        }
        return nil
    }

    private mutating func row(
        _ row: Int, of tensor: StoredTensor, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ObjectID? {
        if let known = byTensor[tensor.id] { return known }
        let (count, size) = rows(of: tensor.shape)
        var version: ObjectID?
        if row < count {
            let bytes = try reader.data(tensor.id, transaction).bytes
            guard bytes.count >= (row + 1) * size else {
                throw CambiumError(
                    .corrupt, "tensor \(tensor.id.short) is shorter than its shape; run verify")
            }
            let part = Array(bytes[(row * size)..<((row + 1) * size)])
            version = try ObjectID(ofFile: part)
        }
        byTensor[tensor.id] = version
        return version
    }

    private func layer(
        _ id: ObjectID, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Layer {
        try Layer(decoding: try reader.data(id, transaction).bytes)
    }
}
