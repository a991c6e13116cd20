internal import KeyValue
internal import Objects

/// What damaged objects are to their users: experts, tensors or files, of which revisions and branches.
///
/// Built only when something is damaged: it follows the whole history once.
struct DamageOwners {
    /// What a fault is about.
    enum Subject: Hashable {
        case object(ObjectID)
        case pack(UInt32)
        case array(ObjectID)
    }

    /// Names and commits of one subject, in the order in which they were met.
    private struct Found {
        var names: [String] = []
        var trees: [ObjectID] = []
        private var known: Set<String> = []

        mutating func add(_ name: String, _ tree: ObjectID) {
            if known.insert(name).inserted { names.append(name) }
            if trees.last != tree { trees.append(tree) }
        }
    }

    private var found: [Subject: Found] = [:]
    private var commits: [ObjectID: [ObjectID]] = [:]
    private var branches: [ObjectID: [String]] = [:]

    /// - Parameters:
    ///   - subjects: What is damaged.
    ///   - places: Of the damaged objects in packs that can be read.
    ///   - packs: The packs that can be read.
    init(
        _ subjects: Set<Subject>, places: [Location: ObjectID], packs: [UInt32: Pack],
        _ roots: [ObjectID], _ transaction: borrowing ReadTransaction
    ) {
        guard let reader = try? ObjectReader(transaction) else { return }
        var held: [ObjectID: Subject] = [:]
        for subject in subjects {
            switch subject {
            case .object(let id): held[id] = subject
            case .pack(let number):
                guard let pack = packs[number] else { continue }
                for index in 0..<pack.count { held[pack.id(index)] = subject }
            case .array: break
            }
        }
        let references = try? References(transaction)
        var named = (references?.branches ?? [:]).map { ("branch \($0.key)", $0.value) }
        named += (references?.tags ?? [:]).map { ("tag \($0.key)", $0.value) }
        named += (references?.remotes ?? [:]).map { ("remote branch \($0.key)", $0.value) }
        named.sort { $0.0.utf8.lexicographicallyPrecedes($1.0.utf8) }
        var arrays = DamagedArrays(subjects, places)
        var parents: [ObjectID: [ObjectID]] = [:]
        var stack = roots
        while let id = stack.popLast() {
            guard parents[id] == nil else { continue }
            parents[id] = []
            if let subject = held[id] {
                found[subject, default: Found()].add("commit \(id.short)", id)
                commits[id] = [id]
            }
            guard let commit = try? SnapshotStore.commit(id, reader, transaction) else { continue }
            parents[id] = commit.parents
            stack += commit.parents
            commits[commit.tree, default: []].append(id)
            guard commits[commit.tree]?.count == 1 else { continue }
            add(commit.tree, held, &arrays, reader, transaction)
        }
        // Only the commits that hold something damaged are looked for.
        let wanted = Set(found.values.flatMap(\.trees).flatMap { commits[$0] ?? [] })
        for (name, head) in named {
            var seen: Set<ObjectID> = []
            var stack = [head]
            while let id = stack.popLast() {
                guard seen.insert(id).inserted else { continue }
                if wanted.contains(id) { branches[id, default: []].append(name) }
                stack += parents[id] ?? []
            }
        }
    }

    /// Notes what a tree has of the damaged objects.
    private mutating func add(
        _ id: ObjectID, _ held: [ObjectID: Subject], _ arrays: inout DamagedArrays,
        _ reader: ObjectReader, _ transaction: borrowing ReadTransaction
    ) {
        func note(_ object: ObjectID, _ name: String) {
            guard let subject = held[object] else { return }
            found[subject, default: Found()].add(name, id)
        }
        note(id, "the tree \(id.short)")
        guard let record = try? SnapshotStore.treeRecord(id, reader, transaction) else { return }
        for (name, file) in sortedByKey(record.files) { note(file, "file \(name)") }
        if let layout = record.layout { note(layout, "the layout") }
        note(record.trunk, "the list of tensors")
        for (number, layer) in record.layers.sorted(by: { $0.key < $1.key }) {
            note(layer, "the list of pools of layer \(number)")
        }
        guard let tree = try? SnapshotStore.tree(id, reader, transaction) else { return }
        for (name, tensor) in sortedByKey(tree.trunk.tensors) { note(tensor.id, "tensor \(name)") }
        for (number, layer) in tree.layers.sorted(by: { $0.key < $1.key }) {
            for (name, pool) in sortedByKey(layer.pools) {
                let place = name == "base" ? "\(number)" : "\(number)/\(name)"
                for (name, tensor) in sortedByKey(pool.router) {
                    note(tensor.id, "router tensor \(name) of \(place)")
                }
                for (subject, ordinal) in arrays.hits(in: pool.experts, transaction) {
                    let name = ordinal.map { "expert \(place)/\($0)" } ?? "the experts of \(place)"
                    found[subject, default: Found()].add(name, id)
                }
            }
        }
    }

    /// What a subject is and where: "expert 1/17, in 76755a24 and 12 more, on branch main"; nil when
    /// no revision has it.
    func text(_ subject: Subject) -> String? {
        guard let found = found[subject] else { return nil }
        let revisions = found.trees.flatMap { commits[$0] ?? [] }
        var names: [String] = []
        for revision in revisions {
            for name in branches[revision] ?? [] where !names.contains(name) { names.append(name) }
        }
        let places = Self.list(found.names, most: 4)
        let held = revisions.isEmpty ? "" : ", in \(Self.list(revisions.map(\.short), most: 3))"
        return places + held + (names.isEmpty ? "" : ", on \(Self.list(names, most: 4))")
    }

    /// The first of some words, and how many more there are.
    private static func list(_ words: [String], most: Int) -> String {
        let shown = words.prefix(most).joined(separator: ", ")
        return words.count > most ? "\(shown) and \(words.count - most) more" : shown
    }
}

/// Which ordinals of expert arrays lead to damaged objects, by the records that name them.
private struct DamagedArrays {
    private let subjects: Set<DamageOwners.Subject>
    private let places: [Location: ObjectID]
    /// Of each record that was looked at, its own entries that lead to damage.
    private var own: [ObjectID: [(subject: DamageOwners.Subject, ordinal: Int)]] = [:]

    init(_ subjects: Set<DamageOwners.Subject>, _ places: [Location: ObjectID]) {
        self.subjects = subjects
        self.places = places
    }

    /// The damaged experts of an array, and with nil its own damage.
    mutating func hits(
        in root: ObjectID, _ transaction: borrowing ReadTransaction
    ) -> [(subject: DamageOwners.Subject, ordinal: Int?)] {
        var hits: [(subject: DamageOwners.Subject, ordinal: Int?)] = []
        guard let view = try? ArrayView(root, transaction) else {
            return subjects.contains(.array(root)) ? [(.array(root), nil)] : []
        }
        for (index, record) in view.chain.enumerated() {
            if subjects.contains(.array(record.root)) { hits.append((.array(record.root), nil)) }
            for (subject, ordinal) in entries(record) where ordinal < view.count {
                // A newer record may have put another expert there.
                let isReplaced = view.chain[..<index].contains {
                    $0.change(of: ordinal) != nil
                }
                if !isReplaced { hits.append((subject, ordinal)) }
            }
        }
        return hits.sorted { ($0.ordinal ?? -1) < ($1.ordinal ?? -1) }
    }

    private mutating func entries(
        _ record: ArrayRecord
    ) -> [(subject: DamageOwners.Subject, ordinal: Int)] {
        if let known = own[record.root] { return known }
        var found: [(subject: DamageOwners.Subject, ordinal: Int)] = []
        for index in 0..<(record.isFull ? record.count : record.changeCount) {
            let entry = record.isFull ? record.entry(index) : record.changedEntry(index)
            guard !entry.isAbsent else { continue }
            let ordinal = record.isFull ? index : record.changedOrdinal(index)
            if let id = places[entry.location] {
                found.append((.object(id), ordinal))
            } else if subjects.contains(.pack(entry.location.pack)) {
                found.append((.pack(entry.location.pack), ordinal))
            }
        }
        own[record.root] = found
        return found
    }
}
