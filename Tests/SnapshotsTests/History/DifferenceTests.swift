import Elements
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Differences")
struct DifferenceTests {
    private func difference(
        _ left: SyntheticModel, _ right: SyntheticModel
    ) throws -> TreeDifference {
        try withStore { store in
            let old = try store.commit(left, time: 1)
            let new = try store.commit(right, time: 2)
            return try store.difference(from: store.tree(old.tree), to: store.tree(new.tree))
        }
    }

    @Test("equal trees do not differ")
    func equal() throws {
        #expect(try difference(.sample(experts: 20), .sample(experts: 20)).isEmpty)
    }

    @Test("added, removed and changed experts are told apart")
    func experts() throws {
        var left = SyntheticModel.sample(experts: 100)
        left.pools[.init(1)]?.experts[50] = nil
        var right = left
        right.edit(3, seed: 900)
        right.edit(77, seed: 901)
        right.pools[.init(1)]?.experts[50] = noise(128, 902)
        right.pools[.init(1)]?.experts[60] = nil
        right.pools[.init(1)]?.experts.append(noise(128, 903))
        let found = try difference(left, right)
        let pool = try #require(found.pools.first)
        #expect(found.pools.count == 1)
        #expect(pool.changed == [3, 77])
        #expect(pool.added == [50, 100])
        #expect(pool.removed == [60])
        #expect(pool.router.isEmpty)
    }

    @Test("experts beyond a shorter array are removed")
    func shorter() throws {
        var right = SyntheticModel.sample(experts: 100)
        right.pools[.init(1)]?.experts.removeLast(60)
        let pool = try #require(try difference(.sample(experts: 100), right).pools.first)
        #expect(pool.removed == Array(40..<100))
        #expect(pool.added.isEmpty && pool.changed.isEmpty)
    }

    @Test("router rows, trunk tensors, files, layout, architecture and pools are named")
    func others() throws {
        let left = SyntheticModel.sample(experts: 20)
        var right = left
        right.editRow(4, seed: 1)
        right.editRow(19, seed: 2)
        right.pools[.init(1)]?.router["extra"] = .init([3], seed: 3)
        right.pools[.init(2, "new")] = .init(neurons: 3, seed: 4)
        right.trunk["head"] = .init([4], seed: 5)
        right.trunk["norm"] = nil
        right.trunk["bias"] = .init([4], seed: 6)
        right.files["config.json"] = [1]
        right.files["extra.txt"] = [2]
        right.layout?.files[0].name = "other.safetensors"
        right.architecture = "other"
        let found = try difference(left, right)
        #expect(found.pools.map(\.layer) == [1, 2])
        let router = found.pools[0].router
        #expect(router.map(\.name) == ["extra", "keys"])
        #expect(router[1].rows == [4, 19])
        #expect(router[1].rowCount == 20)
        #expect(router[0].rows == [0, 1, 2])
        #expect(found.pools[1].added == [0, 1, 2])
        #expect(found.trunkChanged == ["head"])
        #expect(found.trunkRemoved == ["norm"])
        #expect(found.trunkAdded == ["bias"])
        #expect(found.files == ["config.json", "extra.txt"])
        #expect(found.layoutChanged && found.architectureChanged)
    }

    @Test("long chains of changes still give exactly what differs")
    func chains() throws {
        var random = SeededGenerator.announced()
        try withStore { store in
            var model = SyntheticModel.sample(experts: 300)
            var models = [model]
            var trees = [try store.commit(model, time: 0).tree]
            for step in 1...70 {
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    model.edit(Int.random(in: 0..<300, using: &random), seed: step * 1_000)
                }
                if step % 10 == 0 { model.pools[.init(1)]?.experts.append(noise(128, step)) }
                models.append(model)
                trees.append(try store.commit(model, time: Int64(step)).tree)
            }
            for _ in 0..<40 {
                let old = Int.random(in: 0...70, using: &random)
                let new = Int.random(in: 0...70, using: &random)
                let found = try store.difference(
                    from: store.tree(trees[old]), to: store.tree(trees[new]))
                let left = models[old].pools[.init(1)]?.experts ?? []
                let right = models[new].pools[.init(1)]?.experts ?? []
                let changed = (0..<min(left.count, right.count)).filter { left[$0] != right[$0] }
                #expect(found.pools.first?.changed ?? [] == changed)
                #expect(
                    found.pools.first?.added ?? []
                        == Array(left.count..<max(left.count, right.count)))
                #expect(
                    found.pools.first?.removed ?? []
                        == Array(right.count..<max(left.count, right.count)))
            }
            #expect(try store.faults().isEmpty)
        }
    }
}
