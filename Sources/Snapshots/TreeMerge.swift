internal import Elements
internal import KeyValue
internal import Objects

/// Merges model trees entity by entity into the tree of a draft.
struct TreeMerge: ~Copyable {
    private let bases: MergeBases
    private let sides: [Tree]
    private let policy: (any ConflictPolicy)?
    private let form: (any MergeForm)?
    private let store: SnapshotStore
    private(set) var draft: CommitDraft
    private(set) var conflicts: [MergeConflict] = []
    private(set) var resolved: [MergeConflict] = []
    /// What the form has to say in the commit's metadata.
    private(set) var formNotes: [String: String] = [:]

    init(
        _ store: SnapshotStore, bases: MergeBases, sides: [Tree],
        policy: (any ConflictPolicy)?, form: (any MergeForm)? = nil
    ) throws(SnapshotError) {
        self.form = form
        self.store = store
        self.bases = bases
        self.sides = sides
        self.policy = policy
        draft = try CommitDraft(store, tree: sides[0])
    }

    /// Decides about every entity.
    ///
    /// Afterwards the draft's tree is the merged one, unless conflicts are left.
    mutating func run() throws(SnapshotError) {
        let before = bases.trees
        draft.tree.architecture =
            try settle(
                .architecture, before.map(\.architecture), sides.map(\.architecture), parts: [],
                bytes: { Array($0.utf8) }, value: { String(decoding: $0, as: UTF8.self) }) ?? ""
        if form == nil {
            draft.tree.layout = try settleObject(
                .layout, before.map(\.layout), sides.map(\.layout), .layout, parts: [])
        }
        draft.tree.files = [:]
        for name in names({ $0.files }) where form?.files.contains(name) != true {
            if name.hasPrefix(Tree.evidencePrefix) {
                draft.tree.files[name] = unite(
                    before.map { $0.files[name] }, sides.map { $0.files[name] })
                continue
            }
            draft.tree.files[name] = try settleObject(
                .file(name), before.map { $0.files[name] }, sides.map { $0.files[name] }, .file,
                parts: [])
        }
        draft.tree.trunk.tensors = [:]
        for name in names({ $0.trunk.tensors }) {
            draft.tree.trunk.tensors[name] = try settleTensor(
                .trunk(name), before.map { $0.trunk.tensors[name] },
                sides.map { $0.trunk.tensors[name] })
        }
        draft.tree.layers = [:]
        for number in (before + sides).reduce(Set<UInt32>(), { $0.union($1.layers.keys) }).sorted()
        {
            for name in names({ $0.layers[number]?.cohorts ?? [:] }) {
                let cohort = try settleCohort(number, name)
                if let cohort {
                    draft.tree.layers[number, default: Layer()].cohorts[name] = cohort
                }
            }
        }
        if let form, conflicts.isEmpty {
            formNotes = try form.settle(MergeTrees(bases, sides), &draft)
        }
    }

    /// A record of evidence, which is named by its content: there is one value, and no conflict.
    ///
    /// Where the merge bases of a criss-cross history disagree about it, and the sides do, dropped is
    /// dropped.
    private func unite(_ before: [ObjectID?], _ sides: [ObjectID?]) -> ObjectID? {
        guard case .settled(let record) = bases.decide(before, sides: sides) else { return nil }
        return record
    }

    /// The merged tree's id, its records staged.
    mutating func stageTree() throws(SnapshotError) -> ObjectID { try draft.stageTree() }

    consuming func commit(
        to branch: String, parents: [ObjectID], note: CommitNote, keepsUnchanged: Bool = true
    ) throws(SnapshotError) -> CommitOutcome {
        try draft.commit(
            to: branch, parents: parents, note: note, keepsUnchanged: keepsUnchanged)
    }

    // MARK: - Cohorts

    private mutating func settleCohort(
        _ layer: UInt32, _ name: String
    ) throws(SnapshotError) -> Cohort? {
        let before = bases.trees.map { $0.layers[layer]?.cohorts[name] }
        let values = sides.map { $0.layers[layer]?.cohorts[name] }
        guard case .conflict(let changed) = bases.decide(before, sides: values) else {
            if case .settled(let cohort) = bases.decide(before, sides: values) { return cohort }
            return nil
        }
        let entity = MergeEntity.cohort(layer: layer, cohort: name)
        guard let shape = values.compactMap({ $0 }).first,
            values.allSatisfy({ $0 != nil && $0?.routerKind == shape.routerKind }),
            (values + before).allSatisfy({
                $0.map { $0.kind == shape.kind && $0.parts == shape.parts } ?? true
            })
        else {
            // Removed on one side and changed on another, or made of different experts.
            let choice = choose(entity, changed.map { ConflictValue(side: $0, bytes: nil) })
            return choice.flatMap { values[$0.side] }
        }
        var merged = shape
        let experts = try settleExperts(layer, name, shape, before, values.compactMap { $0 })
        merged.count = UInt64(experts.count)
        merged.experts = experts.root
        merged.router = [:]
        let tensors = (values + before).reduce(Set<String>()) {
            $0.union($1.map { Array($0.router.keys) } ?? [])
        }
        for tensor in tensors.sorted(by: isBefore) {
            merged.router[tensor] = try settleRouter(
                layer, name, tensor, before.map { $0?.router[tensor] },
                values.map { $0?.router[tensor] })
        }
        return merged
    }

    private mutating func settleExperts(
        _ layer: UInt32, _ name: String, _ shape: Cohort, _ before: [Cohort?], _ values: [Cohort]
    ) throws(SnapshotError) -> (root: ObjectID, count: Int) {
        let changes = try store.environment.read { (transaction) throws(SnapshotError) in
            try ExpertChanges(before, values, transaction)
        }
        var result: [Int: ObjectID] = [:]
        for change in changes.changes {
            let entity = MergeEntity.expert(layer: layer, cohort: name, ordinal: change.ordinal)
            result[change.ordinal] =
                try settleObject(
                    entity, change.bases, change.sides, shape.kind, parts: shape.parts) ?? .zero
        }
        return try draft.putExperts(changing: changes.reference, result)
    }

    // MARK: - Router tensors, row by row

    private mutating func settleRouter(
        _ layer: UInt32, _ cohort: String, _ name: String, _ before: [StoredTensor?],
        _ values: [StoredTensor?]
    ) throws(SnapshotError) -> StoredTensor? {
        guard case .conflict = bases.decide(before, sides: values) else {
            if case .settled(let entry) = bases.decide(before, sides: values) { return entry }
            return nil
        }
        let all = (before + values).compactMap { $0 }
        guard let shape = all.first?.shape, all.count == before.count + values.count,
            all.allSatisfy({ $0.shape == shape })
        else {
            return try settleTensor(
                .router(layer: layer, cohort: cohort, tensor: name), before, values)
        }
        let rows = rows(of: shape)
        var data: [[UInt8]] = []
        for entry in all { data.append(try store.data(of: entry)) }
        var merged = data[0]
        let elements = TensorShape(
            shape.type, shape.dimensions.count < 2 ? [1] : shape.dimensions.suffix(1))
        for row in 0..<rows.count {
            let range = (row * rows.size)..<((row + 1) * rows.size)
            let entity = MergeEntity.routerRow(
                layer: layer, cohort: cohort, tensor: name, row: row)
            let slices = data.map { Array($0[range]) }
            let value = try settle(
                entity, Array(slices.prefix(before.count)), Array(slices.suffix(values.count)),
                parts: elements.byteCount == rows.size ? [elements] : [], bytes: { $0 },
                value: { $0 })
            if let value { merged.replaceSubrange(range, with: value) }
        }
        return try draft.putTensor(shape, merged.raw)
    }

    // MARK: - Single values

    private mutating func settleTensor(
        _ entity: MergeEntity, _ before: [StoredTensor?], _ values: [StoredTensor?]
    ) throws(SnapshotError) -> StoredTensor? {
        guard case .conflict(let changed) = bases.decide(before, sides: values) else {
            if case .settled(let entry) = bases.decide(before, sides: values) { return entry }
            return nil
        }
        guard let shape = values.compactMap({ $0 }).first?.shape,
            values.allSatisfy({ $0 == nil || $0?.shape == shape })
        else {
            let choice = choose(entity, changed.map { ConflictValue(side: $0, bytes: nil) })
            return choice.flatMap { values[$0.side] }
        }
        let id = try settleObject(
            entity, before.map { $0?.shape == shape ? $0?.id : nil }, values.map { $0?.id },
            .tensor, parts: [shape])
        return id.map { StoredTensor(shape: shape, id: $0) }
    }

    /// Settles an entity that is one object, staging a new object when the policy makes one.
    private mutating func settleObject(
        _ entity: MergeEntity, _ before: [ObjectID?], _ values: [ObjectID?], _ kind: ObjectKind,
        parts: [TensorShape]
    ) throws(SnapshotError) -> ObjectID? {
        guard case .conflict(let changed) = bases.decide(before, sides: values) else {
            if case .settled(let value) = bases.decide(before, sides: values) { return value }
            return nil
        }
        let store = store
        let wanted = policy != nil
        func data(_ id: ObjectID?) throws(SnapshotError) -> [UInt8]? {
            guard wanted, let id else { return nil }
            return try store.data(of: id).1
        }
        var candidates: [ConflictValue] = []
        for side in changed {
            candidates.append(ConflictValue(side: side, bytes: try data(values[side])))
        }
        let old = Set(before).count == 1 ? try data(before[0]) : nil
        guard let choice = choose(entity, candidates, parts: parts, base: old) else {
            return values[changed[0]]
        }
        guard let bytes = choice.bytes else { return nil }
        let header = try wrapped { () throws(ObjectError) in
            parts.isEmpty
                ? try ObjectHeader(kind, byteCount: bytes.count) : try ObjectHeader(kind, parts)
        }
        guard header.payloadCount == bytes.count else {
            throw SnapshotError(
                .incompatible,
                "policy '\(policy?.name ?? "")' made \(bytes.count) bytes for \(entity), which "
                    + "takes \(header.payloadCount)")
        }
        return try draft.put(header, bytes.raw)
    }

    /// Settles a value that is compared by its content.
    private mutating func settle<Value: Hashable>(
        _ entity: MergeEntity, _ before: [Value], _ values: [Value], parts: [TensorShape],
        bytes: (Value) -> [UInt8], value: ([UInt8]) -> Value
    ) throws(SnapshotError) -> Value? {
        switch bases.decide(before, sides: values) {
        case .settled(let value): return value
        case .conflict(let changed):
            let candidates = changed.map { ConflictValue(side: $0, bytes: bytes(values[$0])) }
            let old = Set(before).count == 1 ? bytes(before[0]) : nil
            let choice = choose(entity, candidates, parts: parts, base: old)
            guard let bytes = choice?.bytes else { return values[changed[0]] }
            return value(bytes)
        }
    }

    /// Asks the policy; notes the conflict as resolved or as left.
    private mutating func choose(
        _ entity: MergeEntity, _ candidates: [ConflictValue], parts: [TensorShape] = [],
        base: [UInt8]? = nil
    ) -> ConflictValue? {
        let conflict = MergeConflict(entity: entity, sides: candidates.map(\.side))
        guard
            let choice = policy?.resolve(entity, parts: parts, base: base, values: candidates)
        else {
            conflicts.append(conflict)
            return nil
        }
        resolved.append(conflict)
        return choice
    }

    private func names<Value>(_ table: (Tree) -> [String: Value]) -> [String] {
        (bases.trees + sides).reduce(Set<String>()) { $0.union(table($1).keys) }
            .sorted(by: isBefore)
    }
}
