import Objects
import Snapshots
import TestSupport

/// The history that every fixture store holds: two branches, a merge and a tag.
///
/// Never changed: fixtures of old formats were written by it.
enum FixtureHistory {
    /// The models by label, in the order of their commits.
    static let models: [(label: String, model: SyntheticModel)] = {
        var result: [(String, SyntheticModel)] = []
        var model = base
        result.append(("main 0", model))
        // Enough commits to merge runs of the location index.
        for step in 1...9 {
            model.edit(step, seed: step)
            if step == 4 { model.editRow(4, seed: 4) }
            if step == 6 { model.trunk["norm"] = .init([16], seed: 6) }
            if step == 7 { model.pools[.init(1)]?.experts[20] = nil }
            result.append(("main \(step)", model))
        }
        var side = base
        side.edit(30, seed: 30)
        side.pools[.init(2, "round-1")] = .init(neurons: 5, width: 4, seed: 31)
        result.append(("side 0", side))
        model.edit(30, seed: 30)
        model.pools[.init(2, "round-1")] = side.pools[.init(2, "round-1")]
        result.append(("merged", model))
        return result
    }()

    private static var base: SyntheticModel {
        var model = SyntheticModel.sample(experts: 40)
        // Large enough for a record of its own, and mostly zeros, so that the fixture is small.
        var large = [UInt8](repeating: 0, count: 70_000)
        for offset in stride(from: 0, to: large.count, by: 997) { large[offset] = 7 }
        model.trunk["head"] = .init([17_500], seed: 0)
        model.trunk["head"]?.bytes = large
        model.trunk["embed"] = .init([4, 4], seed: 1)
        return model
    }

    /// Commits the history to an empty store and returns the commits' ids by label.
    static func write(to store: SnapshotStore) throws -> [String: ObjectID] {
        var ids: [String: ObjectID] = [:]
        for (number, (label, model)) in models.enumerated() where label.hasPrefix("main") {
            ids[label] = try store.commit(model, time: Int64(number), message: label).id
        }
        let side = models[models.count - 2]
        let root = ids["main 0"] ?? .zero
        ids[side.label] = try store.commit(
            side.model, to: "side", parents: [root], time: 20, message: side.label,
            startingBranch: true
        ).id
        try store.createReference(.tag, "v1", at: ids["main 4"] ?? .zero, by: .sample)
        let outcome = try store.merge(
            [ids[side.label] ?? .zero], into: "main", policy: nil,
            note: .sample(time: 30, "merge side"))
        ids["merged"] = outcome.commit
        return ids
    }
}
