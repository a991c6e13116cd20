import Elements
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Merges and history")
struct MergeHistoryTests {
    private let base = SyntheticModel.sample(experts: 40)

    private func edited(_ from: SyntheticModel, _ ordinal: Int, _ seed: Int) -> SyntheticModel {
        var model = from
        model.edit(ordinal, seed: seed)
        return model
    }

    @Test("what is merged already is up to date; what is ahead is a fast-forward")
    func trivial() throws {
        try withStore { store in
            let first = try store.commit(base, time: 1).id
            try store.createReference(.branch, "old", at: first, by: .sample)
            let second = try store.commit(edited(base, 1, 1), time: 2).id
            let upToDate = try store.merge([first], into: "main", policy: nil, note: .sample())
            #expect(upToDate.kind == .upToDate && upToDate.commit == nil)
            #expect(
                try store.merge([second], into: "main", policy: nil, note: .sample()).kind
                    == .upToDate)
            let trial = try store.merge(
                [second], into: "old", policy: nil, note: .sample(), dryRun: true)
            #expect(trial.kind == .fastForward)
            #expect(try store.references().branches["old"] == first)
            let forward = try store.merge([second], into: "old", policy: nil, note: .sample())
            #expect(forward.kind == .fastForward && forward.commit == second)
            #expect(try store.references().branches["old"] == second)
        }
    }

    @Test("merging the same branch twice changes nothing")
    func twice() throws {
        try withStore { store in
            let heads = try branches(store, from: base, [edited(base, 1, 1), edited(base, 2, 2)])
                .heads
            let first = try store.merge([heads[1]], into: "branch0", policy: nil, note: .sample())
            let again = try store.merge([heads[1]], into: "branch0", policy: nil, note: .sample())
            #expect(again.kind == .upToDate)
            #expect(again.tree == first.tree)
        }
    }

    @Test("histories without a common commit are refused")
    func unrelated() throws {
        try withStore { store in
            try store.commit(base)
            let other = try store.commit(edited(base, 1, 1), to: "other", parents: []).id
            #expect(
                code {
                    try store.merge([other], into: "main", policy: nil, note: .sample())
                } == .unrelated)
            #expect(
                code {
                    try store.merge([other], into: "none", policy: nil, note: .sample())
                } == .notFound)
        }
    }

    /// What broke: with the common ancestor of all sides as the only base, a side's change that
    /// another side built upon was a conflict, though merging in pairs had none.
    @Test("an n-way merge knows that one side builds on what another changed")
    func nested() throws {
        try withStore { store in
            let root = try store.commit(base, time: 1).id
            let shared = edited(base, 5, 1)
            let middle = try store.commit(
                shared, to: "middle", parents: [root], time: 2, startingBranch: true
            ).id
            let built = try store.commit(
                edited(shared, 5, 2), to: "built", parents: [middle], time: 3,
                startingBranch: true
            ).id
            let beside = try store.commit(
                edited(shared, 6, 3), to: "beside", parents: [middle], time: 4,
                startingBranch: true
            ).id
            try store.commit(edited(base, 7, 4), time: 5)
            let outcome = try store.merge(
                [built, beside], into: "main", policy: nil, note: .sample())
            #expect(outcome.kind == .merged)
            let expected = edited(edited(edited(base, 5, 2), 6, 3), 7, 4)
            #expect(try store.model(at: try #require(outcome.commit)) == expected)
        }
    }

    /// Two branches that merged each other: two merge bases, neither an ancestor of the other.
    private func crissCross(
        _ store: SnapshotStore, _ left: SyntheticModel, _ right: SyntheticModel
    ) throws -> (left: ObjectID, right: ObjectID) {
        let heads = try branches(store, from: base, [left, right]).heads
        let both = try store.merge(
            [heads[1]], into: "branch0", policy: OursPolicy(), note: .sample(time: 60))
        let back = try store.merge(
            [heads[0]], into: "branch1", policy: OursPolicy(), note: .sample(time: 61))
        #expect(try store.mergeBases(both.commit ?? .zero, back.commit ?? .zero) == heads.sorted())
        return (both.commit ?? .zero, back.commit ?? .zero)
    }

    /// What broke: one expert on which the bases disagree made every expert of its pool a
    /// conflict when it changed on one side only.
    @Test("criss-cross histories merge what only one side changed since")
    func crissCrossClean() throws {
        try withStore { store in
            let (left, right) = try crissCross(store, edited(base, 1, 1), edited(base, 2, 2))
            let both = edited(edited(base, 1, 1), 2, 2)
            let one = try store.commit(
                edited(both, 3, 3), to: "branch0", parents: [left], time: 70
            ).id
            try store.commit(edited(both, 4, 4), to: "branch1", parents: [right], time: 71)
            let outcome = try store.merge([one], into: "branch1", policy: nil, note: .sample())
            #expect(outcome.kind == .merged)
            #expect(outcome.bases.count == 2)
            #expect(
                try store.model(at: try #require(outcome.commit))
                    == edited(edited(both, 3, 3), 4, 4))
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("where the bases of a criss-cross disagree, sides that differ are in conflict")
    func crissCrossConflict() throws {
        try withStore { store in
            // Each side settled expert 1 its own way.
            let (left, _) = try crissCross(store, edited(base, 1, 1), edited(base, 1, 2))
            let outcome = try store.merge([left], into: "branch1", policy: nil, note: .sample())
            #expect(outcome.kind == .conflicts)
            #expect(
                outcome.conflicts.map(\.entity) == [
                    .expert(layer: 1, pool: "base", ordinal: 1)
                ])
        }
    }

    @Test("a policy that makes bytes of the wrong length is refused")
    func badPolicy() throws {
        struct Short: ConflictPolicy {
            let name = "short"
            func resolve(
                _ entity: MergeEntity, parts: [Elements.TensorShape], base: [UInt8]?,
                values: [ConflictValue]
            ) -> ConflictValue? { ConflictValue(side: 0, bytes: [1]) }
        }
        try withStore { store in
            let heads = try branches(store, from: base, [edited(base, 1, 1), edited(base, 1, 2)])
                .heads
            #expect(
                code {
                    try store.merge([heads[1]], into: "branch0", policy: Short(), note: .sample())
                } == .incompatible)
        }
    }

    @Test("reverting a commit takes back what it changed and keeps what came later")
    func revert() throws {
        try withStore { store in
            try store.commit(base, time: 1)
            let bad = try store.commit(edited(base, 1, 1), time: 2).id
            try store.commit(edited(edited(base, 1, 1), 2, 2), time: 3)
            let outcome = try store.revert(
                bad, parent: 1, on: "main", policy: nil, note: .sample(time: 4))
            #expect(outcome.kind == .merged)
            #expect(try store.model(at: try #require(outcome.commit)) == edited(base, 2, 2))
            #expect(try store.faults().isEmpty)
        }
    }
}
