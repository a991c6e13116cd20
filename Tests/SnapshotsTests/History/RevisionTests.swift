import Elements
import KeyValue
import Objects
import TestSupport
import Testing

@testable import Snapshots

@Suite("Revisions")
struct RevisionTests {
    @Test("names, parents, reflog places and prefixes resolve as in git")
    func resolve() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 5)
            var ids: [ObjectID] = []
            for step in 0..<4 {
                model.edit(0, seed: step)
                ids.append(try store.commit(model, time: Int64(step)).id)
            }
            model.edit(1, seed: 50)
            let side = try store.commit(
                model, to: "side", parents: [ids[1]], startingBranch: true
            ).id
            try store.createReference(.tag, "v1", at: ids[0], by: .sample)
            let merged = try store.merge(
                [side], into: "main", policy: OursPolicy(), note: .sample())
            let merge = try #require(merged.commit)
            let expected: [(String, ObjectID)] = [
                ("main", merge), ("HEAD", merge), ("v1", ids[0]), ("side", side),
                ("main~0", merge), ("main^0", merge), ("main~", ids[3]), ("main^", ids[3]),
                ("main^1", ids[3]), ("main^2", side), ("main^2~1", ids[1]), ("main~2", ids[2]),
                ("main^^", ids[2]), ("main~4", ids[0]), ("main^2^~1", ids[0]),
                ("main@{0}", merge), ("main@{1}", ids[3]), ("main@{2}~1", ids[1]),
                ("@{1}", ids[3]), ("HEAD@{0}", merge), (merge.hex, merge),
                (merge.hex.uppercased(), merge), (String(side.hex.prefix(12)), side),
                (String(side.hex.prefix(12)) + "^", ids[1]),
            ]
            for (revision, id) in expected {
                #expect(try store.resolve(revision) == id, "\(revision)")
            }
        }
    }

    @Test(
        "what names nothing is refused with its reason",
        arguments: [
            ("", CambiumError.Code.badRevision), ("nope", .notFound), ("main~9", .notFound),
            ("main^2", .notFound), ("main@{7}", .notFound), ("main@{-1}", .notFound),
            ("main~x", .badRevision), ("main~99999999999999999999", .badRevision),
            ("main^^^x", .badRevision), ("abc", .notFound), ("0000", .notFound),
            ("~1", .badRevision),
            ("main@{99999999999999999999}", .notFound),
            (String(repeating: "0", count: 65), .notFound),
        ])
    func refused(revision: String, expected: CambiumError.Code) throws {
        try withStore { store in
            try store.commit(.sample(experts: 2))
            #expect(code { try store.resolve(revision) } == expected)
        }
    }

    @Test(
        "a name of an old store that is the beginning of another commit's id is ambiguous",
        arguments: [ReferenceKind.branch, .tag])
    func shadowed(kind: ReferenceKind) throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 2)).id
            let second = try store.commit(.sample(experts: 3)).id
            // As an older version wrote it, which had no rule against such names.
            func give(_ name: String, _ id: ObjectID) throws {
                try store.environment.write("test") { transaction in
                    try SnapshotStore.put(kind, name, id, transaction)
                }
            }
            let name = String(second.hex.prefix(8))
            try give(name, first)
            let error = #expect(throws: CambiumError.self) { try store.resolve(name) }
            #expect(error?.code == .ambiguous)
            #expect(error?.message.contains(first.short) == true)
            #expect(error?.message.contains(second.short) == true)
            #expect(
                code { try store.resolve(name + "~0") } == .ambiguous)
            // Both can still be named.
            #expect(try store.resolve(kind.rawValue + name) == first)
            #expect(try store.resolve(String(second.hex.prefix(10))) == second)
            // Nothing is ambiguous where both are one commit.
            let own = String(first.hex.prefix(8))
            try give(own, first)
            #expect(try store.resolve(own) == first)
            // Nor where no commit begins so.
            let free = try #require(
                ["f00d", "beef", "cafe"].first { name in
                    !first.hex.hasPrefix(name) && !second.hex.hasPrefix(name)
                })
            try give(free, second)
            #expect(try store.resolve(free) == second)
            if kind == .branch {
                try store.setHead(.branch(free), by: .sample)
                #expect(try store.references().head == .branch(free))
            }
        }
    }

    @Test("a branch without commits is told apart from an unknown name")
    func unborn() throws {
        try withStore { store in
            for name in ["HEAD", "main"] {
                let error = #expect(throws: CambiumError.self) { try store.resolve(name) }
                #expect(error?.message.contains("no commit yet") == true)
            }
        }
    }

    @Test("an ambiguous prefix lists the candidates; prefixes of other objects do not count")
    func ambiguous() throws {
        try withStore { store in
            let model = SyntheticModel.sample(experts: 2)
            var byPrefix: [String: ObjectID] = [:]
            var head: [ObjectID] = []
            // 16 bits: two of some 600 commits share four digits with great likelihood.
            for step in 0..<2_000 {
                var draft = try CommitDraft(store, tree: Tree(architecture: ""))
                try model.stage(in: &draft)
                let id = try draft.commit(
                    to: "main", parents: head, note: .sample(time: Int64(step)),
                    keepsUnchanged: true
                ).id
                head = [id]
                if let other = byPrefix.updateValue(id, forKey: String(id.hex.prefix(4))) {
                    let prefix = String(id.hex.prefix(4))
                    let error = #expect(throws: CambiumError.self) { try store.resolve(prefix) }
                    #expect(error?.code == .ambiguous)
                    #expect(error?.message.contains(other.short) == true)
                    #expect(error?.message.contains(id.short) == true)
                    return
                }
            }
            Issue.record("no two commits shared four digits")
        }
    }

    @Test("history lists children before parents, newest first, with limit and time")
    func history() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 5)
            var ids: [ObjectID] = []
            for step in 0..<4 {
                model.edit(0, seed: step)
                ids.append(try store.commit(model, time: Int64(10 * step)).id)
            }
            model.edit(1, seed: 50)
            let side = try store.commit(
                model, to: "side", parents: [ids[0]], time: 15, startingBranch: true
            ).id
            #expect(
                try store.history(from: [ids[3], side]).map(\.id)
                    == [ids[3], ids[2], side, ids[1], ids[0]])
            #expect(try store.history(from: [ids[3]], limit: 2).map(\.id) == [ids[3], ids[2]])
            #expect(
                try store.history(from: [ids[3]], where: { $0.commit.time >= 20 }).map(\.id)
                    == [ids[3], ids[2]])
            #expect(try store.history(from: []).isEmpty)
            #expect(try store.mergeBases(ids[3], side) == [ids[0]])
            #expect(try store.mergeBases(ids[3], ids[1]) == [ids[1]])
        }
    }

    @Test("a limited history is the start of the whole one, before, at and behind a merge")
    func limitedHistory() throws {
        try withStore { store in
            var model = SyntheticModel.sample(experts: 5)
            let root = try store.commit(model, time: 0).id
            model.edit(0, seed: 1)
            let left = try store.commit(model, time: 50).id
            model.edit(1, seed: 2)
            // Older than its parent's other child, and than its own parent: clocks differ.
            let right = try store.commit(
                model, to: "side", parents: [root], time: -5, startingBranch: true
            ).id
            model.edit(2, seed: 3)
            let merge = try store.commit(model, parents: [left, right], time: 10).id
            model.edit(3, seed: 4)
            let tip = try store.commit(model, parents: [merge], time: 5).id
            let whole = try store.history(from: [tip]).map(\.id)
            #expect(whole == [tip, merge, left, right, root])
            for limit in 0...6 {
                let limited = try store.history(from: [tip, tip], limit: limit).map(\.id)
                #expect(limited == Array(whole.prefix(limit)))
            }
            #expect(try store.history(from: [tip, right, root]).map(\.id) == whole)
            #expect(try store.isAncestor(root, of: tip))
            #expect(try store.isAncestor(tip, of: tip))
            #expect(try !store.isAncestor(tip, of: root))
            #expect(try !store.isAncestor(left, of: right))
        }
    }
}
