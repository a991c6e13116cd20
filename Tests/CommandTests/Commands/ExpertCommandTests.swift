import CheckpointSupport
import Foundation
import Testing

@Suite("expert add and drop, and shared")
struct ExpertCommandTests {
    /// Bytes that follow each other without a pattern.
    static func text(_ first: UInt8, _ count: Int) -> Data {
        var state: UInt32 = 7
        return Data(
            (0..<count).map { _ in
                state = state &* 1_664_525 &+ 1_013_904_223
                return first + UInt8(state >> 24) % 6
            })
    }

    private func session() throws -> Session {
        let session = try Session.history()
        try session.expect("commit", TokensTests.model, "-m", "olmoe", "--branch", "olmoe")
        try Self.text(97, 3_072).write(to: URL(filePath: session.path("old.txt")))
        try Self.text(200, 1_024).write(to: URL(filePath: session.path("new.txt")))
        return session
    }

    @Test("behind a gate the model itself stays, and a share without a gate is refused")
    func gated() throws {
        let session = try session()
        let words = [
            "expert", "add", "olmoe", "--from", TokensTests.model + ":3", "--evidence", "new.txt",
            "--keep", "old.txt", "--share", "0.95",
        ]
        let clash = try session.start(words).end()
        #expect(clash.status == 64 && clash.errors.contains("--gate"))
        let run = try session.start(words + ["--gate", "new"]).end()
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.text.contains("new") && run.text.contains("new domain"))
        let shown = try session.expect("show", "olmoe", "--json").json
        #expect("\(shown)".contains("expert.gate"))
        try session.expect("eval", "olmoe", "--text", "new.txt")
        try session.expect("resolve", "--branch", "olmoe", "--take", "new")
        let other = try session.run(
            "merge", "olmoe~1", "--into", "olmoe", "--policy", "mean", "--grow")
        #expect(other.status == 64 && other.errors.contains("--grow"))
    }

    @Test(
        "an expert is added with figures, the model runs, and dropped the model is the one before")
    func addAndDrop() throws {
        let session = try session()
        let source = TokensTests.model + ":3"
        let words = [
            "expert", "add", "olmoe", "--from", source, "--evidence", "new.txt", "--keep",
            "old.txt",
        ]
        let run = try session.start(words + ["--layer", "all"]).end()
        #expect(run.status == 0, "\(run.errors)")
        #expect(
            run.text.contains("expert 16 in 3 layers") && run.text.contains("new domain picks it"))
        let shown = try session.expect("show", "olmoe", "--json").json
        #expect("\(shown)".contains("expert.unchanged"))
        try session.expect("generate", "olmoe", "--tokens", "200,201", "-n", "3")
        let eval = try session.expect("eval", "olmoe", "olmoe~1", "--text", "new.txt", "--json")
        #expect(eval.text.contains("bitsPerByte"))
        try session.expect("expert", "drop", "olmoe", "-m", "back")
        // What old text decided was kept; without it nothing is left of the expert.
        let list = try session.expect("evidence", "ls", "olmoe")
        #expect(list.text.contains("routes  3,072  3,072 tokens in 3 layers of 16 experts"))
        let id = try session.expect("evidence", "ls", "olmoe", "-q").lines[0].description
        let detail = try session.expect("evidence", "show", id, "olmoe")
        #expect(
            detail.text.contains("kind      routes of 3,072 tokens")
                && detail.text.contains("model     "))
        try session.expect("evidence", "drop", id, "--branch", "olmoe")
        let diff = try session.expect("diff", "olmoe~3", "olmoe")
        #expect(diff.text.contains("are the same model"))
        // Recorded for itself it serves as well.
        let alone = try session.expect(
            "evidence", "add", "olmoe", "--kind", "routes", "--text", "old.txt", "-q")
        #expect(alone.lines.map(\.description) == [id])
        let again = try session.start(words.dropLast(2) + ["--json"]).end().json
        #expect(again["expert"] as? Int == 16)
        #expect(try #require(again["unchanged"] as? Double) >= 0.995)
        #expect((again["layers"] as? [[String: Any]])?.count == 3)
    }

    @Test(
        "what cannot be is an error with its exit code")
    func errors() throws {
        let session = try session()
        let texts = ["--evidence", "new.txt", "--keep", "old.txt"]
        let source = ["--from", TokensTests.model + ":3"]
        for (words, status) in [
            (["add", "none"] + source + texts, 2), (["add", "main"] + source + texts, 1),
            (["add", "olmoe", "--from", TokensTests.model + ":99"] + texts, 2),
            (["add", "olmoe", "--from", TokensTests.model] + texts, 64),
            (["add", "olmoe"] + source + texts + ["--layer", "1"], 64),
            (["add", "olmoe"] + source + texts + ["--unchanged", "2"], 64),
            (["add", "olmoe"] + source + ["--evidence", "new.txt"], 64),
            (["drop", "olmoe", "16"], 2), (["drop", "main"], 1),
        ].map({ (["expert"] + $0, $1) }) + [
            (
                [
                    "evidence", "add", "olmoe", "--kind", "routes", "--text", "old.txt",
                    "--adapter",
                    "a",
                ], 64
            ),
            (["evidence", "add", "olmoe", "--kind", "routes"], 64),
            (["evidence", "add", "main", "--kind", "routes", "--text", "old.txt"], 1),
            (["evidence", "add", "--adapter", "a", "--text", "old.txt", "--limit", "9"], 64),
        ] {
            let run = try session.start(words).end()
            #expect(run.status == status, "\(words): \(run.status) \(run.errors)")
            #expect(!run.errors.isEmpty)
        }
    }

    @Test("shared tells bytes of pairs and of all, as a table, as JSON and quietly")
    func shared() throws {
        let session = try Session.history()
        let run = try session.expect("shared", "main", "left", "right")
        #expect(run.text.contains("main, left") && run.text.contains("together"))
        let json = try session.expect("shared", "main", "left", "right", "--json").json
        let pairs = try #require(json["pairs"] as? [[String: Any]])
        #expect(pairs.count == 3 && json["inAll"] != nil)
        let plain = try session.expect("shared", "main", "left", "--bytes", "--json").json
        let pair = try #require((plain["pairs"] as? [[String: Any]])?.first)
        #expect(pair["sameInBF16"] == nil)
        #expect(try session.expect("shared", "main", "left", "-q").lines.count == 1)
        #expect(try session.run("shared", "main").status == 64)
        #expect(try session.run("shared", "main", "none").status == 2)
    }
}
