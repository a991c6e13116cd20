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
    var clock: Int64 = 0
    /// Names with the step at which each operation ran, for failures.
    var log: [String] = []

    init(_ path: String, _ random: SeededGenerator) throws {
        try SnapshotStore.create(at: path)
        self.path = path
        self.random = random
        store = try SnapshotStore.open(path)
        let model = SyntheticModel.sample(experts: 60)
        let id = try store.commit(model, time: 0).id
        models[id] = model
        branches["main"] = id
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
        case 0..<40: try commit(branch, head)
        case 40..<50: try fork(head)
        case 50..<55: try tag(head)
        case 55..<70: try merge(branch, head)
        case 70..<76: try reset(branch, head)
        case 76..<82: try remove(branch, head)
        case 82..<92: _ = try store.collect(prune: true, now: clock, grace: clock % 2 * 20)
        case 92..<97: try reopen()
        default: try repack()
        }
    }

    private mutating func commit(_ branch: String, _ head: ObjectID) throws {
        guard var model = models[head] else { return }
        for _ in 0..<Int.random(in: 1...12, using: &random) { edit(&model) }
        let outcome = try store.commit(model, to: branch, time: clock)
        models[outcome.id] = model
        branches[branch] = outcome.id
    }

    private mutating func edit(_ model: inout SyntheticModel) {
        let seed = Int.random(in: 0..<100_000, using: &random)
        let place = SyntheticModel.Place(1)
        let count = model.pools[place]?.experts.count ?? 0
        let ordinal = Int.random(in: 0..<count, using: &random)
        switch Int.random(in: 0..<20, using: &random) {
        case 0: model.trunk["norm"] = .init([16], seed: seed)
        case 1: model.trunk["t\(seed % 5)"] = seed % 2 == 0 ? nil : .init([20, 900], seed: seed)
        case 2: model.files["f\(seed % 3)"] = noise(seed % 200, seed)
        case 3, 4: model.editRow(seed % 60, seed: seed)
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
            let merged = try store.model(at: id)
            if bases.count == 1, let base = models[bases[0]], let left = models[head],
                let right = models[other]
            {
                #expect(merged == mergeReference(base, left, right))
            }
            models[id] = merged
            branches[branch] = id
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

    private mutating func reopen() throws {
        store = try SnapshotStore.open(path)
    }

    private mutating func repack() throws {
        // A stand-in, so that the store itself is closed meanwhile.
        let aside = path + "-aside"
        try SnapshotStore.create(at: aside)
        store = try SnapshotStore.open(aside)
        _ = try SnapshotStore.repack(path)
        store = try SnapshotStore.open(path)
        removeTree(aside)
    }

    /// Compares the references, and the models of all commits that they lead to.
    func check() throws {
        let references = try store.references()
        #expect(references.branches == branches)
        #expect(references.tags == tags)
        let tips = Array(Set(branches.values).union(tags.values))
        for entry in try store.history(from: tips) {
            #expect(try store.model(at: entry.id) == models[entry.id])
        }
        #expect(try store.faults().isEmpty)
    }
}

/// The three-way merge of two models in memory, "ours" where they conflict.
func mergeReference(
    _ base: SyntheticModel, _ left: SyntheticModel, _ right: SyntheticModel
) -> SyntheticModel {
    func settle<Value: Equatable>(_ base: Value, _ left: Value, _ right: Value) -> Value {
        left == base ? right : left
    }
    func settle<Key, Value: Equatable>(
        _ base: [Key: Value], _ left: [Key: Value], _ right: [Key: Value]
    ) -> [Key: Value] {
        var result: [Key: Value] = [:]
        for key in Set(base.keys).union(left.keys).union(right.keys) {
            result[key] = settle(base[key], left[key], right[key])
        }
        return result
    }
    func row(_ tensor: SyntheticModel.Tensor, _ index: Int) -> [UInt8] {
        Array(tensor.bytes[(32 * index)..<(32 * index + 32)])
    }
    var result = left
    result.files = settle(base.files, left.files, right.files)
    result.trunk = settle(base.trunk, left.trunk, right.trunk)
    result.pools = settle(base.pools, left.pools, right.pools)
    for (place, pool) in left.pools {
        guard let other = right.pools[place] else { continue }
        let before = base.pools[place]
        var merged = pool
        let count = max(pool.experts.count, other.experts.count, before?.experts.count ?? 0)
        func expert(_ pool: SyntheticModel.Pool?, _ ordinal: Int) -> [UInt8]? {
            guard let pool, ordinal < pool.experts.count else { return nil }
            return pool.experts[ordinal]
        }
        merged.experts = (0..<count).map {
            settle(expert(before, $0), expert(pool, $0), expert(other, $0))
        }
        while let last = merged.experts.last, last == nil { merged.experts.removeLast() }
        if let old = before?.router["keys"], let mine = pool.router["keys"],
            let theirs = other.router["keys"], mine.shape == theirs.shape
        {
            let rows = (0..<(mine.bytes.count / 32)).map {
                settle(row(old, $0), row(mine, $0), row(theirs, $0))
            }
            merged.router["keys"]?.bytes = rows.flatMap { $0 }
        } else {
            merged.router = settle(before?.router ?? [:], pool.router, other.router)
        }
        result.pools[place] = merged
    }
    return result
}
