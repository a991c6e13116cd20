import Elements
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Commits")
struct CommitTests {
    @Test("a committed model reads back byte for byte, also after reopening")
    func roundTrip() throws {
        try withScratchDirectory { directory in
            let path = directory + "/store"
            try SnapshotStore.create(at: path)
            let model = SyntheticModel.sample()
            let id = try SnapshotStore.open(path).commit(model).id
            let store = try SnapshotStore.open(path)
            #expect(try store.model(at: id) == model)
            #expect(try store.references().branches == ["main": id])
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("an empty model, an empty pool and an empty tensor can be committed")
    func empty() throws {
        try withStore { store in
            let nothing = SyntheticModel()
            let first = try store.commit(nothing).id
            #expect(try store.model(at: first) == nothing)
            var model = SyntheticModel()
            model.pools[.init(0)] = .init(neurons: 0, seed: 1)
            model.trunk["a"] = .init([0, 4], seed: 1)
            model.trunk["b"] = .init([0], seed: 1)
            model.trunk["c"] = .init([2], seed: 1)
            model.trunk["scalar"] = .init([], seed: 1)
            model.files["empty"] = []
            let second = try store.commit(model).id
            #expect(try store.model(at: second) == model)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("absent experts stay absent, and every pool reads back")
    func gaps() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 40)
            model.pools[.init(1)]?.experts[3] = nil
            model.pools[.init(1)]?.experts[17] = nil
            model.pools[.init(1, "round-2")] = .init(neurons: 5, width: 3, seed: 9)
            model.pools[.init(7)] = .init(neurons: 17, width: 8, seed: 10)
            let id = try store.commit(model).id
            #expect(try store.model(at: id) == model)
            let experts = try #require(try store.map(id).experts(layer: 1, pool: "base"))
            #expect(throws: CambiumError.self) { try experts.expert(3) }
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a pool that ends with an absent expert is refused")
    func trailingGap() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 4)
            model.pools[.init(1)]?.experts[3] = nil
            let error = #expect(throws: CambiumError.self) { try store.commit(model) }
            #expect(error?.code == .incompatible)
        }
    }

    @Test("a second commit stores only what is new")
    func sharing() throws {
        try withStore { store in
            var model = SyntheticModel.sample()
            let first = try store.commit(model)
            #expect(first.newObjects > 300)
            model.edit(5, seed: 77)
            model.edit(250, seed: 78)
            let second = try store.commit(model, time: 1_001)
            // Two experts, a layer, a tree and a commit.
            #expect(second.newObjects == 5)
            #expect(second.parents == [first.id])
            #expect(try store.model(at: second.id) == model)
            #expect(try store.model(at: first.id) == .sample())
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("committing the same model again changes nothing")
    func unchanged() throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 20))
            let again = try store.commit(.sample(experts: 20), time: 2_000)
            #expect(again.unchanged)
            #expect(again.id == first.id)
            #expect(try store.reflog(of: "heads/main").count == 1)
        }
    }

    @Test("of two drafts on one branch the second is told that the branch moved")
    func race() throws {
        try withStore { store in
            let base = try store.commit(.sample(experts: 20)).id
            var left = SyntheticModel.sample(experts: 20)
            left.edit(1, seed: 100)
            var right = SyntheticModel.sample(experts: 20)
            right.edit(2, seed: 200)
            var first = try CommitDraft(store, tree: Tree(architecture: ""))
            var second = try CommitDraft(store, tree: Tree(architecture: ""))
            try left.stage(in: &first)
            try right.stage(in: &second)
            let winner = try first.commit(to: "main", parents: [base], note: .sample("left"))
            var thrown: CambiumError?
            do {
                _ = try second.commit(to: "main", parents: [base], note: .sample("right"))
            } catch let error as CambiumError {
                thrown = error
            }
            #expect(thrown?.code == .branchMoved)
            #expect(try store.references().branches == ["main": winner.id])
            #expect(try store.commit(right, time: 2).parents == [winner.id])
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a stale parent is refused, also when the model did not change")
    func staleParent() throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 20)).id
            _ = try store.commit(.sample(experts: 21)).id
            for model in [SyntheticModel.sample(experts: 20), .sample(experts: 22)] {
                let error = #expect(throws: CambiumError.self) {
                    try store.commit(model, parents: [first])
                }
                #expect(error?.code == .branchMoved)
            }
            let error = #expect(throws: CambiumError.self) {
                try store.commit(.sample(experts: 3), parents: [])
            }
            #expect(error?.code == .branchMoved)
        }
    }

    @Test("a commit may start a new branch from a parent")
    func startingBranch() throws {
        try withStore { store in
            let base = try store.commit(.sample(experts: 20)).id
            let side = try store.commit(
                .sample(experts: 21), to: "side", parents: [base], startingBranch: true)
            #expect(try store.references().branches == ["main": base, "side": side.id])
            let same = try store.commit(
                .sample(experts: 20), to: "same", parents: [base], startingBranch: true)
            #expect(same.unchanged)
            #expect(try store.references().branches["same"] == base)
            let error = #expect(throws: CambiumError.self) {
                try store.commit(
                    .sample(experts: 22), to: "side", parents: [base], startingBranch: true)
            }
            #expect(error?.code == .branchMoved)
        }
    }

    @Test("a tree that names objects no one stored is refused")
    func unknownObjects() throws {
        try withStore { store in
            var tree = Tree(architecture: "x")
            tree.trunk.tensors["lost"] = StoredTensor(
                shape: TensorShape(.f32, [1]), id: ObjectID(hashing: [1]))
            let draft = try CommitDraft(store, tree: tree)
            var code: CambiumError.Code?
            do {
                _ = try draft.commit(to: "main", parents: [], note: .sample())
            } catch let error as CambiumError {
                code = error.code
            }
            #expect(code == .notFound)
            var other = try CommitDraft(store, tree: Tree(architecture: "x"))
            let root = other.putExperts([ObjectID(hashing: [2])])
            other.tree.layers[0] = Layer(pools: [
                "base": ExpertPool(
                    kind: .neuron, parts: [], count: 1, experts: root, routerKind: .linear,
                    router: [:])
            ])
            do {
                _ = try other.commit(to: "main", parents: [], note: .sample())
                code = nil
            } catch let error as CambiumError {
                code = error.code
            }
            #expect(code == .notFound)
            #expect(try store.references().branches.isEmpty)
            #expect(try store.faults().isEmpty)
        }
    }
}
