import Foundation
import Testing

@Suite("forget and restore")
struct ForgetCommandTests {
    /// A store with a base and an adapter `digits` on the branch d.
    private func session() throws -> Session {
        let session = try Session()
        session.environment["CAMBIUM_STORE"] = session.path("S")
        try session.expect("init", "S")
        try session.write(
            String(repeating: "the cat sat on the mat. ", count: 60), to: "english.txt")
        try session.write(
            String(repeating: "12 + 30 = 42; 7 * 8 = 56; ", count: 60), to: "digits.txt")
        try session.write(
            """
            {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 1,
             "num_heads": 2, "context_length": 16, "ffn_size": 16, "rms_norm_eps": 1e-5,
             "rope_theta": 10000, "peer_layers": [0],
             "peer": {"sub_keys": 4, "heads": 1, "top_k": 2, "key_size": 8}}
            """, to: "config.json")
        try session.expect(
            "train", "--init", "config.json", "--data", "english.txt", "--steps", "2", "-m", "base")
        try session.expect(
            "train", "--data", "digits.txt", "--branch", "d", "--steps", "2", "-m",
            "a round of digits")
        return session
    }

    @Test("what an interrupted call was taking out stays noted until a call comes to its end")
    func interrupted() throws {
        let session = try session()
        let mark = session.path("S/forgetting")
        func marked() throws -> String { try String(contentsOfFile: mark, encoding: .utf8) }
        // As after a call whose history was rewritten, and that ended before the bytes were gone.
        try Data("gone".utf8).write(to: URL(fileURLWithPath: mark))
        let typo = try session.run("forget", "typo", "--from-history", "--prune")
        #expect(typo.status == 2 && typo.errors.contains("'gone' was interrupted"))
        #expect(try marked() == "gone")
        let branch = try session.run(
            "forget", "digits", "--from-history", "--prune", "--branch", "none")
        #expect(branch.status == 2)
        #expect(try marked() == "gone")
        try session.expect("forget", "gone", "--from-history", "--prune")
        #expect(!FileManager.default.fileExists(atPath: mark))
        // Another one's end clears up for it too.
        try Data("gone".utf8).write(to: URL(fileURLWithPath: mark))
        try session.expect("forget", "digits", "--from-history", "--prune")
        #expect(!FileManager.default.fileExists(atPath: mark))
        let none = try session.run("forget", "gone", "--from-history", "--prune")
        #expect(none.status == 2)
    }

    @Test("an adapter is listed, forgotten, and gone from history when that is confirmed")
    func forget() throws {
        let session = try session()
        let list = try session.expect("ls", "d").text
        #expect(list.contains("adapter  kind") && list.contains("a round of digits"))
        let json = try session.expect("ls", "d", "--json").json
        let adapters = try #require(json["adapters"] as? [[String: Any]])
        #expect(adapters.map { $0["name"] as? String } == ["digits"])
        #expect((adapters[0]["rounds"] as? [[String: Any]])?.count == 1)
        let id = try #require(
            try session.expect("evidence", "ls", "d").lines.first { $0.contains("digits") }?.split(
                separator: " "
            ).first)
        let dropped = try session.expect("evidence", "drop", String(id), "--branch", "d")
        #expect(
            dropped.text.contains(
                "weights that were trained on this text stay; `cambium forget digits`"))
        let forgot = try session.expect("forget", "digits", "--branch", "d")
        #expect(forgot.text.hasPrefix("forgot digits on d: "))
        #expect(forgot.text.contains("history still holds it: d, "))
        #expect(try session.expect("diff", "main", "d").text.contains("the same model"))
        let none = try session.run("forget", "digits", "--branch", "main")
        #expect(none.status == 2)
        let preview = try session.expect("forget", "digits", "--from-history")
        #expect(preview.text.contains("nothing was changed; --prune does it"))
        #expect(try session.expect("log", "d", "-q").lines.count == 4)
        let done = try session.expect("forget", "digits", "--from-history", "--prune", "--json")
            .json
        #expect(done["pruned"] as? Bool == true && (done["objects"] as? Int ?? 0) > 0)
        #expect(try session.expect("log", "d", "-q").lines.count == 1)
        let data = try Data(contentsOf: URL(fileURLWithPath: session.path("S/data.mdb")))
        #expect(data.range(of: Data("cohorts.digits".utf8)) == nil)
        #expect(try session.expect("verify").text.contains("no faults"))
        #expect(try session.run("forget", "digits", "--prune").status == 64)
        let again = try session.run("forget", "digits", "--from-history", "--prune")
        #expect(again.status == 2 && again.errors.contains("leads to an adapter 'digits'"))
        // Unless an earlier call ended before the file was written anew.
        try session.write("digits", to: "S/forgetting")
        #expect(try session.run("forget", "others", "--from-history").status == 2)
        try session.expect("forget", "digits", "--from-history", "--prune")
        #expect(try session.run("forget", "digits", "--from-history", "--prune").status == 2)
    }

    @Test("restore takes an expert from another branch, under its other name as well")
    func restore() throws {
        let session = try Session.history()
        let taken = try session.expect("restore", "left:0/3", "left:0/5")
        #expect(taken.text.contains("restored 2 things; main is at "))
        #expect(try session.expect("diff", "main", "left").text.contains("the same model"))
        #expect(try session.expect("show", "main").text.contains("restore.from = 0/3 from "))
        let again = try session.expect("cherry-pick", "left:0/3-5", "--json")
        #expect(try again.json["unchanged"] as? Bool == true)
        let none = try session.run("restore", "left:0/99")
        #expect(none.status == 2 && none.errors.contains("no expert 99"))
        #expect(try session.run("cherry-pick").status == 64)
    }
}
