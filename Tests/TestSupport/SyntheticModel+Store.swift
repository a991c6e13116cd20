internal import Elements
internal import KeyValue
package import Objects
package import Snapshots

extension SyntheticModel {
    /// Stages the whole model in a draft and sets the draft's tree.
    ///
    /// What the draft's tree has at the same place is what an object takes the place of. The order in which the
    /// objects are put must not matter.
    package func stage(
        in draft: inout CommitDraft, reversed: Bool = false
    ) throws {
        let before = draft.tree
        var tree = Tree(architecture: architecture)
        func ordered<Element>(_ elements: [Element]) -> [Element] {
            reversed ? elements.reversed() : elements
        }
        if let layout { tree.layout = try draft.put(.layout, layout.encoded) }
        for name in ordered(files.keys.sorted()) {
            tree.files[name] = try draft.put(.file, files[name] ?? [])
        }
        for place in ordered(pools.keys.sorted()) {
            guard let pool = pools[place] else { continue }
            tree.layers[place.layer, default: Layer()].pools[place.pool] =
                try pool.stage(
                    in: &draft, after: before.layers[place.layer]?.pools[place.pool],
                    reversed: reversed)
        }
        for name in ordered(trunk.keys.sorted()) {
            guard let tensor = trunk[name] else { continue }
            tree.trunk.tensors[name] = try draft.putTensor(
                tensor.shape, tensor.bytes.raw, after: before.trunk.tensors[name])
        }
        draft.tree = tree
    }
}

extension SyntheticModel.Pool {
    func stage(
        in draft: inout CommitDraft, after before: ExpertPool?, reversed: Bool
    ) throws -> ExpertPool {
        let header = try ObjectHeader(kind, parts)
        var versions = [Predecessor?](repeating: nil, count: experts.count)
        if let before, before.kind == kind, before.parts == parts {
            versions = try draft.versions(ofArray: before.experts, 0..<experts.count)
        }
        var ids = [ObjectID](repeating: .zero, count: experts.count)
        for ordinal in reversed ? experts.indices.reversed() : Array(experts.indices) {
            guard let bytes = experts[ordinal] else { continue }
            ids[ordinal] = try draft.put(header, bytes.raw, after: versions[ordinal])
        }
        var entries: [String: StoredTensor] = [:]
        for (name, tensor) in router {
            entries[name] = try draft.putTensor(
                tensor.shape, tensor.bytes.raw, after: before?.router[name])
        }
        return ExpertPool(
            kind: kind, parts: parts, count: UInt64(experts.count),
            experts: draft.putExperts(ids), routerKind: .productKey, router: entries)
    }
}

extension SnapshotStore {
    /// Commits a model on top of `parents` (by default: where the branch is).
    @discardableResult
    package func commit(
        _ model: SyntheticModel, to branch: String = "main", parents: [ObjectID]? = nil,
        time: Int64 = 1_000, message: String = "a round", reversed: Bool = false,
        startingBranch: Bool = false
    ) throws -> CommitOutcome {
        let head = try references().branches[branch]
        let first = parents?.first ?? head
        let before = try first.map { try tree(commit($0).tree) }
        var draft = try CommitDraft(self, tree: before ?? Tree(architecture: ""))
        try model.stage(in: &draft, reversed: reversed)
        return try draft.commit(
            to: branch, parents: parents ?? (head.map { [$0] } ?? []),
            startingBranch: startingBranch, note: .sample(time: time, message))
    }

    /// The model of a commit, every byte read through the mapped records.
    package func model(
        at commit: ObjectID, checks: Bool = false
    ) throws -> SyntheticModel {
        try map(commit).model(in: self, checks: checks)
    }

    /// All packs, by ascending number.
    package func packs() throws -> [Pack] {
        try environment.read { transaction in
            var packs: [Pack] = []
            try transaction.scan(environment.table(ObjectStore.packTable)) { key, record in
                packs.append(try Pack(number: try PackFormat.packNumber(key), record: record))
                return true
            }
            return packs
        }
    }

    /// Puts another record in a pack's place, as damage would.
    package func replacePack(_ number: UInt32, by record: [UInt8]) throws {
        try environment.write("test") { transaction in
            let table = transaction.environment.table(ObjectStore.packTable)
            try transaction.put(table, PackFormat.key(UInt64(number)), record)
        }
    }

    /// Takes a pack's record away, as damage would.
    package func losePack(_ number: UInt64) throws {
        try environment.write("test") { transaction in
            let table = transaction.environment.table(ObjectStore.packTable)
            try transaction.delete(table, PackFormat.key(number))
        }
    }

    /// Every fault of the store, as text; none in a sound one.
    package func faults(fast: Bool = false) throws -> [String] {
        try verify(fast: fast).faults.map { "\($0.subject): \($0.message)" }
    }
}

extension MappedSnapshot {
    /// The whole model, every byte read through the mapped records.
    ///
    /// - Parameter checks: Whether objects are checked against their names, as they are for whatever is
    ///   not only run.
    package func model(
        in store: SnapshotStore, checks: Bool = false
    ) throws -> SyntheticModel {
        func data(_ id: ObjectID) throws -> [UInt8] {
            try checks ? self.data(of: id) : object(id).payload.copy()
        }
        var model = SyntheticModel()
        model.architecture = tree.architecture
        model.layout = try store.layout(of: tree)
        for (name, id) in tree.files {
            model.files[name] = try data(id)
        }
        for (name, entry) in tree.trunk.tensors {
            model.trunk[name] = .init(entry.shape, try data(entry.id))
        }
        for (layer, pools) in tree.layers {
            for (name, stored) in pools.pools {
                var pool = SyntheticModel.Pool(neurons: 0, seed: 0)
                pool.kind = stored.kind
                pool.parts = stored.parts
                pool.router = [:]
                for (tensor, entry) in stored.router {
                    pool.router[tensor] = .init(
                        entry.shape, try data(entry.id))
                }
                if let experts = experts(layer: layer, pool: name) {
                    for ordinal in 0..<experts.count {
                        guard !experts.isAbsent(ordinal) else {
                            pool.experts.append(nil)
                            continue
                        }
                        pool.experts.append(
                            try checks
                                ? experts.data(ordinal) : experts.expert(ordinal).payload.copy())
                    }
                }
                model.pools[.init(layer, name)] = pool
            }
        }
        return model
    }
}

extension CommitNote {
    package static func sample(time: Int64 = 1_000, _ message: String = "a round") -> CommitNote {
        CommitNote(
            time: time, author: "tester", message: message, metadata: ["tokens": "12"],
            metrics: ["bpb": 2.5])
    }
}

extension ReflogNote {
    package static let sample = ReflogNote(time: 1_000, author: "tester", message: "test")
}

/// Runs `body` with a new, empty store.
package func withStore<Result>(
    observer: (@Sendable (String) -> Void)? = nil, _ body: (SnapshotStore) throws -> Result
) throws -> Result {
    try withScratchDirectory { directory in
        try SnapshotStore.create(at: directory + "/store")
        return try body(try SnapshotStore.open(directory + "/store", observer: observer))
    }
}
