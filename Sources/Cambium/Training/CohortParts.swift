internal import Architectures
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Snapshots

/// What a tree has of one cohort that rounds made: tensors of the trunk, and experts of layers.
struct CohortContent: Equatable {
    var tensors: [String: StoredTensor] = [:]
    var pools: [UInt32: Cohort] = [:]

    /// Numbers that were trained: the tensors' and experts', without the description.
    var parameters: Int {
        var count = tensors.values.filter { $0.shape.type != .u8 }.reduce(0) {
            $0 + $1.shape.dimensions.reduce(1, *)
        }
        for pool in pools.values {
            let expert = pool.parts.reduce(0) { $0 + $1.dimensions.reduce(1, *) }
            count += expert * Int(clamping: pool.count)
            count += pool.router.values.reduce(0) { $0 + $1.shape.dimensions.reduce(1, *) }
        }
        return count
    }

    /// Bytes of the data.
    var bytes: Int {
        var count = tensors.values.reduce(0) { $0 + ($1.shape.byteCount ?? 0) }
        for pool in pools.values {
            let expert = pool.parts.reduce(0) { $0 + ($1.byteCount ?? 0) }
            count += expert * Int(clamping: pool.count)
            count += pool.router.values.reduce(0) { $0 + ($1.shape.byteCount ?? 0) }
        }
        return count
    }

    var experts: Int { pools.values.reduce(0) { $0 + Int(clamping: $1.count) } }
}

/// Tells the cohorts of trees apart, each trunk, layer and record of evidence read once.
struct CohortReader {
    private let store: Store
    private var trunks: [ObjectID: [String: [String: StoredTensor]]] = [:]
    private var layers: [ObjectID: [String: Cohort]] = [:]
    private var trees: [ObjectID: [String: CohortContent]] = [:]
    private var records: [ObjectID: String] = [:]

    init(_ store: Store) { self.store = store }

    /// The cohorts of a stored tree, by name; the base is none of them.
    mutating func cohorts(ofTree id: ObjectID) throws -> [String: CohortContent] {
        if let known = trees[id] { return known }
        let store = store
        let parts = try store.snapshots.parts(ofTree: id)
        if trunks[parts.trunk] == nil {
            trunks[parts.trunk] = Self.tensors(
                try store.snapshots.trunk(parts.trunk))
        }
        var result: [String: CohortContent] = [:]
        for (name, tensors) in trunks[parts.trunk] ?? [:] {
            result[name] = CohortContent(tensors: tensors)
        }
        for (number, layer) in parts.layers {
            if layers[layer] == nil {
                layers[layer] = try store.snapshots.layer(layer).cohorts.filter {
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
    static func tensors(_ trunk: Trunk) -> [String: [String: StoredTensor]] {
        var result: [String: [String: StoredTensor]] = [:]
        let names = trunk.tensors.keys.compactMap { CohortTensorName.cohort(describedBy: $0) }
        guard !names.isEmpty else { return [:] }
        for (tensor, entry) in trunk.tensors where tensor.hasPrefix(CohortTensorName.prefix) {
            // Names of cohorts may have dots: the longest that fits is meant.
            let name = names.filter { tensor.hasPrefix("\(CohortTensorName.prefix)\($0).") }
                .max { $0.utf8.count < $1.utf8.count }
            if let name { result[name, default: [:]][tensor] = entry }
        }
        return result
    }

    /// The records of evidence among a tree's files, and the cohort that each belongs to.
    mutating func evidence(
        _ files: [String: ObjectID]
    ) throws -> [(name: String, id: ObjectID, cohort: String)] {
        var result: [(name: String, id: ObjectID, cohort: String)] = []
        for (name, id) in files.sorted(by: { isBefore($0.key, $1.key) })
        where name.hasPrefix(EvidenceName.prefix) {
            if records[id] == nil {
                let store = store
                let bytes = try store.snapshots.data(of: id).1
                records[id] = try counted(.corrupt) {
                    try EvidenceRecord(decoding: bytes).cohort
                }
            }
            result.append((name, id, records[id] ?? Cohort.base))
        }
        return result
    }

    /// Whether a stored tree has weights or evidence of a cohort.
    mutating func has(_ cohort: String, inTree id: ObjectID) throws -> Bool {
        if try cohorts(ofTree: id)[cohort] != nil { return true }
        let store = store
        let files = try store.snapshots.parts(ofTree: id).files
        return try evidence(files).contains { $0.cohort == cohort }
    }

    /// The commits that made the cohorts of a commit what they are, newest first: those in which a cohort is
    /// not what it is in any parent.
    mutating func rounds(
        of head: ObjectID
    ) throws -> [String: [HistoryEntry]] {
        let store = store
        let entries = try store.snapshots.history(from: [head])
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
}
