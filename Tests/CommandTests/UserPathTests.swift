import Foundation
import Testing

@Suite("A user's path")
struct UserPathTests {
    @Test("init tells the next step")
    func initialise() throws {
        let session = try Session()
        let run = try session.expect("init", "S")
        #expect(run.text.contains("export CAMBIUM_STORE=$PWD/S"))
        #expect(run.text.contains("cambium commit CHECKPOINT"))
        let status = try session.expect("status", "--store", "S")
        #expect(status.text.contains("next: cambium commit"))
    }

    @Test("the store comes from an option before or after the command, a variable or the directory")
    func storeNames() throws {
        let session = try Session()
        try session.expect("init", "S")
        for line in [
            "cambium -C S status", "cambium status --store S", "cambium --store=S status",
            "CAMBIUM_STORE=S cambium status", "cd S && cambium status",
        ] {
            let run = try session.shell(line)
            #expect(
                run.status == 0 && run.text.contains("on branch main"), "\(line): \(run.errors)")
        }
    }

    @Test("a commit says what was recognised, what is new and what is reused")
    func commit() throws {
        let session = try Session()
        try TinyCheckpoint().write(to: session.path("base"))
        try TinyCheckpoint(edits: [3: 1]).write(to: session.path("next"))
        try session.expect("init", "S")
        let first = try session.expect("commit", "base", "-m", "base", "--store", "S")
        #expect(first.text.hasPrefix("main "))
        #expect(first.text.contains("peer-lm, 1 expert layer, 16 experts"))
        #expect(first.text.contains("16 experts among them"))
        let second = try session.expect("commit", "next", "-m", "next", "-C", "S")
        #expect(second.text.contains("1 expert among them"))
        #expect(second.text.contains("93.8 % of the experts"))
        let again = try session.expect("commit", "next", "-m", "next", "-C", "S")
        #expect(again.text.hasPrefix("nothing changed: main "))
        let branch = try session.expect("commit", "next", "-m", "b", "--branch", "b", "-C", "S")
        #expect(branch.text.hasPrefix("made branch b "))
        let quiet = try session.expect("commit", "base", "-m", "back", "-C", "S", "-q")
        #expect(quiet.text.count == 65)
    }

    @Test("NaN in a checkpoint is kept and said")
    func notFinite() throws {
        let session = try Session.history()
        try TinyCheckpoint(values: [2: .nan]).write(to: session.path("nan"))
        let run = try session.expect("commit", "nan", "-m", "nan")
        #expect(run.errors.contains("warning: of the new values, 16 are NaN and 0 infinite"))
    }

    @Test("metrics and metadata are kept")
    func metadata() throws {
        let session = try Session.history()
        try TinyCheckpoint(edits: [1: 1]).write(to: session.path("next"))
        try session.expect(
            "commit", "next", "-m", "next", "--metric", "a.bpb=2.5", "--metric", "b=1", "--meta",
            "k=v w")
        let run = try session.expect("show", "HEAD")
        #expect(run.text.contains("a.bpb = 2.5"))
        #expect(run.text.contains("k = v w"))
        let twice = try session.run(
            "commit", "next", "-m", "x", "--metric", "a=1", "--metric", "a=2")
        #expect(twice.status == 64)
    }

    @Test("an unchanged commit to a missing branch makes the branch, and says so")
    func unchangedOnNewBranch() throws {
        let session = try Session.history()
        let run = try session.expect("commit", "base", "-m", "same", "--branch", "new")
        #expect(run.text.hasPrefix("made branch new "))
        #expect(run.text.contains("this model already"))
        #expect(try session.expect("branch", "-q").text == "left\nmain\nnew\nright\n")
        let again = try session.expect("commit", "base", "-m", "same", "--branch", "new")
        #expect(!again.text.contains("made branch"))
    }

    @Test("log draws the graph, filters by time and limits")
    func log() throws {
        let session = try Session.history()
        let graph = try session.expect("log", "--graph", "--all")
        #expect(graph.lines.count == 4)
        #expect(graph.lines.contains { $0 == "├─╯" })
        #expect(graph.lines.last?.contains("(HEAD -> main) base") == true)
        session.environment["LANG"] = "C"
        #expect(try session.expect("log", "--graph", "--all").lines.contains { $0 == "|-/" })
        #expect(try session.expect("log", "left", "--oneline", "-n", "1").lines.count == 1)
        #expect(try session.expect("log", "--since", "1 day").lines.count > 0)
        #expect(try session.expect("log", "--since", "2027-01-01").text == "")
        let full = try session.expect("log")
        #expect(full.text.contains("just now (2026-11-24 03:10 UTC) by Ada"))
    }

    @Test("diff finds exactly the experts that changed")
    func diff() throws {
        let session = try Session.history()
        let summary = try session.expect("diff", "main", "left")
        #expect(summary.text.contains("2 of 16 experts changed"))
        #expect(summary.text.contains("trunk    unchanged"))
        let ids = try session.expect("diff", "main", "left", "--ids", "-q")
        #expect(ids.text == "0/base/3\n0/base/5\n")
        let one = try session.expect("diff", "left")
        #expect(one.lines.first?.hasPrefix("left ") == true)
        #expect(one.lines.first?.contains("HEAD ") == true)
        #expect(try session.expect("diff", "main", "HEAD").text.contains("the same model"))
        #expect(try session.run("diff", "main", "left", "--exit-code").status == 1)
        #expect(try session.run("diff", "main", "main", "--exit-code").status == 0)
    }

    @Test("branches and tags are made, listed and removed")
    func references() throws {
        let session = try Session.history()
        try session.expect("tag", "v1", "left")
        #expect(try session.expect("tag").text.hasPrefix("v1  "))
        #expect(try session.expect("branch", "-q").text == "left\nmain\nright\n")
        #expect(try session.expect("branch").text.contains("* main"))
        let removed = try session.expect("branch", "-d", "left")
        #expect(removed.text.contains("brings it back"))
        #expect(try session.run("branch", "-d", "left").status == 2)
        #expect(try session.run("branch", "right").status == 1)
        let hidden = try session.run("commit", "right", "-m", "x", "--branch", "v1")
        #expect(hidden.status == 1 && hidden.errors.contains("there is a tag 'v1' already"))
        #expect(try session.run("switch", "-c", "v1").status == 1)
        try session.expect("tag", "-d", "v1")
        #expect(try session.expect("tag").text == "no tags yet\n")
        try session.expect("switch", "-c", "new", "right")
        #expect(try session.expect("status").text.contains("on branch new"))
        #expect(try session.expect("switch", "right~1").text.hasPrefix("HEAD is detached"))
        #expect(try session.expect("status").text.contains("detached"))
    }

    @Test("reset moves a branch and says how to go back; reflog has the move")
    func reset() throws {
        let session = try Session.history()
        let moved = try session.expect("reset", "left~1", "--branch", "left")
        #expect(moved.text.contains("goes back"))
        #expect(try session.expect("reflog", "left", "-n", "1").text.contains("reset: to left~1"))
    }

    @Test("revert undoes a commit")
    func revert() throws {
        let session = try Session.history()
        let run = try session.expect("revert", "left", "--branch", "left")
        #expect(run.text.hasPrefix("reverted left on left: "))
        #expect(try session.expect("diff", "main", "left").text.contains("the same model"))
    }

    @Test("a merge lists conflicts, writes nothing and ends with 3; a policy settles them")
    func merge() throws {
        let session = try Session.history()
        let before = try session.expect("log", "main", "--all", "-q").text
        let stopped = try session.run("merge", "left", "right", "--into", "main")
        #expect(stopped.status == 3)
        #expect(stopped.text.contains("merging left, right into main: 1 conflict"))
        #expect(
            stopped.text.contains(
                "  expert 0/base: 1\n    5  left, right  relative L2 0.4926, max abs 1.00\n"))
        #expect(stopped.errors.contains("--policy mean"))
        #expect(stopped.errors.contains("--take '0/5=left'"))
        #expect(try session.expect("log", "main", "--all", "-q").text == before)
        let dry = try session.expect(
            "merge", "left", "right", "--into", "main", "--policy", "ours", "--dry-run")
        #expect(dry.text.hasPrefix("would merge left, right into main\n"))
        #expect(dry.text.contains("1 conflict by policy ours, left's version taken: 0/5"))
        try session.write("# by hand\n0/5 = right\n", to: "decisions.txt")
        let taken = try session.expect(
            "merge", "left", "right", "--into", "main", "--take-from", "decisions.txt", "--dry-run")
        #expect(taken.text.contains("settled  1 conflict with right's version by --take: 0/5"))
        let json = try session.expect(
            "merge", "left", "right", "--into", "main", "--take", "0/5=mean", "--weight", "left=3",
            "--dry-run", "--json"
        ).json
        let settled = try #require(json["settled"] as? [[String: Any]])
        #expect(settled.map { $0["path"] as? String } == ["0/5"])
        #expect(settled[0]["policy"] as? String == "mean")
        let unused = try session.run(
            "merge", "left", "right", "--into", "main", "--take", "0/6=left", "--policy", "mean")
        #expect(unused.status == 64 && unused.errors.contains("'0/6=left' settles nothing"))
        let nowhere = try session.run("merge", "left", "--take-from", "nowhere.txt")
        #expect(nowhere.status == 2 && nowhere.errors.contains("nowhere.txt"))
        let merged = try session.expect(
            "merge", "left", "right", "--into", "main", "--policy", "mean", "--weight", "left=3")
        #expect(merged.text.hasPrefix("merged left, right into main: "))
        #expect(merged.text.contains("settled  1 conflict by policy mean: 0/5"))
        let again = try session.expect("merge", "left", "--into", "main")
        #expect(again.text == "main has left already; nothing to do\n")
        #expect(try session.expect("show", "main").text.contains("merge.policy = mean"))
    }

    @Test("export gives back the checkpoint, byte for byte, and does not overwrite")
    func export() throws {
        let session = try Session.history()
        try session.expect("export", "left", "out/")
        for name in ["model.safetensors", "config.json"] {
            #expect(
                try Data(contentsOf: URL(fileURLWithPath: session.path("out/\(name)")))
                    == Data(contentsOf: URL(fileURLWithPath: session.path("left/\(name)"))))
        }
        #expect(try session.run("export", "left", "out").status == 1)
        try session.expect("export", "right", "out", "--force")
        let deep = try session.expect("export", "right", "a/b//c/", "-q")
        #expect(deep.text == "a/b//c/model.safetensors\na/b//c/config.json\n")
        try session.expect("export", "right", session.path("d/e"))
    }

    @Test("ls, show and cat look into a model")
    func look() throws {
        let session = try Session.history()
        #expect(try session.expect("ls", "main").text.contains("0      base  neuron"))
        #expect(try session.expect("ls", "main:0").lines.count == 16)
        let tensors = try session.expect("ls", "main", "--trunk").lines
        #expect(tensors.contains { $0.contains("F32  [256, 8]") && $0.hasSuffix("lm_head.weight") })
        #expect(try session.expect("show", "main:0/5").text.contains("64 bytes"))
        #expect(try session.expect("cat", "main:0/5").output.count == 64)
        #expect(try session.expect("cat", "main:model.norm.weight").output.count == 32)
        let config = try Data(contentsOf: URL(fileURLWithPath: session.path("base/config.json")))
        #expect(try session.expect("cat", "main:config.json").output == config)
        #expect(try session.run("cat", "main:0/16").status == 2)
        #expect(try session.run("cat", "main:nothing").status == 2)
        #expect(try session.run("cat", "main").status == 64)
    }

    @Test("eval prints a table of revisions and texts, whatever the threads")
    func evaluate() throws {
        let session = try Session.history()
        let text = String(repeating: "The quick brown fox. ", count: 10)
        try session.write(text, to: "fox.txt")
        try session.write(text + "!", to: "hare.txt")
        let one = try session.expect(
            "eval", "main", "left", "--text", "fox.txt", "hare.txt", "--threads", "1")
        #expect(one.lines.map { $0.split(separator: " ").count } == [5, 3, 3])
        #expect(one.lines[0].hasSuffix("fox    hare"))
        let two = try session.expect(
            "eval", "main", "left", "--text", "fox.txt", "--text", "hare.txt", "--threads", "2")
        #expect(one.text == two.text)
        let stats = try session.expect("eval", "--text", "fox.txt", "--limit", "32", "--stats")
        #expect(stats.text.contains("peak memory"))
        #expect(try session.run("eval", "--text", "nothing.txt").status == 2)
    }

    @Test(
        "eval --stride predicts every token of a text of any length, and --csv gives a line for each"
    )
    func slidingEvaluation() throws {
        let session = try Session.history()
        try session.write("The quick brown fox, again and again.", to: "fox.txt")
        try session.write("ab", to: "a,b.txt")
        let words = ["eval", "main", "left", "--text", "fox.txt", "a,b.txt", "--stride", "5"]
        let shown = try session.start(words).end()
        #expect(shown.status == 0 && shown.text.contains("perplexity"), "\(shown.errors)")
        let json = try session.start(words + ["--json"]).end().json
        let rows = try #require(json["rows"] as? [[String: Any]])
        #expect(rows.map { $0["predictions"] as? Int } == [36, 1, 36, 1])
        let table = try session.start(words + ["--csv", "--window", "8"]).end()
        #expect(table.lines.count == 5)
        #expect(table.lines[0].hasPrefix("revision,commit,text,tokens,windows,bits_per_byte"))
        #expect(table.lines[2].hasPrefix("main,") && table.lines[2].contains(",\"a,b.txt\",1,1,"))
        for wrong in [
            ["--stride", "0"], ["--stride", "8", "--window", "8"], ["--csv", "--json"],
        ] {
            #expect(try session.start(["eval", "--text", "fox.txt"] + wrong).end().status == 64)
        }
        let long = try session.run("eval", "--text", "fox.txt", "--stride", "99")
        #expect(long.status == 64 && long.errors.contains("1 to 15"), "\(long.errors)")
    }

    @Test("generate writes the bytes alone; the same seed gives the same")
    func generate() throws {
        let session = try Session.history()
        let draw = ["--temperature", "0.9", "--seed", "7"]
        let first = try session.start(
            ["generate", "main", "--prompt", "ab", "-n", "30"] + draw
        ).end()
        #expect(first.status == 0 && first.output.count == 30 && first.errors == "")
        let second = try session.start(
            ["generate", "main", "--prompt", "-", "-n", "30"] + draw, input: "ab"
        ).end()
        #expect(second.output == first.output)
        let stats = try session.expect("generate", "--prompt", "ab", "-n", "3", "--stats")
        #expect(stats.output.count == 3)
        #expect(stats.errors.contains("experts touched"))
        #expect(stats.errors.contains("RssAnon") && stats.errors.contains("RssFile"))
        #expect(try session.run("generate", "--prompt", "").status == 1)
        #expect(stats.errors.contains("note:") == false)
        let long = String(repeating: "ab", count: 200)
        let cut = try session.expect("generate", "--prompt", long, "-n", "1")
        #expect(cut.output.count == 1)
        #expect(cut.errors.contains("of the 400 bytes of the prompt the model reads the last"))
        let quiet = try session.expect("generate", "--prompt", long, "-n", "1", "-q")
        #expect(quiet.errors == "")
    }

    @Test("gc previews, prunes and the store stays sound; repack gives space back")
    func care() throws {
        let session = try Session.history()
        try session.expect("branch", "-d", "left")
        let preview = try session.expect("gc")
        #expect(preview.text.contains("nothing to remove"))
        // The clock of the session stands still: a day later every reflog entry is old.
        session.environment["SOURCE_DATE_EPOCH"] = "1795576200"
        let found = try session.expect("gc", "--grace", "1h")
        #expect(found.text.contains("nothing was removed; --prune removes it"))
        let pruned = try session.expect("gc", "--grace", "1h", "--prune")
        #expect(pruned.text.contains("came free inside the file"))
        #expect(try session.expect("verify").text.contains("no faults"))
        #expect(try session.expect("repack").text.contains("given back"))
        #expect(try session.expect("verify", "--fast").text.contains("structure only"))
        #expect(try session.expect("branch", "-q").text == "main\nright\n")
    }
}
