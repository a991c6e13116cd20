import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

/// A store and what it must hold, driven by the same random operations.
struct RandomOperations {
    let path: String
    var store: SnapshotStore
    var random: SeededGenerator
    /// The model of every commit that was ever made.
    var models: [ObjectID: SyntheticModel] = [:]
    var branches: [String: ObjectID] = [:]
    var tags: [String: ObjectID] = [:]
    /// A snapshot that somebody has mapped for a while, and what it must hold.
    var held: (snapshot: MappedSnapshot, model: SyntheticModel)?
    var clock: Int64 = 0
    /// Merges with more than one base.
    var crissCrosses = 0
    /// Packs that were compressed.
    var compressed = 0
    /// Names with the step at which each operation ran, for failures.
    var log: [String] = []

    init(_ path: String, _ random: SeededGenerator) throws {
        try SnapshotStore.create(at: path)
        self.path = path
        self.random = random
        store = try SnapshotStore.open(path)
        let model = SyntheticModel.sample(experts: 200)
        let id = try store.commit(model, time: 0).id
        models[id] = model
        branches["main"] = id
        // A history that was compressed again and again is where chains are.
        for _ in 0..<4 {
            clock += 1
            try commit("main", #require(branches["main"])) { Self.train(&$0, &$1) }
            try repack(compress: true)
        }
    }

    private mutating func pick<Value>(_ table: [String: Value]) -> (key: String, value: Value)? {
        let keys = table.keys.sorted()
        guard let key = keys.randomElement(using: &random), let value = table[key] else {
            return nil
        }
        return (key, value)
    }

    private var note: ReflogNote { ReflogNote(time: clock, author: "", message: "") }

    mutating func step() throws {
        clock += 1
        guard let (branch, head) = pick(branches) else { return }
        let dice = Int.random(in: 0..<100, using: &random)
        log.append("\(clock): \(dice) on \(branch)")
        switch dice {
        case 0..<16: try commit(branch, head) { Self.edit(&$0, &$1) }
        case 16..<26: try commit(branch, head) { Self.train(&$0, &$1) }
        case 26..<34: try commit(branch, head) { Self.step(&$0, &$1) }
        case 34..<40: try patch(branch, head)
        case 40..<44: try goBack(branch)
        case 44..<51: try fork(head)
        case 51..<54: try tag(head)
        case 54..<62: try merge(branch, head)
        case 62..<67: try crissCross(branch, head)
        case 67..<70: try reset(branch, head)
        case 70..<74: try remove(branch, head)
        case 74..<78: try hold()
        case 78..<85: _ = try store.collect(prune: true, now: clock, grace: clock % 2 * 20)
        case 85..<87: try reopen()
        case 87..<89: try repack(compress: false)
        default: try repack(compress: true)
        }
    }

    /// Commits the branch's model with changes.
    private mutating func commit(
        _ branch: String, _ head: ObjectID,
        _ change: (inout SyntheticModel, inout SeededGenerator) -> Void
    ) throws {
        guard var model = models[head] else { return }
        change(&model, &random)
        let outcome = try store.commit(model, to: branch, time: clock)
        models[outcome.id] = model
        branches[branch] = outcome.id
    }

    /// A step of training: a third of the experts, and one file, change in their low bits.
    private static func train(_ model: inout SyntheticModel, _ random: inout SeededGenerator) {
        let place = SyntheticModel.Place(1)
        let count = model.pools[place]?.experts.count ?? 0
        for ordinal in stride(from: Int.random(in: 0..<3, using: &random), to: count, by: 3) {
            guard var bytes = model.pools[place]?.experts[ordinal] else { continue }
            for offset in stride(from: 0, to: bytes.count, by: 4) {
                bytes[offset] &+= UInt8.random(in: 0...7, using: &random)
            }
            model.pools[place]?.experts[ordinal] = bytes
        }
        model.files["state"] = random.bytes(20)
    }

    /// A step that changes a few elements of everything.
    private static func step(_ model: inout SyntheticModel, _ random: inout SeededGenerator) {
        model.step(seed: Int.random(in: 0..<1_000_000, using: &random), every: 30)
    }

    private static func edit(_ model: inout SyntheticModel, _ random: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 1...12, using: &random) { editOnce(&model, &random) }
    }

    /// Commits changes of experts by ordinal, as a patch does, without staging the whole model.
    private mutating func patch(_ branch: String, _ head: ObjectID) throws {
        let place = SyntheticModel.Place(1)
        guard var model = models[head], let pool = model.pools[place] else { return }
        var draft = try CommitDraft(store, tree: store.tree(store.commit(head).tree))
        let header = try ObjectHeader(pool.kind, pool.parts)
        var changes: [Int: ObjectID] = [:]
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            let ordinal = Int.random(in: 0..<pool.experts.count, using: &random)
            let bytes = random.bytes(128)
            model.pools[place]?.experts[ordinal] = bytes
            changes[ordinal] = try draft.put(header, bytes.raw)
        }
        var edited = try #require(draft.tree.layers[1]?.pools[ExpertPool.base])
        let array = try draft.putExperts(changing: edited.experts, changes)
        edited.experts = array.root
        draft.tree.layers[1]?.pools[ExpertPool.base] = edited
        let outcome = try draft.commit(
            to: branch, parents: [head], note: .sample(time: clock, "patch"))
        models[outcome.id] = model
        branches[branch] = outcome.id
    }

    /// Commits a model that was there before, perhaps of a commit that was collected.
    private mutating func goBack(_ branch: String) throws {
        guard let id = models.keys.sorted().randomElement(using: &random), let model = models[id]
        else { return }
        let outcome = try store.commit(model, to: branch, time: clock)
        models[outcome.id] = model
        branches[branch] = outcome.id
    }

    private static func editOnce(_ model: inout SyntheticModel, _ random: inout SeededGenerator) {
        let seed = Int.random(in: 0..<100_000, using: &random)
        let place = SyntheticModel.Place(1)
        let count = model.pools[place]?.experts.count ?? 0
        let ordinal = Int.random(in: 0..<count, using: &random)
        switch Int.random(in: 0..<20, using: &random) {
        case 0: model.trunk["norm"] = .init([16], seed: seed)
        case 1: model.trunk["t\(seed % 5)"] = seed % 2 == 0 ? nil : .init([20, 900], seed: seed)
        case 2: model.files["f\(seed % 3)"] = noise(seed % 200, seed)
        case 3, 4: model.editRow(seed % 200, seed: seed)
        case 5:
            model.pools[.init(2, "c\(seed % 4)")] =
                seed % 3 == 0 ? nil : .init(neurons: 5, seed: seed)
        case 6:
            // The last one must not be absent, and the router keeps its rows.
            if ordinal < count - 1 { model.pools[place]?.experts[ordinal] = nil }
        case 7: model.pools[place]?.experts.append(noise(128, seed))
        default: model.pools[place]?.experts[ordinal] = noise(128, seed)
        }
    }

    private mutating func fork(_ head: ObjectID) throws {
        let name = "b\(clock)"
        try store.createReference(.branch, name, at: head, by: note)
        branches[name] = head
    }

    private mutating func tag(_ head: ObjectID) throws {
        let name = "v\(clock)"
        try store.createReference(.tag, name, at: head, by: note)
        tags[name] = head
    }

    private mutating func merge(_ branch: String, _ head: ObjectID) throws {
        guard let (_, other) = pick(branches) else { return }
        try merge(other, into: branch, head)
    }

    private mutating func merge(
        _ other: ObjectID, into branch: String, _ head: ObjectID
    ) throws {
        let bases = try store.mergeBases(head, other)
        let outcome = try store.merge(
            [other], into: branch, policy: OursPolicy(),
            note: CommitNote(time: clock, author: "", message: "merge"))
        switch outcome.kind {
        case .upToDate: #expect(bases == [other])
        case .fastForward: branches[branch] = other
        case .conflicts: Issue.record("a policy settles every conflict")
        case .merged:
            let id = try #require(outcome.commit)
            let before = bases.compactMap { models[$0] }
            #expect(before.count == bases.count && !bases.isEmpty)
            let left = try #require(models[head])
            let right = try #require(models[other])
            models[id] = mergeReference(before, left, right)
            branches[branch] = id
            if bases.count > 1 { crissCrosses += 1 }
        }
    }

    /// A second branch from this one; both change, merge each other, change again and merge: the last
    /// merge has two bases.
    private mutating func crissCross(_ branch: String, _ head: ObjectID) throws {
        let other = "x\(clock)"
        try store.createReference(.branch, other, at: head, by: note)
        branches[other] = head
        for _ in 0..<2 {
            try commit(branch, #require(branches[branch])) { Self.train(&$0, &$1) }
            try commit(other, #require(branches[other])) { Self.edit(&$0, &$1) }
            let (left, right) = (try #require(branches[branch]), try #require(branches[other]))
            try merge(right, into: branch, left)
            try merge(left, into: other, right)
        }
    }

    private mutating func reset(_ branch: String, _ head: ObjectID) throws {
        guard let (_, other) = pick(branches) else { return }
        try store.moveReference(.branch, branch, from: head, to: other, by: note)
        branches[branch] = other
    }

    private mutating func remove(_ branch: String, _ head: ObjectID) throws {
        guard branch != "main" else { return }
        try store.moveReference(.branch, branch, from: head, to: nil, by: note)
        branches[branch] = nil
    }

    /// Maps a random commit for the next steps, or lets go of the one that is mapped.
    private mutating func hold() throws {
        guard held == nil, let (_, head) = pick(branches), let model = models[head] else {
            held = nil
            return
        }
        held = (try store.map(head), model)
    }

    private mutating func reopen() throws {
        store = try SnapshotStore.open(path)
    }

    private mutating func repack(compress: Bool) throws {
        held = nil
        // A stand-in, so that the store itself is closed meanwhile.
        let aside = path + "-aside"
        try SnapshotStore.create(at: aside)
        store = try SnapshotStore.open(aside)
        let report = try SnapshotStore.repack(path, compress: compress)
        compressed += report.compression?.packs ?? 0
        store = try SnapshotStore.open(path)
        removeTree(aside)
        try expectTrueDepths(store)
    }

    /// Compares the references, and the models of all commits that they lead to.
    func check() throws {
        let references = try store.references()
        #expect(references.branches == branches)
        #expect(references.tags == tags)
        let tips = Array(Set(branches.values).union(tags.values))
        for entry in try store.history(from: tips) {
            let isSame = try store.model(at: entry.id) == models[entry.id]
            #expect(isSame, "\(entry.id.short) of \(entry.commit.time)")
        }
        if let held {
            let isSame = try held.snapshot.model(in: store) == held.model
            #expect(isSame, "a mapped snapshot")
        }
        #expect(try store.faults().isEmpty)
    }
}

/// Fails unless each compressed pack notes the depth that it has, and none lies too deep.
func expectTrueDepths(_ store: SnapshotStore) throws {
    try store.environment.read { transaction in
        let chains = try PackChains(transaction)
        try transaction.scan(store.environment.table("packs")) {
            key, record in
            let number = UInt32(PackFormat.number(key))
            let pack = try Pack(number: number, record: record)
            #expect(chains.depth(of: number) == pack.notedDepth, "pack \(number)")
            #expect(pack.notedDepth <= Pack.greatestDepth)
            return true
        }
    }
}

/// The merge of two models in memory, "ours" where they conflict.
///
/// A value gives way where every base has it, so that the other side alone changed it.
func mergeReference(
    _ bases: [SyntheticModel], _ left: SyntheticModel, _ right: SyntheticModel
) -> SyntheticModel {
    func settle<Value: Equatable>(_ bases: [Value], _ left: Value, _ right: Value) -> Value {
        bases.allSatisfy { $0 == left } ? right : left
    }
    func settle<Key, Value: Equatable>(
        _ bases: [[Key: Value]], _ left: [Key: Value], _ right: [Key: Value]
    ) -> [Key: Value] {
        var result: [Key: Value] = [:]
        for key in (bases + [left, right]).reduce(Set<Key>(), { $0.union($1.keys) }) {
            result[key] = settle(bases.map { $0[key] }, left[key], right[key])
        }
        return result
    }
    func row(_ tensor: SyntheticModel.Tensor, _ index: Int) -> [UInt8] {
        Array(tensor.bytes[(32 * index)..<(32 * index + 32)])
    }
    var result = left
    result.files = settle(bases.map(\.files), left.files, right.files)
    result.trunk = settle(bases.map(\.trunk), left.trunk, right.trunk)
    result.pools = settle(bases.map(\.pools), left.pools, right.pools)
    for (place, pool) in left.pools {
        guard let other = right.pools[place] else { continue }
        let before = bases.map { $0.pools[place] }
        var merged = pool
        let count = (before + [pool, other]).map { $0?.experts.count ?? 0 }.max() ?? 0
        func expert(_ pool: SyntheticModel.Pool?, _ ordinal: Int) -> [UInt8]? {
            guard let pool, ordinal < pool.experts.count else { return nil }
            return pool.experts[ordinal]
        }
        merged.experts = (0..<count).map { ordinal in
            settle(
                before.map { expert($0, ordinal) }, expert(pool, ordinal), expert(other, ordinal))
        }
        while let last = merged.experts.last, last == nil { merged.experts.removeLast() }
        let old = before.compactMap { $0?.router["keys"] }
        if old.count == bases.count, let mine = pool.router["keys"],
            let theirs = other.router["keys"],
            (old + [theirs]).allSatisfy({ $0.shape == mine.shape })
        {
            let rows = (0..<(mine.bytes.count / 32)).map { index in
                settle(old.map { row($0, index) }, row(mine, index), row(theirs, index))
            }
            merged.router["keys"]?.bytes = rows.flatMap { $0 }
        } else {
            merged.router = settle(before.map { $0?.router ?? [:] }, pool.router, other.router)
        }
        result.pools[place] = merged
    }
    return result
}
