internal import Architectures
internal import Elements
internal import Models
package import Objects
package import Snapshots

/// What a tree has of one cohort that rounds made: tensors of the trunk, and experts of layers.
package struct CohortContent: Sendable, Equatable {
    package var tensors: [String: StoredTensor] = [:]
    package var pools: [UInt32: Cohort] = [:]

    package init(tensors: [String: StoredTensor] = [:], pools: [UInt32: Cohort] = [:]) {
        self.tensors = tensors
        self.pools = pools
    }

    /// Numbers that were trained: the tensors' and experts', without the description.
    package var parameters: Int {
        tensors.values.reduce(0) { $0 + ($1.shape.type == .u8 ? 0 : $1.shape.elementCount) }
            + pools.values.reduce(0) { $0 + $1.parameterCount }
    }

    /// Bytes of the data.
    package var bytes: Int {
        tensors.values.reduce(0) { $0 + ($1.shape.byteCount ?? 0) }
            + pools.values.reduce(0) { $0 + $1.byteCount }
    }

    package var experts: Int { pools.values.reduce(0) { $0 + Int(clamping: $1.count) } }
}

/// One cohort of a commit's model and how it came to be.
package struct CohortHistory: Sendable {
    package let name: String
    /// What its deltas are; nil for one that only has experts or evidence.
    package let kind: String?
    package let content: CohortContent
    /// Records of evidence of its texts.
    package let evidence: Int
    /// The commits that made it what it is, newest first.
    package let rounds: [HistoryEntry]
}

/// Tells the cohorts of trees apart, each trunk, layer and record of evidence read once.
package struct CohortReader {
    private let store: SnapshotStore
    private var trunks: [ObjectID: [String: [String: StoredTensor]]] = [:]
    private var layers: [ObjectID: [String: Cohort]] = [:]
    private var trees: [ObjectID: [String: CohortContent]] = [:]
    private var records: [ObjectID: String] = [:]

    package init(_ store: SnapshotStore) { self.store = store }

    /// The cohorts of a stored tree, by name; the base is none of them.
    package mutating func cohorts(ofTree id: ObjectID) throws -> [String: CohortContent] {
        if let known = trees[id] { return known }
        let parts = try store.parts(ofTree: id)
        if trunks[parts.trunk] == nil {
            trunks[parts.trunk] = Self.tensors(
                try store.trunk(parts.trunk))
        }
        var result: [String: CohortContent] = [:]
        for (name, tensors) in trunks[parts.trunk] ?? [:] {
            result[name] = CohortContent(tensors: tensors)
        }
        for (number, layer) in parts.layers {
            if layers[layer] == nil {
                layers[layer] = try store.layer(layer).cohorts.filter {
                    $0.key != Cohort.base
                }
            }
            for (name, pool) in layers[layer] ?? [:] {
                result[name, default: CohortContent()].pools[number] = pool
            }
        }
        trees[id] = result
        return result
    }

    /// The trunk's tensors of each cohort that the trunk describes.
    package static func tensors(_ trunk: Trunk) -> [String: [String: StoredTensor]] {
        var result: [String: [String: StoredTensor]] = [:]
        let names = trunk.tensors.keys.compactMap { CohortTensorName.cohort(describedBy: $0) }
        guard !names.isEmpty else { return [:] }
        for (tensor, entry) in trunk.tensors where tensor.hasPrefix(CohortTensorName.prefix) {
            let name = CohortTensorName.cohort(of: tensor, among: names)
            if let name { result[name, default: [:]][tensor] = entry }
        }
        return result
    }

    /// The records of evidence among a tree's files, and the cohort that each belongs to.
    package mutating func evidence(
        _ files: [String: ObjectID]
    ) throws -> [(name: String, id: ObjectID, cohort: String)] {
        var result: [(name: String, id: ObjectID, cohort: String)] = []
        for (name, id) in files.sorted(by: { isBefore($0.key, $1.key) })
        where name.hasPrefix(EvidenceName.prefix) {
            if records[id] == nil {
                let bytes = try store.data(of: id).1
                records[id] = try counted(.corrupt) {
                    try EvidenceRecord(decoding: bytes).cohort
                }
            }
            result.append((name, id, records[id] ?? Cohort.base))
        }
        return result
    }

    /// Whether a stored tree has weights or evidence of a cohort.
    package mutating func has(_ cohort: String, inTree id: ObjectID) throws -> Bool {
        if try cohorts(ofTree: id)[cohort] != nil { return true }
        let files = try store.parts(ofTree: id).files
        return try evidence(files).contains { $0.cohort == cohort }
    }

    /// The commits that made the cohorts of a commit what they are, newest first: those in which a cohort is
    /// not what it is in any parent.
    package mutating func rounds(
        of head: ObjectID
    ) throws -> [String: [HistoryEntry]] {
        let entries = try store.history(from: [head])
        var trees: [ObjectID: ObjectID] = [:]
        for entry in entries { trees[entry.id] = entry.commit.tree }
        var result: [String: [HistoryEntry]] = [:]
        for entry in entries {
            let now = try cohorts(ofTree: entry.commit.tree)
            guard !now.isEmpty else { continue }
            var before: [[String: CohortContent]] = []
            for parent in entry.commit.parents {
                guard let tree = trees[parent] else { continue }
                before.append(try cohorts(ofTree: tree))
            }
            for (name, content) in now where !before.contains(where: { $0[name] == content }) {
                result[name, default: []].append(entry)
            }
        }
        return result
    }
    /// The cohorts of a commit's model, by ascending name.
    ///
    /// - Complexity: With cohorts, reads the commits that lead to it.
    package mutating func histories(of head: ObjectID) throws -> [CohortHistory] {
        let tree = try store.commit(head).tree
        let contents = try cohorts(ofTree: tree)
        guard !contents.isEmpty else { return [] }
        let rounds = try rounds(of: head)
        let evidence = try evidence(try store.parts(ofTree: tree).files)
        return try contents.sorted { isBefore($0.key, $1.key) }.map { name, content in
            let description = try content.tensors[CohortTensorName.description(of: name)].map {
                try store.data(of: $0.id).1
            }
            return CohortHistory(
                name: name,
                // What cannot be read tells so where it is run.
                kind: description.flatMap {
                    (try? CohortDescription($0, of: name))?.kind.rawValue
                },
                content: content, evidence: evidence.count { $0.cohort == name },
                rounds: rounds[name] ?? [])
        }
    }
}
