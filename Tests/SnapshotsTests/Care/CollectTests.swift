import Elements
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Collection")
struct CollectTests {
    private let base = SyntheticModel.sample(experts: 200)

    /// Two commits on main, and one on a branch that is gone again.
    private func storeWithGarbage(_ store: SnapshotStore) throws -> (kept: ObjectID, lost: ObjectID)
    {
        try store.commit(base, time: 1)
        var other = base
        for ordinal in 0..<100 { other.edit(ordinal, seed: 5_000 + ordinal) }
        let root = try #require(try store.references().branches["main"])
        let lost = try store.commit(
            other, to: "lost", parents: [root], time: 2, startingBranch: true
        ).id
        try store.moveReference(
            .branch, "lost", from: lost, to: nil,
            by: ReflogNote(time: 2, author: "", message: "gone"))
        var next = base
        next.edit(7, seed: 99)
        return (try store.commit(next, time: 3).id, lost)
    }

    @Test("the preview tells what a prune would remove and removes nothing")
    func preview() throws {
        try withStore { store in
            let (_, lost) = try storeWithGarbage(store)
            let preview = try store.collect(prune: false, now: 1_000, grace: 10)
            #expect(!preview.pruned)
            #expect(preview.deadPacks == 1)
            #expect(preview.deadObjects >= 100)
            #expect(preview.expiredReflogEntries == 6)
            #expect(try store.resolve(lost.hex) == lost)
            #expect(try store.reflog().count == 6)
            let real = try store.collect(prune: true, now: 1_000, grace: 10)
            #expect(real.pruned)
            #expect(real.deadObjects == preview.deadObjects)
            #expect(real.freeAfter > real.freeBefore)
        }
    }

    @Test("a prune removes what nothing needs, keeps the rest, and can be repeated")
    func prune() throws {
        try withStore { store in
            let (kept, lost) = try storeWithGarbage(store)
            let before = try store.model(at: kept)
            _ = try store.collect(prune: true, now: 1_000, grace: 10)
            #expect(code { try store.commit(lost) } == .notFound)
            #expect(try store.model(at: kept) == before)
            #expect(try store.model(at: store.resolve("main~1")) == base)
            #expect(try store.faults().isEmpty)
            let again = try store.collect(prune: true, now: 1_000, grace: 10)
            #expect(again.deadObjects == 0 && again.deadPacks == 0 && again.deadArrays == 0)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("without grace what was removed in this very second goes, also by a clock that ran ahead")
    func noGrace() throws {
        for time in [Int64(1_000), 9_000_000_000] {
            try withStore { store in
                try store.commit(base, time: 1_000)
                let lost = try store.commit(
                    .sample(experts: 60, seed: 8), to: "lost", parents: [], time: time
                ).id
                let note = ReflogNote(time: time, author: "", message: "gone")
                try store.moveReference(.branch, "lost", from: lost, to: nil, by: note)
                let report = try store.collect(prune: true, now: 1_000, grace: 0)
                #expect(report.deadObjects > 60 && report.expiredReflogEntries == 4)
                #expect(code { try store.commit(lost) } == .notFound)
                #expect(try store.faults().isEmpty)
            }
        }
    }

    @Test("an entry from a clock that ran ahead is no younger than those behind it")
    func clockAhead() throws {
        try withStore { store in
            let first = try store.commit(base, time: 9_000_000_000).id
            var next = base
            next.edit(7, seed: 99)
            try store.commit(next, time: 100)
            // Of HEAD and main: the first is as old as the second, which is within the grace period.
            let kept = try store.collect(prune: true, now: 1_000, grace: 950)
            #expect(kept.expiredReflogEntries == 0)
            let report = try store.collect(prune: true, now: 1_100, grace: 950)
            #expect(report.expiredReflogEntries == 4)
            #expect(try store.commit(first).parents.isEmpty)
        }
    }

    @Test("what the reflog names within the grace period is kept")
    func grace() throws {
        try withStore { store in
            let (_, lost) = try storeWithGarbage(store)
            let report = try store.collect(prune: true, now: 1_000, grace: 998)
            #expect(report.deadObjects == 0)
            #expect(report.expiredReflogEntries == 2)
            #expect(try store.resolve("main@{0}") == store.resolve("main"))
            #expect(try store.commit(lost).parents.count == 1)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("sparse packs are moved and mapped snapshots find the copies")
    func sparse() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 300)
            try store.commit(model, time: 1)
            let first = try store.resolve("main")
            for ordinal in 0..<250 { model.edit(ordinal, seed: 9_000 + ordinal) }
            // A second history of its own keeps 50 experts of the first one's pack.
            let second = try store.commit(model, to: "new", parents: [], time: 2).id
            try store.setHead(.branch("new"), by: ReflogNote(time: 2, author: "", message: ""))
            try store.moveReference(
                .branch, "main", from: first, to: nil,
                by: ReflogNote(time: 2, author: "", message: ""))
            let preview = try store.collect(prune: false, now: 1_000, grace: 0)
            #expect(preview.sparsePacks == 1)
            let report = try store.collect(prune: true, now: 1_000, grace: 0)
            #expect(report.deadPacks >= 1)
            #expect(try store.model(at: second) == model)
            #expect(try store.faults().isEmpty)
            // The numbers of removed packs may be used again: old hints must not mislead.
            for step in 0..<3 {
                model.edit(299, seed: step)
                try store.commit(model, to: "new", time: Int64(10 + step))
            }
            #expect(try store.model(at: store.resolve("new")) == model)
            #expect(try store.faults().isEmpty)
        }
    }

    /// What broke: a dead commit that shared a pack with live objects could be named by its hash
    /// after its experts were gone, and a branch made there broke the store.
    @Test("after a prune a dead commit cannot be named, wherever its record lies")
    func noResurrection() throws {
        try withStore { store in
            let (_, lost) = try storeWithGarbage(store)
            _ = try store.collect(prune: true, now: 1_000, grace: 10)
            #expect(
                code {
                    try store.createReference(.branch, "back", at: lost, by: .sample)
                } == .notFound)
            #expect(
                code { try store.resolve(lost.hex) } == .notFound)
            // Its content can be committed anew, to the same ids.
            var other = base
            for ordinal in 0..<100 { other.edit(ordinal, seed: 5_000 + ordinal) }
            let root = try store.resolve("main~1")
            let again = try store.commit(
                other, to: "lost", parents: [root], time: 2, startingBranch: true)
            #expect(again.id == lost)
            #expect(try store.model(at: lost) == other)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a branch made between preview and prune keeps its objects")
    func lateBranch() throws {
        try withStore { store in
            let (_, lost) = try storeWithGarbage(store)
            #expect(try store.collect(prune: false, now: 1_000, grace: 10).deadPacks == 1)
            try store.createReference(.branch, "late", at: lost, by: .sample)
            let report = try store.collect(prune: true, now: 1_000, grace: 10)
            #expect(report.deadPacks == 0)
            #expect(try store.commit(lost).parents.count == 1)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a branch made while the prune moves objects keeps its own")
    func branchDuringPrune() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try SnapshotStore.create(at: path)
            let hook = Hook()
            let store = try SnapshotStore.open(path, observer: hook.call)
            let (_, lost) = try storeWithGarbage(store)
            hook.set { step in
                // The last moment before the sweep's own transaction.
                guard step == "gc: begin" else { return }
                hook.set(nil)
                try? store.createReference(.branch, "late", at: lost, by: .sample)
            }
            _ = try store.collect(prune: true, now: 1_000, grace: 10)
            hook.set(nil)
            #expect(try store.references().branches["late"] == lost)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a prune is refused while a draft is open, and a draft waits for none")
    func draft() throws {
        try withStore { store in
            let (_, _) = try storeWithGarbage(store)
            var draft = try CommitDraft(store, tree: Tree(architecture: ""))
            #expect(
                code {
                    try store.collect(prune: true, now: 1_000, grace: 0)
                } == .busy)
            try base.stage(in: &draft)
            _ = try draft.commit(to: "fresh", parents: [], note: .sample())
            #expect(try store.collect(prune: true, now: 5_000, grace: 0).pruned)
            #expect(try store.faults().isEmpty)
        }
    }
}
