import Foundation
import Testing

@Suite("Evidence on the command line")
struct EvidenceCommandTests {
    private func session() throws -> Session {
        let session = try Session.base()
        for (name, text) in [
            ("english", "the quick brown fox jumps over the lazy dog and runs away again"),
            ("swahili", "habari ya asubuhi, watoto wanakwenda shule kila siku asubuhi"),
        ] {
            try Data(text.utf8).write(to: URL(fileURLWithPath: session.path(name)))
        }
        return session
    }

    private func expect(_ arguments: [String], _ session: Session) throws {
        let run = try session.start(arguments).end()
        #expect(run.status == 0, "\(arguments): \(run.errors)")
    }

    @Test("is added, listed, merged and asked")
    func path() throws {
        let session = try session()
        let added = try session.expect(
            "evidence", "add", "--adapter", "base", "--text", "english", "--label", "round 0")
        #expect(added.text.contains("added ") && added.text.contains("round 0"))
        #expect(
            try session.expect(
                "evidence", "add", "--adapter", "base", "--text", "english",
                "--label", "round 0"
            ).text.contains("nothing changed"))
        try session.expect(
            "evidence", "add", "--adapter", "swahili", "--text", "swahili", "--branch", "side")
        try session.expect("merge", "side", "--into", "main")
        let list = try session.expect("evidence", "ls", "main", "--json")
        let records = try #require(try list.json["evidence"] as? [[String: Any]])
        #expect(records.map { $0["adapter"] as? String } == ["base", "swahili"])
        let gate = try session.expect("evidence", "gate", "--text", "swahili", "-q")
        #expect(gate.text.trimmingCharacters(in: .whitespacesAndNewlines) == "swahili")
        let id = try #require(records[1]["id"] as? String)
        let shown = try session.expect("evidence", "show", String(id.prefix(8)))
        #expect(shown.text.contains("60 bytes"))
        let difference = try session.expect("diff", "main~1", "main")
        #expect(difference.text.contains("\(id.prefix(12)) added"))
        #expect(try session.expect("ls", "main").text.contains("2 records"))
        try session.expect("evidence", "drop", String(id.prefix(8)))
        #expect(try session.expect("evidence", "ls", "-q").text.split(separator: "\n").count == 1)
    }

    @Test("of hidden states is added, shown and asked by layer")
    func gramSums() throws {
        let session = try session()
        for (adapter, branch) in [("english", "main"), ("swahili", "side")] {
            let added = try session.expect(
                "evidence", "add", "--kind", "gram", "--layer", "0", "--adapter", adapter,
                "--text",
                adapter, "--branch", branch, "--threads", "2")
            #expect(added.text.contains("states in front of layer 0"))
        }
        try session.expect("merge", "side", "--into", "main")
        let gate = try session.expect(
            "evidence", "gate", "--layer", "0", "--form", "ridge", "--text", "swahili", "--json")
        #expect(try gate.json["adapters"] as? [String] == ["english", "swahili"])
        #expect(try gate.json["form"] as? String == "ridge" && gate.json["lambda"] is Double)
        let plain = try session.expect("evidence", "gate", "--layer", "0")
        #expect(plain.text.contains("from layer 0 by discriminant, lambda"))
        let id = try session.expect("evidence", "ls", "-q").text.prefix(12)
        #expect(try session.expect("evidence", "show", String(id)).text.contains("trunk "))
        for wrong in [
            ["--kind", "gram"], ["--layer", "0"],
            ["--kind", "gram", "--layer", "0", "--order", "3"],
        ] {
            let run = try session.start(
                ["evidence", "add", "--adapter", "a", "--text", "english"] + wrong
            ).end()
            #expect(run.status == 64)
        }
        #expect(try session.start(["evidence", "gate", "--form", "ridge"]).end().status == 64)
    }

    @Test("of picks is solved to a router, by those of the model or of a file")
    func router() throws {
        let session = try session()
        let add = ["evidence", "add", "--kind", "gram", "--target", "experts", "--layer", "0"]
        let none = try session.start(["evidence", "router", "--layer", "0"]).end()
        #expect(none.status == 2 && none.errors.contains("--target experts"))
        try expect(add + ["--text", "english"], session)
        let plain = try session.expect(
            "evidence", "router", "--layer", "0", "--text", "english", "--text", "swahili",
            "--save", "router.safetensors")
        #expect(plain.text.contains("16 experts of layer 0, by ridge, lambda"))
        #expect(plain.text.contains("saved to router.safetensors"))
        #expect(plain.text.contains("solved from this text"))
        #expect(FileManager.default.fileExists(atPath: session.path("router.safetensors")))
        let json = try session.expect("evidence", "router", "main", "--layer", "0", "--json").json
        #expect((json["evidence"] as? [String])?.count == 1 && json["experts"] as? Int == 16)
        #expect((json["lambdas"] as? [Double])?.count == 2)
        let id = try session.expect("evidence", "router", "--layer", "0", "-q")
        #expect(id.text == "\(try #require(json["router"] as? String))\n")
        // Assigned ones are other evidence, on a branch without the model's picks of the text.
        try session.expect("branch", "assigned", "main~1")
        try Data((0..<63).map { "\($0 % 16)" }.joined(separator: "\n").utf8)
            .write(to: URL(fileURLWithPath: session.path("experts")))
        try expect(
            ["evidence", "add", "assigned"] + add.dropFirst(2)
                + ["--text", "english", "--assignments", "experts"], session)
        let other = try session.expect(
            "evidence", "router", "assigned", "--layer", "0", "--text", "english",
            "--assignments", "experts", "--json")
        #expect(try other.json["router"] as? String != json["router"] as? String)
        for (wrong, part) in [
            (["--assignments", "swahili"], "no digit"),
            (["--assignments", "none"], "No such file"),
            (["--assignments", "experts", "--assignments", "experts"], "give one for each"),
        ] {
            let run = try session.start(add + ["--text", "english"] + wrong).end()
            #expect(run.status != 0 && run.errors.contains(part), "\(run.errors)")
        }
    }

    @Test("of picks is committed as the model's router, and merged by what it was solved from")
    func committedRouter() throws {
        let session = try session()
        let add = ["--kind", "gram", "--target", "experts", "--layer", "0", "--text"]
        func solve(_ branch: String, _ texts: String...) throws {
            try session.expect("branch", branch, "main")
            for text in texts { try expect(["evidence", "add", branch] + add + [text], session) }
            let made = try session.expect("evidence", "router", branch, "--layer", "0", "--commit")
            #expect(made.text.contains("committed: \(branch) "))
        }
        try solve("a", "english")
        try solve("b", "swahili")
        try solve("joint", "english", "swahili")
        let again = try session.expect(
            "evidence", "router", "a", "--layer", "0", "--commit", "--json"
        ).json
        #expect((again["committed"] as? [String: Any])?["unchanged"] as? Bool == true)
        try session.expect("merge", "b", "--into", "a")
        func tree(_ branch: String) throws -> String? {
            try session.expect("show", branch, "--json").json["tree"] as? String
        }
        #expect(try tree("a") != nil && tree("a") == tree("joint"))
        func said(_ branch: String) throws -> String {
            try session.expect("generate", branch, "--prompt", "the ", "-n", "30").text
        }
        #expect(try said("a") == said("joint"))
        for (wrong, status) in [
            (["router", "a", "--layer", "7", "--commit"], 1),
            (["router", "main", "--layer", "0", "--commit"], 2),
            (["router", "main~1", "--layer", "0", "--commit"], 2),
            (["router", "a", "--layer", "0", "--commit", "--top", "3"], 64),
            (["router", "a", "--layer", "0", "-m", "why"], 64),
            (["router", "a", "--layer", "0", "--commit", "--form", "lasso"], 64),
        ] {
            let run = try session.start(["evidence"] + wrong).end()
            #expect(run.status == Int32(status), "\(wrong): \(run.status) \(run.errors)")
        }
    }

    @Test("of squared gradients is added to branches, and merged by")
    func fisher() throws {
        let session = try session()
        for (name, edits) in [("left", [5: Float(1)]), ("right", [5: 2])] {
            try TinyCheckpoint(edits: edits).write(to: session.path(name))
            try session.expect("branch", name, "main")
            try session.expect("commit", name, "-m", name, "--branch", name)
        }
        let merge = ["merge", "left", "right", "--into", "main", "--policy", "fisher"]
        let without = try session.start(merge).end()
        #expect(without.status != 0 && without.errors.contains("--kind fisher"))
        for (branch, text) in [("left", "english"), ("right", "swahili")] {
            let added = try session.expect(
                "evidence", "add", "--kind", "fisher", "--branch", branch, "--text", text)
            #expect(added.text.contains("recorded squared gradients on"))
            #expect(added.text.contains("16 experts"))
        }
        let again = try session.expect(
            "evidence", "add", "left", "--kind", "fisher", "--text", "english", "--threads", "2",
            "--json")
        #expect(try again.json["unchanged"] as? Bool == true)
        try expect(merge, session)
        for wrong in [["--adapter", "base"], ["--layer", "0"], ["--order", "3"]] {
            let run = try session.start(
                ["evidence", "add", "--kind", "fisher", "--text", "english"] + wrong
            ).end()
            #expect(run.status == 64, "\(wrong)")
        }
    }

    @Test("goes to a branch; of another revision the error says what to do")
    func revisions() throws {
        let session = try session()
        let rest = ["--adapter", "base", "--text", "english"]
        try session.expect("branch", "side")
        try expect(["evidence", "add", "side"] + rest, session)
        try expect(["evidence", "add", "HEAD"] + rest, session)
        #expect(try session.expect("evidence", "ls", "side", "-q").lines.count == 1)
        try session.expect("tag", "v1")
        let tag = try session.start(["evidence", "add", "v1"] + rest).end()
        #expect(tag.status == 64 && tag.errors.contains("cambium branch NEW v1"))
        let gone = try session.start(["evidence", "add", "nothing"] + rest).end()
        #expect(gone.status == 2 && gone.errors.contains("no branch 'nothing'"))
        let both = try session.start(["evidence", "add", "side", "--branch", "main"] + rest).end()
        #expect(both.status == 64)
    }

    @Test("takes global options before and behind its name, and tells mistakes")
    func mistakes() throws {
        let session = try session()
        #expect(try session.expect("--json", "evidence", "ls").output.first == UInt8(ascii: "{"))
        let gone = try session.start(["evidence", "gate"]).end()
        #expect(gone.status == 2 && gone.errors.contains("cambium evidence add"))
        #expect(try session.start(["evidence", "drop", "abcd"]).end().status == 2)
        #expect(try session.start(["evidence", "show", "abcd"]).end().status == 2)
        #expect(try session.start(["evidence", "add", "--adapter", "a"]).end().status == 64)
        let order = try session.start(
            ["evidence", "add", "--adapter", "a", "--text", "english", "--order", "9"]
        ).end()
        #expect(order.status == 64 && order.errors.contains("1 to 8"))
        #expect(try session.start(["evidence", "nothing"]).end().status == 64)
        #expect(try session.start(["evidence", "gate", "--limit", "0"]).end().status == 64)
    }
}
