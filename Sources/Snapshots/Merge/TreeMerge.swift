internal import Elements
internal import KeyValue
internal import Objects

/// Merges model trees entity by entity into the tree of a draft.
struct TreeMerge: ~Copyable {
    let bases: MergeBases
    let sides: [Tree]
    private let policy: (any ConflictPolicy)?
    let form: (any MergeForm)?
    private let decisions: (any ConflictDecisions)?
    private let store: SnapshotStore
    var draft: CommitDraft
    private(set) var conflicts: [MergeConflict] = []
    var resolved: [MergeConflict] = []
    /// Router tensors that were made of rows of several sides, of routers that are not floats alone, by their ids.
    private var made: [ObjectID: [UInt8]] = [:]
    /// What the form has to say in the commit's metadata.
    private(set) var formNotes: [String: String] = [:]

    init(
        _ store: SnapshotStore, bases: MergeBases, sides: [Tree],
        policy: (any ConflictPolicy)?, decisions: (any ConflictDecisions)? = nil,
        form: (any MergeForm)? = nil
    ) throws {
        self.form = form
        self.store = store
        self.bases = bases
        self.sides = sides
        self.policy = policy
        self.decisions = decisions
        draft = try CommitDraft(store, tree: sides[0])
    }

    /// Decides about every entity.
    ///
    /// Afterwards the draft's tree is the merged one, unless conflicts are left.
    mutating func run() throws {
        let before = bases.trees
        draft.tree.architecture =
            try settle(
                .architecture, before.map(\.architecture), sides.map(\.architecture), parts: [],
                bytes: { Array($0.utf8) }, value: { String(decoding: $0, as: UTF8.self) })
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
            draft.tree.files[name] = try settleFile(name)
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
            for name in names({ $0.layers[number]?.pools ?? [:] }) {
                let pool = try settlePool(number, name)
                if let pool {
                    draft.tree.layers[number, default: Layer()].pools[name] = pool
                }
            }
        }
        if let form, conflicts.isEmpty {
            formNotes = try form.settle(MergeTrees(bases, sides, made: made), &draft)
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
    mutating func stageTree() throws -> ObjectID { try draft.stageTree() }

    consuming func commit(
        to branch: String, parents: [ObjectID], note: CommitNote, keepsUnchanged: Bool = true
    ) throws -> CommitOutcome {
        try draft.commit(
            to: branch, parents: parents, note: note, keepsUnchanged: keepsUnchanged)
    }

    // MARK: - Pools

    /// Whether experts of a pool are of one form in all trees, so that they merge one by one.
    static func isAlike(_ before: [ExpertPool?], _ values: [ExpertPool?]) -> Bool {
        guard let shape = values.compactMap({ $0 }).first else { return false }
        return values.allSatisfy { $0 != nil && $0?.routerKind == shape.routerKind }
            && (shape.routerKind != .hash || values.allSatisfy { $0?.count == shape.count })
            && (values + before).allSatisfy {
                $0.map { $0.kind == shape.kind && $0.parts == shape.parts } ?? true
            }
    }

    private mutating func settlePool(
        _ layer: UInt32, _ name: String
    ) throws -> ExpertPool? {
        let before = bases.trees.map { $0.layers[layer]?.pools[name] }
        let values = sides.map { $0.layers[layer]?.pools[name] }
        guard case .conflict(let changed) = bases.decide(before, sides: values) else {
            if case .settled(let pool) = bases.decide(before, sides: values) { return pool }
            return nil
        }
        let entity = MergeEntity.pool(layer: layer, pool: name)
        guard let shape = values.compactMap({ $0 }).first,
            Self.isAlike(before, values)
        else {
            // Removed on one side and changed on another, or made of different experts.
            let conflict = MergeConflict(
                entity, changed, versions: values.map { $0?.experts },
                bases: before.map { $0?.experts })
            guard case .side(let side) = try choose(conflict) else { return values[changed[0]] }
            return values[side]
        }
        var merged = shape
        let experts = try settleExperts(layer, name, shape, before, values.compactMap { $0 })
        merged.replace(by: experts)
        merged.router = [:]
        let tensors = (values + before).reduce(Set<String>()) {
            $0.union($1.map { Array($0.router.keys) } ?? [])
        }
        let hasOtherNumbers = values.contains { pool in
            pool?.router.values.contains { ![.f32, .f16, .bf16].contains($0.shape.type) } == true
        }
        for tensor in tensors.sorted(by: isBefore) {
            merged.router[tensor] = try settleRouter(
                layer, name, tensor, before.map { $0?.router[tensor] },
                values.map { $0?.router[tensor] }, isKept: hasOtherNumbers)
        }
        return merged
    }

    private mutating func settleExperts(
        _ layer: UInt32, _ name: String, _ shape: ExpertPool, _ before: [ExpertPool?],
        _ values: [ExpertPool]
    ) throws -> (root: ObjectID, count: Int) {
        let changes = try store.environment.read { transaction in
            try ExpertChanges(before, values, transaction)
        }
        var result: [Int: ObjectID] = [:]
        for change in changes.changes {
            let entity = MergeEntity.expert(layer: layer, pool: name, ordinal: change.ordinal)
            result[change.ordinal] =
                try settleObject(
                    entity, change.bases, change.sides, shape.kind, parts: shape.parts) ?? .zero
        }
        return try draft.putExperts(changing: changes.reference, result)
    }

    // MARK: - Router tensors, row by row

    /// - Parameter isKept: Whether the form is given the bytes that are made.
    private mutating func settleRouter(
        _ layer: UInt32, _ pool: String, _ name: String, _ before: [StoredTensor?],
        _ values: [StoredTensor?], isKept: Bool
    ) throws -> StoredTensor? {
        guard case .conflict = bases.decide(before, sides: values) else {
            if case .settled(let entry) = bases.decide(before, sides: values) { return entry }
            return nil
        }
        let all = (before + values).compactMap { $0 }
        guard let shape = all.first?.shape, all.count == before.count + values.count,
            all.allSatisfy({ $0.shape == shape })
        else {
            return try settleTensor(
                .router(layer: layer, pool: pool, tensor: name), before, values)
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
                layer: layer, pool: pool, tensor: name, row: row)
            let slices = data.map { Array($0[range]) }
            let value = try settle(
                entity, Array(slices.prefix(before.count)), Array(slices.suffix(values.count)),
                versions: values.map { $0?.id }, bases: before.map { $0?.id },
                parts: elements.byteCount == rows.size ? [elements] : [], bytes: { $0 },
                value: { $0 })
            merged.replaceSubrange(range, with: value)
        }
        let entry = try draft.putTensor(shape, merged.raw, after: values[0])
        if isKept { made[entry.id] = merged }
        return entry
    }

    // MARK: - Single values

    private mutating func settleTensor(
        _ entity: MergeEntity, _ before: [StoredTensor?], _ values: [StoredTensor?]
    ) throws -> StoredTensor? {
        guard case .conflict(let changed) = bases.decide(before, sides: values) else {
            if case .settled(let entry) = bases.decide(before, sides: values) { return entry }
            return nil
        }
        guard let shape = values.compactMap({ $0 }).first?.shape,
            values.allSatisfy({ $0 == nil || $0?.shape == shape })
        else {
            let conflict = MergeConflict(
                entity, changed, versions: values.map { $0?.id }, bases: before.map { $0?.id })
            guard case .side(let side) = try choose(conflict) else { return values[changed[0]] }
            return values[side]
        }
        let id = try settleObject(
            entity, before.map { $0?.shape == shape ? $0?.id : nil }, values.map { $0?.id },
            .tensor, parts: [shape])
        return id.map { StoredTensor(shape: shape, id: $0) }
    }

    /// Settles an entity that is one object, staging a new object when the policy makes one.
    mutating func settleObject(
        _ entity: MergeEntity, _ before: [ObjectID?], _ values: [ObjectID?], _ kind: ObjectKind,
        parts: [TensorShape]
    ) throws -> ObjectID? {
        guard case .conflict(let changed) = bases.decide(before, sides: values) else {
            if case .settled(let value) = bases.decide(before, sides: values) { return value }
            return nil
        }
        let conflict = MergeConflict(entity, changed, versions: values, bases: before)
        let store = store
        // A row that is absent is zeros, and the other way round.
        let absent =
            kind == .row
            ? [UInt8](repeating: 0, count: try ObjectHeader(kind, parts).payloadCount) : nil
        let choice = try choose(conflict, parts: parts) { id in
            try id.map { id in try store.data(of: id).1 } ?? absent
        }
        switch choice {
        case .left: return values[changed[0]]
        case .side(let side): return values[side]
        case .made(let bytes):
            let header =
                parts.isEmpty
                ? try ObjectHeader(kind, byteCount: bytes.count)
                : try ObjectHeader(kind, parts)
            guard header.payloadCount == bytes.count else {
                throw CambiumError(
                    .incompatible,
                    "policy '\(policy?.name ?? "")' made \(bytes.count) bytes for \(entity), which "
                        + "takes \(header.payloadCount)")
            }
            if kind == .row, bytes.raw.isZero { return nil }
            return try draft.put(header, bytes.raw, after: values[0].map { .object($0) })
        }
    }

    /// Settles a value that is compared by its content.
    ///
    /// - Parameters:
    ///   - versions: The objects that the values are, or are part of, by side.
    ///   - bases: The same of the bases.
    private mutating func settle<Value: Hashable>(
        _ entity: MergeEntity, _ before: [Value], _ values: [Value], versions: [ObjectID?] = [],
        bases objects: [ObjectID?] = [], parts: [TensorShape], bytes: (Value) -> [UInt8],
        value: ([UInt8]) -> Value
    ) throws -> Value {
        switch bases.decide(before, sides: values) {
        case .settled(let value): return value
        case .conflict(let changed):
            let conflict = MergeConflict(entity, changed, versions: versions, bases: objects)
            let candidates = changed.map { ConflictValue(side: $0, bytes: bytes(values[$0])) }
            let old = Set(before).count == 1 ? bytes(before[0]) : nil
            switch try settlement(of: conflict) {
            case .side(let side): return values[note(conflict, side: side)]
            case .policy(let policy):
                switch apply(policy, conflict, parts, candidates, base: old) {
                case .left: return values[changed[0]]
                case .side(let side): return values[side]
                case .made(let bytes): return value(bytes)
                }
            case nil:
                conflicts.append(conflict)
                return values[changed[0]]
            }
        }
    }

    /// What became of a conflict.
    enum Choice {
        /// Nothing settles it.
        case left
        /// A side's value, by the side's index.
        case side(Int)
        /// A new value.
        case made([UInt8])
    }

    /// Settles a conflict between objects; notes it as resolved or as left.
    ///
    /// - Parameter data: Reads an object, for a policy that looks at the bytes; nil where there are
    ///   none that could be compared.
    mutating func choose(
        _ conflict: MergeConflict, parts: [TensorShape] = [],
        data: ((ObjectID?) throws -> [UInt8]?)? = nil
    ) throws -> Choice {
        guard let settlement = try settlement(of: conflict) else {
            conflicts.append(conflict)
            return .left
        }
        switch settlement {
        case .side(let side): return .side(note(conflict, side: side))
        case .policy(let policy):
            let read = policy.takesSide ? nil : data
            var candidates: [ConflictValue] = []
            for side in conflict.sides {
                candidates.append(
                    ConflictValue(side: side, bytes: try read?(conflict.versions[side])))
            }
            let old = Set(conflict.bases).count == 1 ? try read?(conflict.bases[0]) : nil
            return apply(policy, conflict, parts, candidates, base: old)
        }
    }

    /// What was decided about an entity, else the policy of the merge.
    func settlement(
        of conflict: MergeConflict
    ) throws -> ConflictSettlement? {
        try decisions?.settlement(of: conflict.entity) ?? policy.map { .policy($0) }
    }

    /// Notes that a side's value was taken by name, and returns the side.
    private mutating func note(_ conflict: MergeConflict, side: Int) -> Int {
        resolved.append(conflict.settled(by: nil, taken: side))
        return side
    }

    /// Asks a policy; notes the conflict as resolved or as left.
    private mutating func apply(
        _ policy: any ConflictPolicy, _ conflict: MergeConflict, _ parts: [TensorShape],
        _ candidates: [ConflictValue], base: [UInt8]?
    ) -> Choice {
        guard
            let value = policy.resolve(
                conflict.entity, parts: parts, base: base, values: candidates)
        else {
            conflicts.append(conflict)
            return .left
        }
        guard let bytes = value.bytes, !policy.takesSide else {
            resolved.append(conflict.settled(by: policy.name, taken: value.side))
            return .side(value.side)
        }
        resolved.append(conflict.settled(by: policy.name, taken: nil))
        return .made(bytes)
    }

    private func names<Value>(_ table: (Tree) -> [String: Value]) -> [String] {
        (bases.trees + sides).reduce(Set<String>()) { $0.union(table($1).keys) }
            .sorted(by: isBefore)
    }
}
