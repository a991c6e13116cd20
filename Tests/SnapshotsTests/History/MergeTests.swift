import Elements
import Objects
import Snapshots
import TestSupport
import Testing

/// Commits `models` as branches that all start from `base`; main stays at the base.
func branches(
    _ store: SnapshotStore, from base: SyntheticModel, _ models: [SyntheticModel]
) throws -> (base: ObjectID, heads: [ObjectID]) {
    let root = try store.commit(base, time: 1).id
    var heads: [ObjectID] = []
    for (index, model) in models.enumerated() {
        heads.append(
            try store.commit(
                model, to: "branch\(index)", parents: [root], time: Int64(10 + index),
                startingBranch: true
            ).id)
    }
    return (root, heads)
}

/// Merges `branch1…` into `branch0` in a new store.
func merged(
    _ base: SyntheticModel, _ models: [SyntheticModel], _ policy: (any ConflictPolicy)? = nil
) throws -> (outcome: MergeOutcome, model: SyntheticModel?) {
    try withStore { store in
        let heads = try branches(store, from: base, models).heads
        let outcome = try store.merge(
            Array(heads.dropFirst()), into: "branch0", policy: policy, note: .sample(time: 50))
        let model = try outcome.commit.map { try store.model(at: $0) }
        #expect(try store.faults().isEmpty)
        #expect((model == nil) == (try store.references().branches["branch0"] == heads[0]))
        return (outcome, model)
    }
}

@Suite("Merges")
struct MergeTests {
    private let base = SyntheticModel.sample(experts: 60)

    private func edited(_ edit: (inout SyntheticModel) -> Void) -> SyntheticModel {
        var model = base
        edit(&model)
        return model
    }

    @Test("changes on one side each are all taken, either way round")
    func oneSided() throws {
        let left = edited {
            $0.edit(1, seed: 1)
            $0.editRow(2, seed: 2)
            $0.trunk["norm"] = .init([16], seed: 3)
            $0.files["a.txt"] = [1]
            $0.pools[.init(1, "left")] = .init(neurons: 3, seed: 4)
            $0.pools[.init(1)]?.experts[40] = nil
        }
        let right = edited {
            $0.edit(30, seed: 5)
            $0.editRow(31, seed: 6)
            $0.trunk["embed"] = nil
            $0.trunk["new"] = .init([5], seed: 7)
            $0.files["config.json"] = nil
            $0.pools[.init(2, "right")] = .init(neurons: 4, seed: 8)
            $0.pools[.init(1)]?.experts[41] = nil
            $0.architecture = "renamed"
        }
        var expected = left
        expected.edit(30, seed: 5)
        expected.editRow(31, seed: 6)
        expected.trunk["embed"] = nil
        expected.trunk["new"] = right.trunk["new"]
        expected.files["config.json"] = nil
        expected.pools[.init(2, "right")] = right.pools[.init(2, "right")]
        expected.pools[.init(1)]?.experts[41] = nil
        expected.architecture = "renamed"
        let forward = try merged(base, [left, right])
        let backward = try merged(base, [right, left])
        #expect(forward.outcome.kind == .merged)
        #expect(forward.model == expected)
        #expect(backward.model == expected)
        #expect(forward.outcome.tree == backward.outcome.tree)
        #expect(forward.outcome.conflicts.isEmpty && forward.outcome.resolved.isEmpty)
    }

    @Test("the same change on both sides is taken once")
    func sameChange() throws {
        let both = edited {
            $0.edit(1, seed: 1)
            $0.editRow(2, seed: 2)
            $0.trunk["norm"] = nil
            $0.pools[.init(9, "same")] = .init(neurons: 2, seed: 3)
        }
        let left = edited {
            $0 = both; $0.edit(7, seed: 9)
        }
        #expect(try merged(base, [left, both]).model == left)
    }

    @Test("different changes of one thing are conflicts, and nothing is written")
    func conflicts() throws {
        let left = edited {
            $0.edit(1, seed: 1)
            $0.edit(9, seed: 1)
            $0.editRow(2, seed: 2)
            $0.trunk["norm"] = .init([16], seed: 3)
            $0.trunk["embed"] = nil
            $0.files["config.json"] = [1]
            $0.pools[.init(1)]?.experts[5] = nil
            $0.pools[.init(4, "both")] = .init(neurons: 2, width: 4, seed: 3)
        }
        let right = edited {
            $0.edit(1, seed: 11)
            $0.edit(5, seed: 12)
            $0.editRow(2, seed: 13)
            $0.trunk["norm"] = .init([16], seed: 14)
            $0.trunk["embed"] = .init([64, 16], seed: 15)
            $0.files["config.json"] = [2]
            $0.pools[.init(4, "both")] = .init(neurons: 2, width: 5, seed: 3)
        }
        let outcome = try merged(base, [left, right]).outcome
        #expect(outcome.kind == .conflicts)
        #expect(outcome.tree == nil)
        #expect(
            outcome.conflicts.map(\.entity.description) == [
                "file config.json", "trunk embed", "trunk norm", "expert 1/base/1",
                "expert 1/base/5", "router row 1/base/keys[2]", "pool 4/both",
            ])
        #expect(outcome.conflicts.allSatisfy { $0.sides == [0, 1] })
    }

    @Test("the policies ours and theirs settle every conflict and are recorded")
    func policies() throws {
        let left = edited {
            $0.edit(1, seed: 1)
            $0.editRow(2, seed: 2)
            $0.trunk["norm"] = nil
            $0.pools[.init(1)]?.experts[5] = nil
        }
        let right = edited {
            $0.edit(1, seed: 11)
            $0.edit(5, seed: 12)
            $0.editRow(2, seed: 13)
            $0.trunk["norm"] = .init([16], seed: 14)
        }
        let ours = try merged(base, [left, right], OursPolicy())
        #expect(ours.model == left)
        #expect(ours.outcome.resolved.count == 4)
        #expect(try merged(base, [left, right], TheirsPolicy()).model == right)
        try withStore { store in
            let heads = try branches(store, from: base, [left, right]).heads
            let outcome = try store.merge(
                [heads[1]], into: "branch0", policy: TheirsPolicy(), note: .sample())
            let commit = try store.commit(try #require(outcome.commit))
            #expect(commit.metadata["merge.policy"] == "theirs")
            #expect(commit.metadata["merge.resolved"] == "4")
            #expect(commit.parents == heads)
            #expect(try store.reflog(of: "heads/branch0").first?.note.message == "merge: a round")
        }
    }

    @Test("pools that two sides added under one name unite where they agree")
    func sharedPool() throws {
        let left = edited { $0.pools[.init(1, "new")] = .init(neurons: 3, seed: 4) }
        let right = edited {
            $0.pools[.init(1, "new")] = .init(neurons: 3, seed: 4)
            $0.pools[.init(1, "new")]?.experts.append(noise(128, 5))
        }
        let result = try merged(base, [left, right])
        #expect(result.model == right)
    }

    @Test("a dry run decides and writes nothing")
    func dryRun() throws {
        try withStore { store in
            let left = edited { $0.edit(1, seed: 1) }
            let right = edited { $0.edit(2, seed: 2) }
            let heads = try branches(store, from: base, [left, right]).heads
            let before = try store.references().branches
            let trial = try store.merge(
                [heads[1]], into: "branch0", policy: nil, note: .sample(), dryRun: true)
            #expect(trial.kind == .merged && trial.commit == nil)
            #expect(try store.references().branches == before)
            let real = try store.merge([heads[1]], into: "branch0", policy: nil, note: .sample())
            #expect(real.tree == trial.tree)
        }
    }

    @Test("an n-way merge does not depend on the order or the pairing")
    func octopus() throws {
        let models = (0..<3).map { index in
            edited {
                $0.edit(index * 10, seed: index)
                $0.editRow(index * 10, seed: index)
                $0.pools[.init(1, "round\(index)")] = .init(neurons: 2, seed: index)
            }
        }
        let all = try merged(base, models)
        #expect(all.outcome.kind == .merged)
        for order in [[1, 2, 0], [2, 0, 1], [0, 2, 1]] {
            #expect(try merged(base, order.map { models[$0] }).outcome.tree == all.outcome.tree)
        }
        try withStore { store in
            let heads = try branches(store, from: base, models).heads
            _ = try store.merge([heads[2]], into: "branch1", policy: nil, note: .sample(time: 60))
            let middle = try #require(try store.references().branches["branch1"])
            let last = try store.merge([middle], into: "branch0", policy: nil, note: .sample())
            #expect(last.tree == all.outcome.tree)
        }
    }
}
