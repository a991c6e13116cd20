internal import Elements
package import Objects
package import Snapshots

extension SnapshotStore {
    /// Commits a branch's model with single experts, router rows, tensors or files from anywhere, without
    /// a merge.
    ///
    /// - Parameter places: `REV:ENTITY` each, in any order.
    /// - Throws: `.notFound`, `.badShape`, `.usage`; then nothing is committed.
    package func restore(
        _ places: [String], _ request: CommitRequest
    ) throws -> (model: CommittedModel, plan: RestorePlan) {
        guard !places.isEmpty else {
            throw CambiumError(.usage, "name what to restore, for example main~1:1/17")
        }
        let target = try CommitTarget(request, self)
        let (parent, before) = try target.model()
        var plan = RestorePlan(self, before, branch: target.branch)
        for place in places { try plan.add(place) }
        var request = request
        request.note.metadata["restore.from"] = try recordedText(plan.sources.sorted(by: isBefore))
        // What is compared with the branch's model replaces parts of this very model.
        request.expectedParent = request.expectedParent ?? parent.hex
        let chosen = plan
        return (try commit(request) { patch in try chosen.put(into: &patch) }, plan)
    }
}

/// What is taken from where, checked against the model that it goes into.
package struct RestorePlan {
    /// What changes on the branch.
    package struct Item: Sendable {
        package let entity: MergeEntity
        package let from: ObjectID
        /// The object's id there; of a router's row, that of the whole tensor.
        package let object: ObjectID
    }

    private struct Row: Hashable {
        let tensor: String
        let row: Int
    }

    private let store: SnapshotStore
    private let target: Tree
    private let branch: String
    /// The ids of the target's experts, by the root of their array.
    private var arrays: [ObjectID: [ObjectID]] = [:]
    private var experts: [MergeEntity: ObjectID] = [:]
    private var tensors: [String: StoredTensor] = [:]
    private var rows: [Row: (tensor: StoredTensor, bytes: [UInt8])] = [:]
    private var files: [String: ObjectID] = [:]
    /// What the commit records.
    private(set) var sources: Set<String> = []
    package private(set) var items: [Item] = []
    package private(set) var alike = 0

    init(_ store: SnapshotStore, _ target: Tree, branch: String) {
        self.store = store
        self.target = target
        self.branch = branch
    }

    mutating func add(_ place: String) throws {
        guard let colon = place.firstIndex(of: ":") else {
            throw CambiumError(
                .usage,
                "'\(place)' names a whole model: add what to take, for example \(place):1/17")
        }
        let revision = colon == place.startIndex ? "HEAD" : String(place[..<colon])
        let pattern = try EntityPattern(String(place[place.index(after: colon)...]))
        let commit = try store.resolve(revision)
        let tree = try store.tree(try store.commit(commit).tree)
        let count = items.count + alike
        switch pattern.form {
        case .architecture:
            throw CambiumError(
                .usage, "an architecture is not taken alone; merge, or reset the branch")
        case .experts(let layers, let pools, let ordinals):
            try addExperts(layers, pools, ordinals, tree, commit, place)
        case .rows(let layers, let pools, let numbers):
            try addRows(numbers, tree, commit, place) { layer, pool, _ in
                layers.contains(layer) && pools.matches(pool)
            }
        case .tensorRows(let name, let numbers):
            try addRows(numbers, tree, commit, place) { _, _, tensor in name.matches(tensor) }
        case .tensors(let name): try addTensors(name, tree, commit)
        case .files(let name): try addFiles(name, tree, commit)
        case .names(let name):
            try addTensors(name, tree, commit)
            try addFiles(name, tree, commit)
        case .pools(let layers, let pools):
            try addExperts(layers, pools, .all, tree, commit, place)
            for (number, layer) in tree.layers where layers.contains(Int(number)) {
                for (pool, experts) in layer.pools where pools.matches(pool) {
                    for name in experts.router.keys {
                        try addTensors(Wildcard(name[...]), tree, commit)
                    }
                }
            }
        }
        guard items.count + alike > count else {
            throw CambiumError(
                .notFound,
                "there is no \(pattern) in \(revision); `cambium ls \(revision) --trunk` lists what is"
            )
        }
        sources.insert("\(pattern) from \(commit.hex)")
    }

    private mutating func addExperts(
        _ layers: NumberSet, _ pools: Wildcard, _ ordinals: NumberSet, _ tree: Tree,
        _ commit: ObjectID, _ place: String
    ) throws {
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key })
        where layers.contains(Int(number)) {
            for (name, pool) in layer.pools.sorted(by: { isBefore($0.key, $1.key) })
            where pools.matches(name) {
                let ids = try self.ids(pool)
                // A row that is absent is zeros, and as good as any.
                let isRow = pool.kind == .row
                let count = isRow ? Int(clamping: pool.count) : ids.count
                if let greatest = ordinals.greatest, greatest >= count {
                    throw CambiumError(
                        .notFound,
                        "there is no expert \(greatest) in \(number)/\(name) of '\(place)', which has "
                            + "\(count)")
                }
                let own = try counterpart(of: name, number, like: pool, place)
                let mine = try self.ids(own)
                let end = isRow && ordinals.greatest == nil ? max(ids.count, mine.count) : count
                for ordinal in ordinals.numbers(below: end) {
                    let entity = MergeEntity.expert(layer: number, pool: name, ordinal: ordinal)
                    let id = ordinal < ids.count ? ids[ordinal] : .zero
                    if isRow {
                        let now = ordinal < mine.count ? mine[ordinal] : .zero
                        // Among many those that are nowhere are not worth a word.
                        if id == .zero, now == .zero, ordinals.single == nil { continue }
                        try note(
                            entity, id, experts.updateValue(id, forKey: entity), commit, now == id)
                        continue
                    }
                    guard id != .zero else {
                        // Named by its number it is an error, among many it is passed over.
                        guard ordinals.single == nil else {
                            throw CambiumError(
                                .notFound, "'\(place)': expert \(entity.path) was removed there")
                        }
                        continue
                    }
                    guard ordinal < mine.count else {
                        throw CambiumError(
                            .badShape,
                            "'\(place)' is expert \(ordinal) of \(number)/\(name), which has "
                                + "\(mine.count) experts on '\(branch)'; `cambium expert add` adds one "
                                + "with its row of the router")
                    }
                    try note(
                        entity, id, experts.updateValue(id, forKey: entity), commit,
                        mine[ordinal] == id)
                }
            }
        }
    }

    /// The target's pool, which must have experts of the same form.
    private func counterpart(
        of name: String, _ layer: UInt32, like pool: ExpertPool, _ place: String
    ) throws -> ExpertPool {
        guard let own = target.layers[layer]?.pools[name] else {
            throw CambiumError(
                .badShape,
                "'\(place)' has no place on '\(branch)', whose model has no pool \(layer)/\(name); a "
                    + "merge brings whole pools")
        }
        guard pool.kind != .row || own.count == pool.count else {
            throw CambiumError(
                .badShape,
                "'\(place)' is one of \(pool.count) rows; \(layer)/\(name) has \(own.count) on '\(branch)', where "
                    + "the hash gives others")
        }
        guard own.kind == pool.kind, own.parts == pool.parts else {
            throw CambiumError(
                .badShape,
                "'\(place)' is of kind \(pool.kind), \(pool.parts); the experts of \(layer)/\(name) on "
                    + "'\(branch)' are of kind \(own.kind), \(own.parts)")
        }
        return own
    }

    private mutating func ids(_ pool: ExpertPool) throws -> [ObjectID] {
        if let known = arrays[pool.experts] { return known }
        let ids = try store.experts(of: pool)
        arrays[pool.experts] = ids
        return ids
    }

    private mutating func addRows(
        _ numbers: NumberSet, _ tree: Tree, _ commit: ObjectID, _ place: String,
        where isMeant: (Int, String, String) -> Bool
    ) throws {
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            for (pool, experts) in layer.pools.sorted(by: { isBefore($0.key, $1.key) }) {
                for (name, entry) in experts.router.sorted(by: { isBefore($0.key, $1.key) })
                where isMeant(Int(number), pool, name) {
                    let (count, size) = Snapshots.rows(of: entry.shape)
                    let wanted = numbers.numbers(below: count)
                    guard !wanted.isEmpty else { continue }
                    guard let own = target.layers[number]?.pools[pool]?.router[name],
                        own.shape.type == entry.shape.type,
                        Snapshots.rows(of: own.shape).size == size
                    else {
                        throw CambiumError(
                            .badShape,
                            "'\(place)': \(name) is \(entry.shape); "
                                + (target.layers[number]?.pools[pool]?.router[name].map {
                                    "on '\(branch)' it is \($0.shape)"
                                } ?? "the model of '\(branch)' has no such tensor"))
                    }
                    let (bytes, mine) = (try data(entry.id), try data(own.id))
                    for row in wanted {
                        let range = (row * size)..<((row + 1) * size)
                        guard range.upperBound <= mine.count, range.upperBound <= bytes.count else {
                            throw CambiumError(
                                .badShape,
                                "'\(place)': \(name) has no row \(row) on '\(branch)', where it is "
                                    + "\(own.shape)")
                        }
                        let value = Array(bytes[range])
                        let entity = MergeEntity.routerRow(
                            layer: number, pool: pool, tensor: name, row: row)
                        let old = rows.updateValue(
                            (entry, value), forKey: Row(tensor: name, row: row))
                        try note(
                            entity, entry.id, old.map { $0.bytes == value ? entry.id : .zero },
                            commit, Array(mine[range]) == value)
                    }
                }
            }
        }
    }

    private mutating func addTensors(_ name: Wildcard, _ tree: Tree, _ commit: ObjectID) throws {
        for (tensor, entry) in tree.tensors where name.matches(tensor) {
            guard let own = target.tensors[tensor], own.shape == entry.shape else {
                throw CambiumError(
                    .badShape,
                    "\(tensor) of \(commit.short) is \(entry.shape); "
                        + (target.tensors[tensor].map { "on '\(branch)' it is \($0.shape)" }
                            ?? "the model of '\(branch)' has no such tensor"))
            }
            let old = tensors.updateValue(entry, forKey: tensor)?.id
            try note(.trunk(tensor), entry.id, old, commit, own == entry)
        }
    }

    private mutating func addFiles(_ name: Wildcard, _ tree: Tree, _ commit: ObjectID) throws {
        for (file, id) in tree.files.sorted(by: { isBefore($0.key, $1.key) })
        where name.matches(file) {
            try note(
                .file(file), id, files.updateValue(id, forKey: file), commit,
                target.files[file] == id)
        }
    }

    /// Counts what was named, and refuses a second content for one thing.
    private mutating func note(
        _ entity: MergeEntity, _ id: ObjectID, _ known: ObjectID?, _ commit: ObjectID,
        _ isAlike: Bool
    ) throws {
        if let known {
            guard known == id else {
                throw CambiumError(
                    .usage,
                    "\(entity.path) was named twice, with different content; nothing was changed: "
                        + "leave one of them out")
            }
            return
        }
        if isAlike {
            alike += 1
        } else {
            items.append(Item(entity: entity, from: commit, object: id))
        }
    }

    private func data(_ id: ObjectID) throws -> [UInt8] {
        try store.data(of: id).1
    }

    /// Puts everything into a patch of the target; what is read is checked against its name first.
    func put(into patch: inout ModelPatch) throws {
        for (entity, id) in experts {
            guard case .expert(let layer, let pool, let ordinal) = entity,
                let own = target.layers[layer]?.pools[pool], let mine = arrays[own.experts],
                (ordinal < mine.count ? mine[ordinal] : .zero) != id
            else { continue }
            if id == .zero {
                try patch.remove(expert: ordinal, layer: Int(layer), pool: pool)
                continue
            }
            try patch.put(expert: ordinal, layer: Int(layer), pool: pool, try data(id))
        }
        for (name, entry) in tensors where target.tensors[name] != entry {
            try patch.put(tensor: name, try data(entry.id))
        }
        for (name, some) in Dictionary(grouping: rows, by: \.key.tensor) {
            var bytes = try data(try patch.tensor(named: name).id)
            for (place, value) in some {
                let start = place.row * value.bytes.count
                bytes.replaceSubrange(start..<(start + value.bytes.count), with: value.bytes)
            }
            try patch.put(tensor: name, bytes)
        }
        for (name, id) in files where target.files[name] != id {
            let bytes = try data(id)
            patch.draft.tree.files[name] = try patch.draft.put(.file, bytes)
        }
    }
}
