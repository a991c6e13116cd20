import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Same content, same id")
struct TreeIdentityTests {
    @Test("the order of staging, the store and the branch do not matter")
    func order() throws {
        let model = SyntheticModel.sample()
        let forward = try withStore { try $0.commit(model) }
        let backward = try withStore {
            try $0.commit(model, to: "other", reversed: true, startingBranch: false)
        }
        #expect(forward.tree == backward.tree)
        #expect(forward.id == backward.id)
    }

    @Test("neither do detours, batches or what the store held before")
    func history() throws {
        var random = SeededGenerator.announced()
        let target = SyntheticModel.sample(experts: 100)
        let direct = try withStore { try $0.commit(target).tree }
        try withStore { store in
            var model = target
            for step in 0..<12 {
                let ordinal = Int.random(in: 0..<100, using: &random)
                model.edit(ordinal, seed: 1_000 + step)
                if step % 3 == 0 { model.trunk["norm"] = .init([16], seed: 500 + step) }
                if step % 4 == 1 { model.pools[.init(9)] = .init(neurons: 3, seed: step) }
                try store.commit(model, time: Int64(step))
            }
            #expect(try store.commit(target, time: 99).tree == direct)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("a commit of more than one flush has the same id as a small store's")
    func batches() throws {
        var model = SyntheticModel.sample(experts: 10)
        for index in 0..<5 { model.trunk["big\(index)"] = .init([2_200_000], seed: index) }
        try withStore { store in
            let outcome = try store.commit(model)
            #expect(try store.model(at: outcome.id) == model)
            for name in ["big0", "big1", "big2", "big3", "big4"] { model.trunk[name] = nil }
            let small = try withStore { try $0.commit(model).tree }
            #expect(try store.commit(model, time: 5).tree == small)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("the tree id does not depend on time, author or message, but the commit's does")
    func note() throws {
        let first = try withStore { try $0.commit(.sample(experts: 5), time: 1) }
        let second = try withStore { try $0.commit(.sample(experts: 5), time: 2) }
        #expect(first.tree == second.tree)
        #expect(first.id != second.id)
    }
}
