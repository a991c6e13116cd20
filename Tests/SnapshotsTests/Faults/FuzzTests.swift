import Elements
import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

extension SyntheticModel {
    /// The first commit of the histories below.
    fileprivate func edited(_ step: Int) -> SyntheticModel {
        var model = self
        model.edit(step, seed: step)
        return model
    }
}

@Suite("Damage at random places")
struct FuzzTests {
    /// Changes some bytes, or the length, of one random record of one random table.
    private func damage(
        _ store: SnapshotStore, _ random: inout SeededGenerator
    ) throws -> String {
        let tables = SnapshotStore.tables.sorted()
        let name = tables[Int.random(in: 0..<tables.count, using: &random)]
        let table = store.environment.table(name)
        var records: [(key: [UInt8], value: [UInt8])] = []
        try store.environment.read { transaction in
            try transaction.scan(table) { key, value in
                records.append((key, value.bytes.copy(0..<value.count)))
                return true
            }
        }
        guard var (key, value) = records.randomElement(using: &random) else { return name }
        switch Int.random(in: 0..<10, using: &random) {
        case 0: value.removeLast(Int.random(in: 0...value.count, using: &random))
        case 1: value += random.bytes(Int.random(in: 1...200, using: &random))
        case 2:
            // Another key of the same length.
            if !key.isEmpty { key[Int.random(in: 0..<key.count, using: &random)] ^= 3 }
        case 3: value = random.bytes(Int.random(in: 0...300, using: &random))
        default:
            // Mostly in the header, where the numbers are.
            let limit = Bool.random(using: &random) ? min(80, value.count) : value.count
            for _ in 0..<Int.random(in: 1...3, using: &random) where limit > 0 {
                let offset = Int.random(in: 0..<limit, using: &random)
                value[offset] =
                    [0, 0x7F, 0x80, 0xFF, value[offset] ^ 1].randomElement(
                        using: &random) ?? 0
            }
        }
        let record = (key: key, value: value)
        try store.environment.write("damage") { transaction in
            try transaction.put(table, record.key, record.value)
        }
        return "\(name) \(key)"
    }

    @Test("no damage of any record traps; verification and reading end with an error or the truth")
    func fuzz() throws {
        var random = SeededGenerator.announced()
        for _ in 0..<60 {
            try withStore { store in
                var model = SyntheticModel.sample(experts: 40)
                let first = model
                for step in 0..<10 {
                    model.edit(step, seed: step)
                    try store.commit(model, time: Int64(step))
                }
                let main = model
                model.edit(30, seed: 30)
                let root = try store.resolve("main~9")
                try store.commit(
                    model, to: "side", parents: [root], time: 30, startingBranch: true)
                let heads = [try store.resolve("main"), try store.resolve("side")]
                let truth = [main, model]
                let histories = try heads.map { try store.history(from: [$0]).map(\.id) }
                let references = try store.references()
                var damages: [String] = []
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    damages.append(try damage(store, &random))
                }
                _ = try? store.verify(fast: true)
                _ = try? store.verify(fast: false)
                func expectTruth() {
                    for (head, model) in zip(heads, truth) {
                        guard let found = try? store.model(at: head, checks: true) else { continue }
                        let isSame = found == model
                        #expect(isSame, "\(damages)")
                    }
                }
                expectTruth()
                for (head, history) in zip(heads, histories) {
                    guard let found = try? store.history(from: [head]) else { continue }
                    #expect(found.map(\.id) == history, "\(damages)")
                }
                if let found = try? store.references() {
                    #expect(found.branches == references.branches, "\(damages)")
                }
                _ = try? store.reflog()
                _ = try? store.resolve("main@{1}")
                _ = try? store.resolve(String(heads[0].hex.prefix(4)))
                if let left = try? store.tree(store.commit(heads[0]).tree),
                    let right = try? store.tree(store.commit(heads[1]).tree)
                {
                    _ = try? store.difference(from: left, to: right)
                }
                let merge = try? store.merge(
                    [heads[1]], into: "main", policy: OursPolicy(), note: .sample())
                if let id = merge?.commit, let found = try? store.model(at: id, checks: true) {
                    let isSame = found == mergeReference([first.edited(0)], main, model)
                    #expect(isSame, "\(damages)")
                }
                model.edit(31, seed: 31)
                for branch in ["side", "fresh"] {
                    let outcome = try? store.commit(
                        model, to: branch, parents: branch == "side" ? nil : [])
                    guard let outcome, let found = try? store.model(at: outcome.id, checks: true)
                    else { continue }
                    let isSame = found == model
                    #expect(isSame, "\(damages)")
                }
                _ = try? store.collect(prune: false, now: 100, grace: 0)
                _ = try? store.collect(prune: true, now: 100, grace: 0)
                expectTruth()
                _ = try? store.verify(fast: false)
            }
        }
    }
}
