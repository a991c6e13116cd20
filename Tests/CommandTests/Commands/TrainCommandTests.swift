import Foundation
import Testing

@Suite("train")
struct TrainCommandTests {
    private static let english = String(
        repeating: "the cat sat on the mat, and the dog ran to the cat. ", count: 60)
    private static let digits = String(
        repeating: "12 + 30 = 42; 7 * 8 = 56; 90 - 1 = 89; ", count: 60)

    /// An empty store, texts and a config.
    private func session() throws -> Session {
        let session = try Session()
        session.environment["CAMBIUM_STORE"] = session.path("S")
        try session.expect("init", "S")
        try session.write(Self.english, to: "english.txt")
        try session.write(Self.digits, to: "digits.txt")
        try session.write(
            """
            {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 1,
             "num_heads": 2, "context_length": 16, "ffn_size": 16, "rms_norm_eps": 1e-5,
             "rope_theta": 10000, "peer_layers": [0],
             "peer": {"sub_keys": 4, "heads": 1, "top_k": 2, "key_size": 8}}
            """, to: "config.json")
        return session
    }

    @Test(
        "hashed experts learn as they are told, an adapter begins as another, and what does not fit is refused"
    )
    func rowsAndStarts() throws {
        let session = try session()
        try session.write(
            """
            {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 1,
             "num_heads": 2, "context_length": 16, "ffn_size": 16, "rms_norm_eps": 1e-5,
             "rope_theta": 10000, "peer_layers": [],
             "hash": {"layers": [0], "orders": [2, 3], "table_size": 256}}
            """, to: "hash.json")
        let rows = ["--row-rate", "0.02", "--row-drop", "0.9"]
        let base = ["--data", "english.txt", "--steps", "4", "--hold-out", "0", "-m", "base"]
        let plain = try session.start(["train", "--init", "config.json"] + base + rows).end()
        #expect(plain.status == 64 && plain.errors.contains("no hashed experts"))
        _ = try session.start(["train", "--init", "hash.json"] + base + rows).end()
        let shown = try session.expect("show", "main")
        #expect(shown.text.contains("train.row-rate = 0.02"))
        #expect(shown.text.contains("train.row-drop = 0.9"))
        let round = ["train", "--steps", "2", "--hold-out", "0", "--data", "digits.txt"]
        _ = try session.start(round).end()
        let next = try session.start(
            round + ["--adapter", "sums", "--start-from", "nearest"]
        ).end()
        #expect(next.text.contains("new adapter sums, begun as digits"))
        #expect(try session.expect("show", "main").text.contains("train.started-from = digits"))
        let forgotten = try session.run("forget", "digits")
        #expect(forgotten.status != 0 && forgotten.errors.contains("cambium forget sums"))
        for clash in [["--whole"], ["--grow", "edit"], ["--edit-experts", "3"]] {
            let run = try session.start(round + ["--start-from", "digits"] + clash).end()
            #expect(run.status == 64 && run.errors.contains("--start-from is for new adapters"))
        }
        // What an adapter was made for is not reverted from below it, unless that is said.
        let refused = try session.run("revert", "main~1")
        #expect(refused.status != 0 && refused.errors.contains("--allow-unfit"))
    }

    @Test("where the time is fixed, the same round is the same commit")
    func fixedTime() throws {
        let commits = try (0..<2).map { _ in
            try session().expect(
                "train", "--init", "config.json", "--data", "english.txt", "--steps", "3", "-m",
                "base", "--json"
            ).json["commit"] as? String
        }
        #expect(commits[0] != nil && commits[0] == commits[1])
    }

    @Test(
        "a base, an adapter by the file's name, metrics in the log, and what is known is told apart"
    )
    func path() throws {
        let session = try session()
        let base = try session.expect(
            "train", "--init", "config.json", "--data", "english.txt", "--steps", "60", "-m",
            "base",
            "--hold-out", "40")
        #expect(base.text.contains("the model's own weights") && base.text.contains("held out"))
        let round = try session.expect(
            "train", "--data", "digits.txt", "--branch", "d", "--steps", "40", "--hold-out", "45",
            "--rate", "0.02", "--json")
        #expect(try round.json["adapter"] as? String == "digits")
        #expect(try round.json["isNewAdapter"] as? Bool == true)
        let bits = try #require(round.json["bitsPerByte"] as? [String: Double])
        #expect(try #require(bits["digits"]) < 5)
        let shown = try session.expect("show", "d")
        #expect(shown.text.contains("digits.bpb") && shown.text.contains("train.steps"))
        let diff = try session.expect("diff", "main", "d")
        #expect(diff.text.contains("trunk     unchanged") && diff.text.contains("digits: "))
        #expect(diff.text.contains("tensors added"))
        // Known text goes to its adapter, the base's is left alone, other text gets an adapter.
        let again = try session.expect(
            "train", "--data", "digits.txt", "--branch", "d", "--steps", "2", "--grow", "auto",
            "--json")
        #expect(try again.json["adapter"] as? String == "digits")
        #expect(try again.json["isNewAdapter"] as? Bool == false)
        let known = try session.expect(
            "train", "--data", "english.txt", "--branch", "d", "--steps", "2", "--grow", "auto")
        #expect(known.text.contains("nothing was trained"))
        let json = try session.expect(
            "train", "--data", "english.txt", "--branch", "d", "--steps", "2", "--grow", "auto",
            "--json")
        #expect(try json.json["trained"] as? Bool == false)
        let none = try session.run(
            "train", "--data", "english.txt", "--branch", "d", "--steps", "2", "--grow", "edit",
            "--adapter", "none")
        #expect(none.status == 2 && none.errors.contains("digits"))
        try session.write(
            String(repeating: "QXZ JVW KPQ! ", count: 400), to: "other.txt")
        let stream = try session.shell(
            "cat other.txt | cambium train --data - --chunk 4096 --grow auto --steps 3 "
                + "--branch d --adapter other --json")
        #expect(stream.status == 0, "\(stream.errors)")
        #expect(stream.text.contains("\"adapter\":\"other\""))
        // 4,096 of 5,200 bytes: the rest is too little for a round.
        #expect(stream.text.split(separator: "\n").count == 1)
        let little = try session.shell(
            "echo little | cambium train --data - --chunk 4096 --steps 1")
        #expect(little.status == 64 && little.errors.contains("7 bytes"))
        let taken = try session.run(
            "train", "--data", "digits.txt", "--branch", "d", "--steps", "1")
        #expect(taken.status == 64 && taken.errors.contains("--grow edit"))
        // The gate picks the adapter where the model runs.
        let result = try session.expect("eval", "d", "--text", "digits.txt", "--json")
        let rows = try #require(result.json["rows"] as? [[String: Any]])
        let shares = try #require(rows[0]["adapters"] as? [String: Double])
        #expect(try #require(shares["digits"]) > 0.8)
    }

    @Test(
        "new experts and edited ones are what the report says, and frozen parts can be named together"
    )
    func experts() throws {
        let session = try session()
        try session.expect(
            "train", "--init", "config.json", "--data", "english.txt", "--steps", "5", "-m", "base")
        let new = try session.expect(
            "train", "--data", "digits.txt", "--branch", "n", "--steps", "2", "--new-experts", "2",
            "--expert-kind", "swiglu", "--expert-width", "8", "--freeze", "trunk,experts", "--json")
        #expect(try new.json["adapter"] as? String == "digits")
        #expect(try session.expect("ls", "n").text.contains("swiglu"))
        let edited = try session.expect(
            "train", "--data", "digits.txt", "--branch", "e", "--steps", "2", "--edit-experts", "2",
            "--json")
        let layers = try #require(edited.json["edited"] as? [[String: Any]])
        #expect((layers.first?["experts"] as? [Int])?.isEmpty == false)
        // What the gate says is known is trained further as it is.
        let known = try session.expect(
            "train", "--data", "digits.txt", "--branch", "n", "--steps", "2", "--grow", "auto",
            "--new-experts", "16", "--json")
        #expect(try known.json["isNewAdapter"] as? Bool == false)
        let both = try session.run(
            "train", "--data", "digits.txt", "--whole", "--freeze", "trunk,experts", "--steps", "1")
        #expect(both.status == 64 && both.errors.contains("nothing is left to train"))
    }

    @Test("a round is held to states that the branch has, and to none that it has not")
    func held() throws {
        let session = try session()
        try session.expect(
            "train", "--init", "config.json", "--data", "english.txt", "--steps", "5", "-m", "base")
        let round = [
            "train", "--data", "digits.txt", "--whole", "--steps", "3", "--hold", "2", "--json",
        ]
        let none = try session.start(round).end()
        #expect(none.status == 64 && none.errors.contains("evidence add --kind states"))
        try session.expect(
            "evidence", "add", "--kind", "states", "--text", "english.txt", "--states", "50")
        let list = try session.expect("evidence", "ls")
        #expect(list.text.contains("50 tokens in "), "\(list.text)")
        let id = try session.expect("evidence", "ls", "-q").lines
        let kinds = try id.map { try session.expect("evidence", "show", String($0)).text }
        #expect(kinds.contains { $0.contains("kind      states of 50 tokens") }, "\(kinds)")
        let held = try session.start(round).end()
        #expect(held.status == 0, "\(held.errors)")
        let shown = try session.expect("show", "--json").json
        let metrics = try #require(shown["metrics"] as? [String: Double])
        #expect(metrics["train.hold.output"] != nil && metrics["train.hold.router"] != nil)
        #expect((shown["metadata"] as? [String: String])?["train.hold-router"] == "2.0")
    }

    @Test(
        "a file of several kinds is a round for each: known parts and novel ones go their own ways")
    func stretches() throws {
        let session = try session()
        try session.expect(
            "train", "--init", "config.json", "--data", "english.txt", "--steps", "2", "-m", "base")
        try session.expect("train", "--data", "digits.txt", "--steps", "2")
        let parts = [Self.english, Self.digits, String(repeating: "QXZ JVW KPQ! ", count: 240)]
        // About 30,000 bytes of each, so that most stretches are of one kind.
        try session.write(
            parts.map { String(repeating: $0, count: 1 + 30_000 / $0.utf8.count) }.joined(),
            to: "mixed.txt")
        let run = try session.expect(
            "train", "--data", "mixed.txt", "--grow", "auto", "--steps", "2", "--json")
        let rounds = try run.lines.map { try object(Data($0.utf8)) }
        let names = rounds.map {
            "\($0["adapter"] as? String ?? "") \($0["isNewAdapter"] as? Bool ?? false)"
        }
        #expect(Set(names) == ["digits false", "mixed true"])
        let told = try session.expect(
            "train", "--data", "mixed.txt", "--grow", "auto", "--steps", "2", "--adapter", "more")
        #expect(told.errors.contains("the base knows") && told.errors.contains("left alone"))
    }

    @Test("Ctrl-C commits nothing and keeps where the round is, for the same command alone")
    func interrupt() throws {
        let session = try session()
        try session.expect(
            "train", "--init", "config.json", "--data", "english.txt", "--steps", "5", "-m", "base")
        // More steps than any machine makes before the signal comes.
        let lines = """
            "$cambium" train --data digits.txt --branch cut --steps 10000000 --progress plain 2>log &
            job=$!
            for _ in $(seq 1200); do grep -q training log && break; sleep 0.05; done
            kill -INT $job
            # A minute to stop, so that a program that does not is no test that never ends.
            for _ in $(seq 1200); do kill -0 $job 2>/dev/null || break; sleep 0.05; done
            kill -KILL $job 2>/dev/null; wait $job
            """
        let run = try session.shell(lines)
        #expect(run.status == 130)
        let log = try String(contentsOfFile: session.path("log"), encoding: .utf8)
        #expect(log.contains("nothing was committed") && log.contains("--resume"))
        #expect(try !session.expect("log", "--json", "--all").text.contains("train adapter"))
        let other = try session.run(
            "train", "--data", "digits.txt", "--branch", "cut", "--steps", "5", "--resume")
        #expect(other.status == 64 && other.errors.contains("other data or options"))
        try session.expect("train", "--data", "digits.txt", "--branch", "cut", "--steps", "5")
        let gone = try session.run(
            "train", "--data", "digits.txt", "--branch", "cut", "--steps", "5", "--resume")
        #expect(gone.status == 2)
    }

    @Test("--grow auto goes on after Ctrl-C with the round and those behind it, to the same model")
    func resumesStretches() throws {
        let session = try session()
        let letters = String(repeating: "QXZ JVW KPQ! ", count: 240)
        try session.write(letters, to: "letters.txt")
        try session.expect(
            "train", "--init", "config.json", "--data", "english.txt", "--steps", "2", "-m", "base")
        for name in ["digits", "letters"] {
            try session.expect("train", "--data", "\(name).txt", "--steps", "2")
        }
        let greek = String(repeating: "αβγ δεζ ηθι. ", count: 240)
        try session.write(
            [Self.english, Self.digits, letters, greek].map {
                String(repeating: $0, count: 1 + 30_000 / $0.utf8.count)
            }.joined(), to: "mixed.txt")
        let words = "train --data mixed.txt --grow auto --steps 150 --json --progress plain"
        try session.expect("branch", "whole")
        try session.expect("branch", "cut")
        let whole = try session.start(
            words.split(separator: " ").map(String.init)
                + ["--branch", "whole", "-m", "a stretch"]
        ).end()
        #expect(whole.status == 0 && whole.lines.count == 3, "\(whole.errors)")
        let cut = try session.shell(
            """
            "$cambium" \(words) --branch cut -m "a stretch" > out 2> log & job=$!
            for _ in $(seq 1200); do [ -s out ] && break; sleep 0.02; done
            kill -INT $job; wait $job
            """)
        #expect(cut.status == 130)
        let done = try String(contentsOfFile: session.path("out"), encoding: .utf8)
            .split(separator: "\n").count
        #expect(done == 1 || done == 2)
        let shown = try session.expect("round", "show", "cut", "--json").json
        let plan = try #require(shown["plan"] as? [String: Any])
        #expect(plan["number"] as? Int == done + 1)
        #expect(
            plan["commit"] as? String == (try session.expect("show", "main", "--json").json)["id"]
                as? String)
        let rest = try session.start(
            words.split(separator: " ").map(String.init)
                + ["--branch", "cut", "--resume"]
        ).end()
        #expect(rest.status == 0 && rest.lines.count == 3 - done, "\(rest.errors)")
        let trees = try ["whole", "cut"].map {
            try session.expect("show", $0, "--json").json["tree"] as? String
        }
        // The message labels the evidence, so it is part of the tree.
        #expect(trees[0] != nil && trees[0] == trees[1])
        #expect(try session.expect("round", "ls", "-q").lines.isEmpty)
        let none = try session.start(
            words.split(separator: " ").map(String.init)
                + ["--branch", "cut", "--resume"]
        ).end()
        #expect(none.status == 2 && none.errors.contains("no stopped round"))
    }

    @Test(
        "a signal in training says how to go on, and ends the program",
        arguments: [SIGINT, SIGTERM])
    func signal(_ number: Int32) throws {
        let session = try session()
        try session.expect(
            "train", "--init", "config.json", "--data", "english.txt", "--steps", "5", "-m", "base")
        var steps: [Int] = []
        for more in [[], ["--resume"]] {
            let job = try session.start(
                [
                    "train", "--data", "digits.txt", "--branch", "cut", "--steps", "10000000",
                    "--progress", "plain",
                ] + more)
            try job.send(number) { try job.errors.contains("training") }
            let run = try job.end()
            #expect(run.wasKilled && run.status == number)
            #expect(run.errors.contains("nothing was committed") && run.errors.contains("--resume"))
            let folder = try FileManager.default.contentsOfDirectory(
                atPath: session.path("S/training"))
            // The round, and the empty file by which writers take turns.
            #expect(Set(folder).subtracting(["new.lock"]).count == 1)
            let rounds = try session.expect("round", "ls", "--json").json["rounds"]
            let round = try #require((rounds as? [[String: Any]])?.first)
            steps.append(try #require(round["steps"] as? Int))
        }
        // It went on from where it was.
        #expect(steps.count == 2 && steps[1] > steps[0])
    }

    @Test(
        "options that make no sense are refused",
        arguments: [
            ["--data", "english.txt", "--steps", "1", "--seconds", "1"],
            ["--data", "english.txt", "--hold-out", "70"],
            ["--data", "english.txt", "--init", "config.json", "--freeze", "trunk"],
            ["--data", "english.txt", "--freeze", "trunk,head"],
            ["--data", "english.txt", "--edit-experts", "2", "--whole"],
            ["--data", "english.txt", "--edit-experts", "2", "--new-experts", "16"],
            ["--data", "english.txt", "--background", "english.txt"],
            ["--data", "english.txt", "--edit-experts", "2", "--freeze", "experts"],
            ["--data", "english.txt", "--edit-experts", "2", "--kind", "lora"],
            ["--data", "english.txt", "--whole", "--kind", "lora"],
            ["--data", "english.txt", "--expert-kind", "swiglu"],
            ["--data", "english.txt", "--new-experts", "16", "--expert-width", "8"],
            ["--data", "english.txt", "--new-experts", "16", "--whole"],
            ["--data", "english.txt", "--whole", "--adapter", "x"],
            ["--data", "english.txt", "--chunk", "10000"],
            ["--data", "english.txt", "--hold", "1"],
            ["--data", "english.txt", "--hold", "1", "--init", "config.json"],
            ["--data", "english.txt", "--whole", "--hold-router", "1"],
            ["--data", "english.txt", "--whole", "--hold", "-1"],
            ["--data", "english.txt", "--kind", "lora:0"],
            ["--data", "english.txt", "--kind", "tree"],
            ["--steps", "1"],
        ])
    func refusals(options: [String]) throws {
        let session = try session()
        let run = try session.start(["train"] + options).end()
        #expect(run.status == 64)
    }

    @Test("a missing file, an empty folder and a store without a model are named")
    func missing() throws {
        let session = try session()
        let file = try session.run("train", "--data", "none.txt", "--steps", "1")
        #expect(file.status == 2 && file.errors.contains("none.txt"))
        let folder = try session.run("train", "--data", session.directory + "/S", "--steps", "1")
        #expect(folder.status == 2 && folder.errors.contains("no .txt file"))
        let empty = try session.run("train", "--data", "english.txt", "--steps", "1")
        #expect(empty.status == 2 && empty.errors.contains("--init"))
    }
}
