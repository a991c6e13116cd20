internal import Architectures
internal import Elements
internal import Models
package import Objects
package import Snapshots

/// What a tree has of one adapter that rounds made: tensors of the trunk, and experts of layers.
package struct AdapterContent: Sendable, Equatable {
    package var tensors: [String: StoredTensor] = [:]
    package var pools: [UInt32: ExpertPool] = [:]

    package init(tensors: [String: StoredTensor] = [:], pools: [UInt32: ExpertPool] = [:]) {
        self.tensors = tensors
        self.pools = pools
    }

    /// Numbers that were trained: the tensors' and experts', without the description.
    package var parameters: Int {
        tensors.values.reduce(0) { $0 + ($1.shape.type == .u8 ? 0 : $1.shape.elementCount) }
            + pools.values.reduce(0) { $0 + $1.parameterCount }
    }

    /// Tensors of the trunk and the routers.
    package var tensorCount: Int {
        pools.values.reduce(tensors.count) { $0 + $1.router.count }
    }

    /// Bytes of the data.
    package var bytes: Int {
        tensors.values.reduce(0) { $0 + ($1.shape.byteCount ?? 0) }
            + pools.values.reduce(0) { $0 + $1.byteCount }
    }

    package var experts: Int { pools.values.reduce(0) { $0 + Int(clamping: $1.count) } }
}

/// One adapter of a commit's model and how it came to be.
package struct AdapterHistory: Sendable {
    package let name: String
    /// What its deltas are; nil for one that only has experts or evidence.
    package let kind: String?
    package let content: AdapterContent
    /// Records of evidence of its texts.
    package let evidence: Int
    /// The commits that made it what it is, newest first.
    package let rounds: [HistoryEntry]
}

/// Tells the adapters of trees apart, each trunk, layer and record of evidence read once.
package struct AdapterReader {
    private let store: SnapshotStore
    private var trunks: [ObjectID: [String: [String: StoredTensor]]] = [:]
    private var layers: [ObjectID: [String: ExpertPool]] = [:]
    private var trees: [ObjectID: [String: AdapterContent]] = [:]
    private var records: [ObjectID: String] = [:]

    package init(_ store: SnapshotStore) { self.store = store }

    /// The adapters of a stored tree, by name; the base is none of them.
    package mutating func adapters(ofTree id: ObjectID) throws -> [String: AdapterContent] {
        if let known = trees[id] { return known }
        let parts = try store.parts(ofTree: id)
        if trunks[parts.trunk] == nil {
            trunks[parts.trunk] = Self.tensors(try store.trunk(parts.trunk))
        }
        var result: [String: AdapterContent] = [:]
        for (name, tensors) in trunks[parts.trunk] ?? [:] {
            result[name] = AdapterContent(tensors: tensors)
        }
        let described = Array(result.keys)
        for (number, layer) in parts.layers
        where AdapterTensorName.ownsPools(of: parts.architecture) || !described.isEmpty {
            if layers[layer] == nil {
                layers[layer] = try store.layer(layer).pools.filter {
                    $0.key != ExpertPool.base
                }
            }
            for (name, pool) in layers[layer] ?? [:]
            where AdapterTensorName.ownsPool(
                name, in: parts.architecture, described: described)
            {
                result[name, default: AdapterContent()].pools[number] = pool
            }
        }
        trees[id] = result
        return result
    }

    /// The trunk's tensors of each adapter that the trunk describes.
    package static func tensors(_ trunk: Trunk) -> [String: [String: StoredTensor]] {
        var result: [String: [String: StoredTensor]] = [:]
        let names = trunk.tensors.keys.compactMap { AdapterTensorName.adapter(describedBy: $0) }
        guard !names.isEmpty else { return [:] }
        for (tensor, entry) in trunk.tensors where tensor.hasPrefix(AdapterTensorName.prefix) {
            let name = AdapterTensorName.adapter(of: tensor, among: names)
            if let name { result[name, default: [:]][tensor] = entry }
        }
        return result
    }

    /// The records of evidence among a tree's files, and the adapter that each belongs to.
    package mutating func evidence(
        _ files: [String: ObjectID]
    ) throws -> [(name: String, id: ObjectID, adapter: String)] {
        var result: [(name: String, id: ObjectID, adapter: String)] = []
        for (name, id) in files.sorted(by: { isBefore($0.key, $1.key) })
        where name.hasPrefix(EvidenceName.prefix) {
            if records[id] == nil {
                let bytes = try store.data(of: id).1
                records[id] = try counted(.corrupt) {
                    try EvidenceRecord(decoding: bytes).adapter
                }
            }
            result.append((name, id, records[id] ?? ExpertPool.base))
        }
        return result
    }

    /// Whether a stored tree has weights or evidence of an adapter.
    package mutating func has(_ adapter: String, inTree id: ObjectID) throws -> Bool {
        if try adapters(ofTree: id)[adapter] != nil { return true }
        let files = try store.parts(ofTree: id).files
        return try evidence(files).contains { $0.adapter == adapter }
    }

    /// The commits that made the adapters of a commit what they are, newest first: those in which an adapter is
    /// not what it is in any parent.
    package mutating func rounds(of head: ObjectID) throws -> [String: [HistoryEntry]] {
        let entries = try store.history(from: [head])
        var trees: [ObjectID: ObjectID] = [:]
        for entry in entries { trees[entry.id] = entry.commit.tree }
        var result: [String: [HistoryEntry]] = [:]
        for entry in entries {
            let now = try adapters(ofTree: entry.commit.tree)
            guard !now.isEmpty else { continue }
            var before: [[String: AdapterContent]] = []
            for parent in entry.commit.parents {
                guard let tree = trees[parent] else { continue }
                before.append(try adapters(ofTree: tree))
            }
            for (name, content) in now where !before.contains(where: { $0[name] == content }) {
                result[name, default: []].append(entry)
            }
        }
        return result
    }
    /// The adapters of a commit's model, by ascending name.
    ///
    /// - Complexity: With adapters, reads the commits that lead to it.
    package mutating func histories(of head: ObjectID) throws -> [AdapterHistory] {
        let tree = try store.commit(head).tree
        let contents = try adapters(ofTree: tree)
        guard !contents.isEmpty else { return [] }
        let rounds = try rounds(of: head)
        let evidence = try evidence(try store.parts(ofTree: tree).files)
        return try contents.sorted { isBefore($0.key, $1.key) }.map { name, content in
            let description = try content.tensors[AdapterTensorName.description(of: name)].map {
                try store.data(of: $0.id).1
            }
            return AdapterHistory(
                name: name,
                // What cannot be read tells so where it is run.
                kind: description.flatMap {
                    (try? AdapterDescription($0, of: name))?.kind.rawValue
                },
                content: content, evidence: evidence.count { $0.adapter == name },
                rounds: rounds[name] ?? [])
        }
    }
}
