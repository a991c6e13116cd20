import CheckpointSupport
import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("The four jobs")
struct WholePathTests {
    @Test("diff reports exactly the experts that each branch trained")
    func diffFindsTrainedExperts() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.threeBranches(in: directory + "/S")
            for name in ["swahili", "metamath"] {
                let diff = try store.diff(from: "main", to: name)
                let selected = GeneratedCheckpoints.selected(name)
                #expect(diff.trunk.isEmpty && diff.files.isEmpty && !diff.layoutChanged)
                #expect(diff.pools.map(\.layer) == [1, 2])
                for pool in diff.pools {
                    #expect(pool.changed.map(\.ordinal) == selected[pool.layer])
                    #expect(pool.added.isEmpty && pool.removed.isEmpty)
                    #expect(pool.routers.count == 1)
                    #expect(pool.routers.first?.tensor.hasSuffix("sub_keys") == true)
                    #expect(pool.routers.first?.rows.count == 32)
                    #expect(pool.changed.allSatisfy { ($0.change?.l2 ?? 0) > 0 })
                }
            }
        }
    }

    @Test("a merge gives the same tree in any order and direction, and twice changes nothing")
    func mergeIsSymmetric() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.threeBranches(in: directory + "/S")
            var trees: Set<String> = []
            for (number, order) in [["swahili", "metamath"], ["metamath", "swahili"]].enumerated() {
                try store.createBranch("merged\(number)", at: "main", Checkpoints.signature)
                let merge = try store.merge(
                    order, into: "merged\(number)", policy: .mean, Checkpoints.signature)
                #expect(merge.kind == .merged)
                trees.insert(try #require(merge.tree))
                let again = try store.merge(
                    order, into: "merged\(number)", policy: .mean, Checkpoints.signature)
                #expect(again.kind == .upToDate)
            }
            for (into, from) in [("swahili", "metamath"), ("metamath", "swahili")] {
                let merge = try store.merge(
                    [from], into: into, policy: .mean, dryRun: true, Checkpoints.signature)
                trees.insert(try #require(merge.tree))
            }
            #expect(trees.count == 1)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("merges that run on several threads at once give the same tree")
    func mergeOnThreads() async throws {
        let directory = try makeScratchDirectory()
        defer { removeTree(directory) }
        let store = try Checkpoints.threeBranches(in: directory + "/S")
        let trees = try await withThrowingTaskGroup(of: String?.self) { group in
            for order in [["swahili", "metamath"], ["metamath", "swahili"]] {
                group.addTask {
                    try store.merge(
                        order, into: "main", policy: .mean, dryRun: true, Checkpoints.signature
                    ).tree
                }
            }
            return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
        }
        #expect(trees.count == 1 && !trees.contains(nil))
    }

    @Test("without a policy a merge lists the conflicts and writes nothing")
    func mergeListsConflicts() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.threeBranches(in: directory + "/S")
            let before = try store.resolve("main")
            let merge = try store.merge(["swahili", "metamath"], into: "main")
            #expect(merge.kind == .conflicts)
            let experts = merge.conflicts.filter { $0.entity.hasPrefix("expert") }
            let (swahili, metamath) = (
                GeneratedCheckpoints.selected("swahili"), GeneratedCheckpoints.selected("metamath")
            )
            var both = 0
            for (layer, chosen) in swahili {
                let count = Set(chosen).intersection(try #require(metamath[layer])).count
                let prefix = "expert \(layer)/"
                #expect(count > 0)
                #expect(experts.filter { $0.entity.hasPrefix(prefix) }.count == count)
                both += count
            }
            // Each branch trained all 32 sub-key rows of both layers.
            #expect(merge.conflicts.count == both + 64)
            #expect(try store.resolve("main") == before)
        }
    }

    @Test("the store holds base and branches in little more than what changed")
    func storeSize() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.threeBranches(in: directory + "/S")
            let base = try bytes(Checkpoints.peer("base") + "/model.safetensors").count
            // An expert has two rows of 32 numbers, and each branch two tables of 1 KiB.
            let experts = ["swahili", "metamath"].flatMap {
                GeneratedCheckpoints.selected($0).values.joined()
            }
            let changed = experts.count * 256 + 2 * 2 * 1024
            let statistics = try store.statistics()
            // LMDB's pages of 4 KiB weigh on so small a store.
            #expect(statistics.fileBytes <= base + changed + 160 * 1024)
        }
    }

    @Test("a second commit of the same checkpoint says that nothing changed")
    func unchanged() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let first = try store.commit(
                checkpoint: Checkpoints.peer("base"), Checkpoints.options("base"))
            let second = try store.commit(
                checkpoint: Checkpoints.peer("base"), Checkpoints.options("again"))
            #expect(!first.unchanged && second.unchanged)
            #expect(second.id == first.id)
            #expect(try store.log().count == 1)
        }
    }

    @Test(
        "a mapped model agrees with the recorded bits per byte",
        .enabled(if: TrainedCheckpoints.arePresent, "without trained checkpoints"))
    func evaluation() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            try store.commit(
                checkpoint: TrainedCheckpoints.path("peer-lm/base"), Checkpoints.options("base"))
            let result = try store.model("main").evaluate(
                try TrainedCheckpoints.text("gsm8k"), threads: 2)
            #expect(abs(result.bitsPerByte - 2.1019) <= 0.001)
            #expect(result.usage.bytesTouched < result.usage.bytesStored)
        }
    }

    @Test("generation from a mapped snapshot repeats with its seed")
    func generation() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.threeBranches(in: directory + "/S")
            let model = try store.model("swahili")
            let sampling = SamplingOptions(temperature: 0.8, topP: 0.9, seed: 7)
            let first = try model.generate(Array("Na ".utf8), count: 40, sampling: sampling)
            let second = try model.generate(Array("Na ".utf8), count: 40, sampling: sampling)
            #expect(first.bytes == second.bytes && first.bytes.count == 40)
        }
    }

    @Test("a revert of the latest round gives back the tree before it")
    func revert() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.threeBranches(in: directory + "/S")
            let revert = try store.revert("swahili", branch: "swahili")
            #expect(revert.kind == .merged)
            #expect(try revert.tree == store.show("main").tree)
        }
    }

    @Test("a mapped model keeps its experts while a collection runs")
    func leaseKeepsMappedModel() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.threeBranches(in: directory + "/S")
            let model = try store.model("swahili")
            let prompt = Array("Na ".utf8)
            let before = try model.generate(prompt, count: 20)
            try store.deleteBranch("swahili")
            let now = Signature.current.time + 100 * 86_400
            let report = try store.collect(prune: true, grace: 0, now: now)
            #expect(report.leases == 1 && report.deadObjects == 0)
            #expect(try model.generate(prompt, count: 20).bytes == before.bytes)
        }
    }
}
