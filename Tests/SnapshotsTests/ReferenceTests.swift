import KeyValue
import Objects
import Snapshots
import TestSupport
import Testing

@Suite("References")
struct ReferenceTests {
    @Test("branches and tags are created, moved and removed")
    func life() throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 5)).id
            let second = try store.commit(.sample(experts: 6)).id
            try store.createReference(.branch, "side", at: first, by: .sample)
            try store.createReference(.tag, "v1", at: first, by: .sample)
            try store.moveReference(.branch, "side", from: first, to: second, by: .sample)
            var references = try store.references()
            #expect(references.branches == ["main": second, "side": second])
            #expect(references.tags == ["v1": first])
            try store.moveReference(.branch, "side", from: second, to: nil, by: .sample)
            try store.moveReference(.tag, "v1", from: first, to: nil, by: .sample)
            references = try store.references()
            #expect(references.branches == ["main": second])
            #expect(references.tags.isEmpty)
        }
    }

    @Test("moving a reference is a compare-and-swap")
    func compareAndSwap() throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 5)).id
            let second = try store.commit(.sample(experts: 6)).id
            #expect(
                code { () throws(SnapshotError) in
                    try store.moveReference(.branch, "main", from: first, to: first, by: .sample)
                } == .branchMoved)
            #expect(
                code { () throws(SnapshotError) in
                    try store.moveReference(.branch, "none", from: first, to: first, by: .sample)
                } == .notFound)
            #expect(
                code { () throws(SnapshotError) in
                    try store.moveReference(
                        .branch, "main", from: second, to: ObjectID(hashing: [1]), by: .sample)
                } == .notFound)
            let tree = try store.commit(second).tree
            #expect(
                code { () throws(SnapshotError) in
                    try store.createReference(.tag, "tree", at: tree, by: .sample)
                } == .notFound)
            #expect(try store.references().branches == ["main": second])
        }
    }

    @Test("a taken name is refused, also in another Unicode spelling")
    func taken() throws {
        try withStore { store in
            let id = try store.commit(.sample(experts: 5)).id
            try store.createReference(.branch, "caf\u{E9}", at: id, by: .sample)
            for name in ["main", "caf\u{E9}", "cafe\u{301}"] {
                #expect(
                    code { () throws(SnapshotError) in
                        try store.createReference(.branch, name, at: id, by: .sample)
                    } == .exists)
            }
        }
    }

    @Test(
        "names that a revision could not spell are refused",
        arguments: [
            "", "-x", "a b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\", "a@{1}", "a..b", "/a",
            "a/", "a//b", ".a", "a/.b", "a.", "a.lock", "HEAD", "a\u{7}b", "a~\u{301}",
            String(repeating: "x", count: 201),
        ])
    func badNames(name: String) throws {
        try withStore { store in
            let id = try store.commit(.sample(experts: 2)).id
            for kind in [ReferenceKind.branch, .tag] {
                #expect(
                    code { () throws(SnapshotError) in
                        try store.createReference(kind, name, at: id, by: .sample)
                    } == .badName)
            }
            #expect(
                code { () throws(SnapshotError) in
                    try store.setHead(.branch(name), by: .sample)
                } == .badName)
        }
    }

    @Test("HEAD follows a branch, may be detached, and its branch cannot be removed")
    func head() throws {
        try withStore { store in
            #expect(try store.references().head == .branch("main"))
            #expect(try store.references().headCommit == nil)
            let first = try store.commit(.sample(experts: 5)).id
            #expect(try store.references().headCommit == first)
            #expect(
                code { () throws(SnapshotError) in
                    try store.moveReference(.branch, "main", from: first, to: nil, by: .sample)
                } == .badName)
            try store.setHead(.detached(first), by: .sample)
            let second = try store.commit(.sample(experts: 6)).id
            #expect(try store.references().headCommit == first)
            try store.setHead(.branch("new"), by: .sample)
            #expect(try store.references().headCommit == nil)
            try store.setHead(.branch("main"), by: .sample)
            #expect(try store.references().headCommit == second)
            #expect(
                code { () throws(SnapshotError) in
                    try store.setHead(.detached(ObjectID(hashing: [3])), by: .sample)
                } == .notFound)
        }
    }

    @Test("a store without HEAD says so, and setting HEAD repairs it")
    func lostHead() throws {
        try withStore { store in
            try store.environment.write("test") { (transaction) throws(KeyValueError) in
                _ = try transaction.delete(store.environment.table("refs"), Array("HEAD".utf8))
            }
            #expect(code { () throws(SnapshotError) in try store.references() } == .corrupt)
            try store.setHead(.branch("main"), by: .sample)
            #expect(try store.references().head == .branch("main"))
        }
    }

    @Test("every move is in the reflog of the reference and, on its branch, of HEAD")
    func reflog() throws {
        try withStore { store in
            let first = try store.commit(.sample(experts: 5), message: "one\nmore").id
            let second = try store.commit(.sample(experts: 6), message: "two").id
            try store.createReference(.branch, "main2", at: first, by: .sample)
            try store.moveReference(.branch, "main", from: second, to: first, by: .sample)
            let main = try store.reflog(of: "heads/main")
            #expect(main.map(\.new) == [first, second, first])
            #expect(main.map(\.old) == [second, first, nil])
            #expect(main.last?.note.message == "commit: one")
            #expect(main.last?.note.author == "tester")
            #expect(try store.reflog(of: "HEAD").map(\.new) == [first, second, first])
            #expect(try store.reflog(of: "heads/main2").map(\.new) == [first])
            #expect(try store.reflog().count == 7)
        }
    }
}
