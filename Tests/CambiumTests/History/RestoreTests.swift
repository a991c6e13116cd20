import CheckpointSupport
import TestSupport
import Testing

@testable import Cambium

@Suite("Restoring single experts")
struct RestoreTests {
    private func store(in directory: String) throws -> Store {
        let store = try Checkpoints.tinyStore(in: directory)
        var checkpoint = TinyCheckpoint()
        for ordinal in [3, 4, 7] { checkpoint.setExpert(ordinal, to: 1) }
        for index in checkpoint.tensors.indices
        where checkpoint.tensors[index].name.hasSuffix("peer.query.weight")
            || checkpoint.tensors[index].name == "model.norm.weight"
        {
            for column in 0..<8 { checkpoint.tensors[index].values[column] = 0.5 }
        }
        checkpoint.config["note"] = "law"
        let path = try checkpoint.write(to: directory + "/law")
        try store.commit(checkpoint: path, Checkpoints.options("law", branch: "law"))
        return store
    }

    private func refusal(_ store: Store, _ places: String...) -> String? {
        do {
            try store.restore(places, Checkpoints.options("restore"))
            return nil
        } catch {
            return (error as? CambiumError).map { "\($0.code.rawValue): \($0.message)" }
                ?? "\(error)"
        }
    }

    @Test("takes experts, rows, tensors and files alone, and records where they came from")
    func takes() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let law = try store.resolve("law")
            let before = try store.tree("main")
            let result = try store.restore(
                ["law:0/7", "law~0:0/3"], Checkpoints.options("two experts"))
            #expect(result.items.map(\.path) == ["0/7", "0/3"] && result.alike == 0)
            #expect(result.items.allSatisfy { $0.from == law })
            for (path, branch) in [("0/3", "law"), ("0/7", "law")] {
                #expect(try store.expert("main", path).id == store.expert(branch, path).id)
            }
            #expect(try store.expert("main", "0/4").id == store.expert("main~1", "0/4").id)
            let commit = try store.show("main")
            #expect(commit.parents.count == 1)
            #expect(commit.metadata["restore.from"] == "0/3 from \(law); 0/7 from \(law)")
            let query = "model.layers.0.peer.query.weight"
            try store.restore(
                ["law:router 0/0", "law:model.norm.weight", "law:config.json"],
                Checkpoints.options("the rest"))
            #expect(try store.data("main", named: query) == store.data("law", named: query))
            #expect(
                try store.data("main", named: "config.json")
                    == store.data("law", named: "config.json"))
            // With the last expert that differs, it is the model of the other branch.
            let all = try store.restore(["law:0/*"], Checkpoints.options("all"))
            #expect(all.items.map(\.path) == ["0/4"] && all.alike == 15)
            #expect(try store.tree("main") == store.tree("law"))
            let again = try store.restore(["law:0/*", "law:*"], Checkpoints.options("again"))
            #expect(again.unchanged && again.items.isEmpty)
            // Backwards, from the branch's own past, to the tree that it was.
            try store.restore(
                [
                    "main~3:0/3-7", "main~3:\(query)[0]", "main~3:model.norm.weight",
                    "main~3:config.json",
                ],
                Checkpoints.options("back"))
            #expect(try store.tree("main") == before)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("hashed rows come as they are, those that are absent as zeros")
    func rows() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var one = try HashedCheckpoint()
            for row in 150..<192 { one.set(row, to: 0) }
            try one.commit("main", to: store, branch: "main", in: directory)
            try store.createBranch("b", at: "main", Checkpoints.signature)
            var two = try HashedCheckpoint()
            two.set(5, to: 1)
            two.set(7, to: 0)
            try two.commit("b", to: store, branch: "b", in: directory)
            let (before, after) = (try store.tree("main"), try store.tree("b"))
            // Singly: one that is zeros there, one behind the last that is here.
            let some = try store.restore(
                ["b:0/7", "b:0/191", "b:0/5", "b:0/0"], Checkpoints.options("some"))
            #expect(some.items.map(\.path) == ["0/7", "0/191", "0/5"] && some.alike == 1)
            #expect(code { try store.expert("main", "0/7") } == .notFound)
            #expect(try store.expert("main", "0/191").id == store.expert("b", "0/191").id)
            // All, and back, where some are to go.
            try store.restore(["b:0/*"], Checkpoints.options("all"))
            #expect(try store.tree("main") == after)
            try store.restore(["main~2:0/0-191"], Checkpoints.options("back"))
            #expect(try store.tree("main") == before)
            #expect(refusal(store, "b:0/192")?.contains("which has 192") == true)
            try HashedCheckpoint(size: 32).commit(
                "small", to: store, branch: "small", in: directory)
            #expect(refusal(store, "small:0/3")?.hasPrefix("bad-shape") == true)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("refuses what is not there, what does not fit, and two contents for one thing")
    func refusals() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let head = try store.resolve("main")
            #expect(
                refusal(store, "law:0/99")?.hasPrefix("not-found: there is no expert 99") == true)
            #expect(
                refusal(store, "law:5/1")?.hasPrefix("not-found: there is no 5/1 in law") == true)
            #expect(refusal(store, "law:nothing")?.hasPrefix("not-found") == true)
            #expect(refusal(store, "nowhere:0/1")?.hasPrefix("not-found") == true)
            #expect(refusal(store, "law")?.hasPrefix("usage: 'law' names a whole model") == true)
            #expect(refusal(store, "law:architecture")?.hasPrefix("usage") == true)
            #expect(refusal(store, "law:0/3", "main:0/3")?.contains("0/3 was named twice") == true)
            try store.commit(Checkpoints.options("remove", branch: "law")) {
                (patch) throws in try patch.remove(expert: 3, layer: 0)
            }
            #expect(refusal(store, "law:0/3")?.contains("was removed there") == true)
            // Another width.
            var wide = SyntheticModel.sample()
            wide.pools[.init(0)] = .init(neurons: 16, width: 16, seed: 1)
            try store.snapshots.commit(wide, to: "wide")
            let shape = refusal(store, "wide:0/1")
            #expect(
                shape?.hasPrefix("bad-shape: 'wide:0/1' is of kind neuron, ") == true,
                "\(shape ?? "")")
            #expect(try store.resolve("main") == head)
        }
    }
}
