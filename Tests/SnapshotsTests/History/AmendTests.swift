import Elements
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("Amending and renaming")
struct AmendTests {
    @Test("an amended head has the same model and parents; the old one is in the reflog")
    func amend() throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 5)).id
            let second = try store.commit(.sample(experts: 6), time: 7).id
            let amended = try store.amend("main", at: second, by: .sample) {
                $0.message = "better words"
                $0.metrics["acc"] = 0.5
            }
            let commit = try store.commit(amended)
            #expect(amended != second && commit.parents == [first] && commit.time == 7)
            #expect(commit.tree == (try store.commit(second).tree))
            #expect(commit.message == "better words" && commit.metrics == ["acc": 0.5, "bpb": 2.5])
            #expect(try store.references().branches["main"] == amended)
            #expect(try store.resolve("main@{1}") == second)
            #expect(try store.faults().isEmpty)
        }
    }

    @Test("an amendment of a branch that moved changes nothing")
    func moved() throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 5)).id
            let second = try store.commit(.sample(experts: 6)).id
            #expect(
                code {
                    try store.amend("main", at: first, by: .sample) { $0.message = "late" }
                } == .branchMoved)
            #expect(try store.amend("main", at: second, by: .sample) { _ in } == second)
            #expect(try store.references().branches["main"] == second)
            #expect(try store.reflog(of: "heads/main").count == 2)
        }
    }

    @Test("a renamed branch keeps its commits and its reflog, and HEAD goes with it")
    func rename() throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 5)).id
            let second = try store.commit(.sample(experts: 6)).id
            try store.renameBranch("main", to: "trunk", by: .sample)
            let references = try store.references()
            #expect(references.branches == ["trunk": second] && references.head == .branch("trunk"))
            #expect(try store.resolve("trunk@{2}") == first)
            #expect(try store.reflog(of: "heads/main").isEmpty)
            #expect(try store.faults().isEmpty)
            try store.createReference(.branch, "other", at: first, by: .sample)
            try store.renameBranch("other", to: "third", by: .sample)
            #expect(try store.references().head == .branch("trunk"))
            #expect(
                code {
                    try store.renameBranch("third", to: "trunk", by: .sample)
                } == .exists)
            #expect(
                code {
                    try store.renameBranch("main", to: "x", by: .sample)
                } == .notFound)
            #expect(
                code {
                    try store.renameBranch("third", to: "a b", by: .sample)
                } == .badName)
        }
    }

    @Test("HEAD's branch without commits can be renamed")
    func renameEmpty() throws {
        try withStore { store in
            try store.renameBranch("main", to: "start", by: .sample)
            #expect(try store.references().head == .branch("start"))
            let first = try store.commit(.sample(experts: 5), to: "start").id
            #expect(try store.references().headCommit == first)
        }
    }

    @Test("references are removed together or not at all")
    func removeMany() throws {
        try withStore { store in
            let id = try store.commit(.sample(experts: 5)).id
            for name in ["a", "b", "c"] {
                try store.createReference(.branch, name, at: id, by: .sample)
            }
            for (names, expected) in [
                (["a", "none"], CambiumError.Code.notFound), (["a", "main"], .badName),
                (["a", "a"], .notFound),
            ] {
                #expect(
                    code {
                        try store.removeReferences(.branch, names, by: .sample)
                    } == expected)
            }
            #expect(try store.references().branches.count == 4)
            #expect(try store.removeReferences(.branch, ["c", "a"], by: .sample) == [id, id])
            #expect(Set(try store.references().branches.keys) == ["main", "b"])
        }
    }
}
