import Elements
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
                code {
                    try store.moveReference(.branch, "main", from: first, to: first, by: .sample)
                } == .branchMoved)
            #expect(
                code {
                    try store.moveReference(.branch, "none", from: first, to: first, by: .sample)
                } == .notFound)
            #expect(
                code {
                    try store.moveReference(
                        .branch, "main", from: second, to: ObjectID(hashing: [1]), by: .sample)
                } == .notFound)
            let tree = try store.commit(second).tree
            #expect(
                code {
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
                    code {
                        try store.createReference(.branch, name, at: id, by: .sample)
                    } == .exists)
            }
        }
    }

    @Test(
        "a name that cannot be is refused for the reason that it has",
        arguments: [
            ("", "at least one character"), ("-x", "read as an option"), ("a b", "space"),
            ("a~1", "'~'"), ("a^", "'^'"), ("a:b", "':'"), ("a?", "'?'"), ("a*", "'*'"),
            ("a[", "'['"),
            ("a\\", "'\\'"), ("a@{1}", "'@'"), ("a..b", "between two revisions"), ("/a", "empty"),
            ("a/", "empty"), ("a//b", "empty"), (".a", "begin with '.'"),
            ("a/.b", "begin with '.'"),
            ("a.", "end with '.'"), ("a/b./c", "end with '.'"), ("a.lock", "lock files"),
            ("HEAD", "where the store is"), ("a\u{7}b", "U+0007"), ("a\u{7F}", "U+007F"),
            ("a~\u{301}", "'~'"), (String(repeating: "x", count: 201), "201 bytes"),
            ("76755a24", "beginning of a commit's id"), ("DEFACED", "beginning of a commit's id"),
            ("20240131", "beginning of a commit's id"),
            (String(repeating: "0", count: 64), "beginning of a commit's id"),
            // Not seen, or changing the direction of what is.
            ("ma\u{200B}in", "U+200B"), ("main\u{200D}", "U+200D"), ("\u{202E}niam", "U+202E"),
            ("a\u{2066}b", "U+2066"), ("a\u{200F}", "U+200F"), ("a\u{AD}b", "U+00AD"),
            ("a\u{A0}b", "U+00A0"), ("a\u{2003}b", "U+2003"), ("a\u{3000}b", "U+3000"),
            ("a\u{2028}b", "U+2028"), ("a\u{FEFF}", "U+FEFF"), ("a\u{FE0F}", "U+FE0F"),
            ("a\u{34F}b", "U+034F"), ("\u{3164}", "U+3164"), ("a\u{115F}", "U+115F"),
            ("a\u{2800}b", "U+2800"), ("a\u{E0041}", "U+E0041"), ("a\u{85}", "U+0085"),
            ("a\u{E000}", "U+E000"), ("a\u{FFFF}", "U+FFFF"), ("a\u{61C}", "U+061C"),
        ])
    func badNames(name: String, reason: String) throws {
        try withStore { store in
            let id = try store.commit(.sample(experts: 2)).id
            func check(_ body: () throws -> Void) {
                let error = #expect(throws: CambiumError.self) { try body() }
                #expect(error?.code == .badName)
                #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
                #expect(
                    error?.message.unicodeScalars.allSatisfy {
                        $0.value >= 32 && !$0.properties.isDefaultIgnorableCodePoint
                            && !$0.properties.isBidiControl
                    } == true)
            }
            for kind in [ReferenceKind.branch, .tag] {
                check {
                    try store.createReference(kind, name, at: id, by: .sample)
                }
            }
            check { try store.setHead(.branch(name), by: .sample) }
            check {
                _ = try store.commit(
                    .sample(experts: 3), to: name, parents: [id], startingBranch: true)
            }
        }
    }

    @Test(
        "a name that can be seen and spelt is taken",
        arguments: [
            "main", "caf\u{E9}", "a+b", "a#1", "\u{6A39}", "x=1", "abc", "76755a24x", "v-2024",
            "fa\u{E7}ade", "\u{5D0}\u{5D1}", String(repeating: "a", count: 65), "dead/beef",
            "dead", "facade", "2024",
        ])
    func goodNames(name: String) throws {
        try withStore { store in
            let id = try store.commit(.sample(experts: 2), to: "trunk").id
            try store.createReference(.branch, name, at: id, by: .sample)
            try store.createReference(.tag, "t-" + name, at: id, by: .sample)
            #expect(try store.resolve(name) == id)
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
                code {
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
                code {
                    try store.setHead(.detached(ObjectID(hashing: [3])), by: .sample)
                } == .notFound)
        }
    }

    @Test("a store without HEAD says so, and setting HEAD repairs it")
    func lostHead() throws {
        try withStore { store in
            try store.environment.write("test") { transaction in
                _ = try transaction.delete(store.environment.table("refs"), Array("HEAD".utf8))
            }
            #expect(code { try store.references() } == .corrupt)
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
