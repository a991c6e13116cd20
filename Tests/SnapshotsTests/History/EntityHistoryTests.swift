import Objects
import Snapshots
import TestSupport
import Testing

@Suite("The history of one thing")
struct EntityHistoryTests {
    private func history(
        _ store: SnapshotStore, _ entity: ModelEntity, limit: Int? = nil
    ) throws -> [ObjectID] {
        let head = try #require(try store.references().branches["main"])
        let entries = try store.history(from: [head])
        return try store.changes(of: entity, in: entries, limit: limit).map(\.entry.id)
    }

    @Test("only the commits that changed an expert are listed, whatever else they changed")
    func expert() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 300)
            var ids = [try store.commit(model).id]
            for step in 1...30 {
                model.edit(step % 2 == 0 ? 7 : 100 + step, seed: step)
                if step % 10 == 0 { model.edit(250, seed: step) }
                ids.append(try store.commit(model, time: Int64(step)).id)
            }
            let changed = (1...30).filter { $0 % 2 == 0 }.map { ids[$0] } + []
            #expect(
                try history(store, .expert(layer: 1, pool: "base", ordinal: 7))
                    == changed.reversed() + [ids[0]])
            #expect(
                try history(store, .expert(layer: 1, pool: "base", ordinal: 250))
                    == [ids[30], ids[20], ids[10], ids[0]])
            #expect(
                try history(store, .expert(layer: 1, pool: "base", ordinal: 250), limit: 2)
                    == [ids[30], ids[20]])
            #expect(
                try history(store, .expert(layer: 1, pool: "base", ordinal: 299)) == [ids[0]])
        }
    }

    @Test("the list is that of comparing each commit's whole model with its parent's")
    func againstReference() throws {
        var generator = SeededGenerator.announced()
        try withStore { store in
            var model = SyntheticModel.sample(experts: 40)
            var models: [ObjectID: SyntheticModel] = [:]
            var last: ObjectID?
            var parents: [ObjectID: ObjectID] = [:]
            for step in 0..<40 {
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    model.edit(
                        Int.random(in: 0..<40, using: &generator),
                        seed: Int.random(in: 0..<4, using: &generator))
                }
                if step % 7 == 3 {
                    model.editRow(Int.random(in: 0..<4, using: &generator), seed: step)
                }
                let outcome = try store.commit(model, time: Int64(step))
                guard !outcome.unchanged else { continue }
                models[outcome.id] = model
                parents[outcome.id] = last
                last = outcome.id
            }
            for ordinal in [0, 3, 17, 39] {
                let place = SyntheticModel.Place(1)
                let expected = models.keys.filter { id in
                    let before = parents[id].flatMap { models[$0]?.pools[place]?.experts[ordinal] }
                    return models[id]?.pools[place]?.experts[ordinal] != before
                }
                #expect(
                    Set(try history(store, .expert(layer: 1, pool: "base", ordinal: ordinal)))
                        == Set(expected))
            }
            for row in 0..<4 {
                let place = SyntheticModel.Place(1)
                func bytes(_ id: ObjectID?) -> ArraySlice<UInt8>? {
                    id.flatMap { models[$0]?.pools[place]?.router["keys"]?.bytes }?[
                        (32 * row)..<(32 * row + 32)]
                }
                let expected = models.keys.filter { bytes($0) != bytes(parents[$0]) }
                #expect(Set(try history(store, .row(row, of: "keys"))) == Set(expected))
            }
        }
    }

    @Test("files, tensors of the trunk and of routers have a history; removal is a change")
    func named() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 20)
            let first = try store.commit(model, time: 1).id
            model.trunk["norm"] = .init([16], seed: 99)
            let second = try store.commit(model, time: 2).id
            model.editRow(3, seed: 5)
            let third = try store.commit(model, time: 3).id
            model.trunk["norm"] = nil
            model.files["config.json"] = [1, 2]
            let fourth = try store.commit(model, time: 4).id
            #expect(try history(store, .named("norm")) == [fourth, second, first])
            #expect(try history(store, .named("keys")) == [third, first])
            #expect(try history(store, .named("config.json")) == [fourth, first])
            #expect(try history(store, .row(3, of: "keys")) == [third, first])
            #expect(try history(store, .row(2, of: "keys")) == [first])
            #expect(try history(store, .row(1_000, of: "keys")).isEmpty)
            #expect(try history(store, .named("no such tensor")).isEmpty)
            let entries = try store.history(from: [fourth])
            #expect(try store.changes(of: .named("norm"), in: entries).first?.version == nil)
        }
    }

    @Test("a merge that takes one side is no change; ranges and filters leave commits out")
    func merge() throws {
        try withStore { store in
            let base = SyntheticModel.sample(experts: 20)
            let first = try store.commit(base, time: 1).id
            try store.createReference(.branch, "side", at: first, by: .sample)
            var (left, right) = (base, base)
            left.edit(1, seed: 1)
            right.edit(2, seed: 2)
            let mine = try store.commit(left, time: 2).id
            let theirs = try store.commit(right, to: "side", time: 3).id
            let merged = try #require(
                try store.merge([theirs], into: "main", policy: nil, note: .sample(time: 4)).commit)
            #expect(
                try history(store, .expert(layer: 1, pool: "base", ordinal: 1)) == [mine, first])
            #expect(
                try history(store, .expert(layer: 1, pool: "base", ordinal: 2))
                    == [theirs, first])
            #expect(
                try store.history(from: [merged], without: [mine]).map(\.id) == [merged, theirs])
            #expect(try store.history(from: [first], without: [merged]).isEmpty)
            #expect(try store.divergence(of: merged, from: theirs) == (2, 0))
            #expect(try store.divergence(of: mine, from: theirs) == (1, 1))
        }
    }
}
