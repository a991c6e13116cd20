import Foundation
import Testing

@Suite("round")
struct RoundCommandTests {
    /// A remote with a tiny base on main, and checkpoints that edit one expert each.
    func session() throws -> Session {
        let session = try Session.base()
        try session.expect("remote", "add", "origin", "file://\(session.path("remote"))")
        try session.expect("push", "origin", "main")
        for (name, edits) in [("a", [3: 1.0]), ("b", [5: 2]), ("c", [5: 3])]
            as [(String, [Int: Float])]
        {
            try TinyCheckpoint(edits: edits).write(to: session.path(name))
        }
        session.environment["CAMBIUM_SCRATCH"] = session.path("scratch")
        session.environment["cambium"] = try Session.program
        try session.write(
            "{\"name\":\"a\"}\n{\"name\":\"b\"}\n", to: "tasks.jsonl")
        return session
    }

    /// The words of `round run` on the session's remote.
    func run(
        _ session: Session, _ branch: String, _ command: String, _ options: String...
    ) throws -> Run {
        try session.start(
            ["round", "run", "--remote", "origin", "--base", "main", "--branch", branch] + options
                + ["--", "bash", "-c", command]
        ).end()
    }

    private func scratch(_ session: Session) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: session.path("scratch"))) ?? []
    }

    @Test("a command that commits is pushed, found again, and leaves nothing on this machine")
    func path() throws {
        let session = try session()
        let commit = "\"$cambium\" commit a -m mine -q && echo \"$CAMBIUM_BRANCH\" >>ran"
        let run = try run(session, "r/a", commit)
        #expect(run.status == 0 && run.text.contains("r/a"), "\(run.errors)")
        #expect(run.lines.last?.hasSuffix("is on file://\(session.path("remote"))") == true)
        #expect(scratch(session).isEmpty)
        let again = try self.run(session, "r/a", commit, "--json")
        #expect(again.status == 0)
        #expect(try again.json["isNew"] as? Bool == false)
        #expect(try again.json["branch"] as? String == "r/a")
        #expect(try String(contentsOfFile: session.path("ran"), encoding: .utf8) == "r/a\n")
        try session.expect("fetch", "origin", "r/a")
        let shown = try session.expect("show", "origin/r/a", "--json").json
        let metadata = try #require(shown["metadata"] as? [String: String])
        #expect(try metadata["round.key"] == again.json["key"] as? String)
        #expect(shown["message"] as? String == "mine")
    }

    @Test("the command finds what it needs, and its status is the end of it")
    func failing() throws {
        let session = try session()
        let run = try run(
            session, "r",
            "test -d \"$CAMBIUM_OUTPUT\" && \"$cambium\" log -q | grep -qx \"$CAMBIUM_BASE\" && "
                + "echo \"$SOURCE_DATE_EPOCH $CAMBIUM_AUTHOR $CAMBIUM_BRANCH\"; cat; exit 7")
        #expect(run.status == 7 && run.text == "1795489800 Ada r\n", "\(run.errors)")
        #expect(run.errors.contains("status 7; nothing was pushed"))
        #expect(scratch(session).isEmpty)
        let none = try self.run(session, "r", "true", "--json")
        #expect(none.status == 64)
        #expect(try none.errorJSON["code"] as? String == "usage")
        let empty = try self.run(session, "e", "true", "--allow-empty", "-q")
        #expect(empty.status == 0 && empty.lines.count == 1)
        let missing = try session.run(
            "round", "run", "--remote", "origin", "--base", "main", "--branch", "r", "--", "/none")
        #expect(missing.status == 2 && missing.errors.contains("cannot start /none"))
        let killed = try self.run(session, "r", "kill -9 $$")
        #expect(killed.status == 137)
        let taken = try self.run(session, "e", "echo other", "--json")
        #expect(taken.status == 1 && taken.text.isEmpty)
        #expect(try taken.errorJSON["code"] as? String == "exists")
    }

    @Test("a checkpoint that is left is committed; with --quiet the command's words are no output")
    func output() throws {
        let session = try session()
        let run = try run(
            session, "r", "echo words; cp a/* \"$CAMBIUM_OUTPUT\"", "-m", "left", "-q", "--keep",
            "--store", "here")
        #expect(run.status == 0 && run.errors.contains("words"), "\(run.errors)")
        #expect(run.lines.count == 1)
        let log = try session.expect("-C", "here", "log", "--json", "-n", "1")
        #expect(try log.json["message"] as? String == "left")
        #expect(try log.json["id"] as? String == run.lines.first.map(String.init))
        let other = try self.run(session, "s", "true", "--store", "here")
        #expect(other.status == 1 && other.errors.contains("not of this round"))
    }

    @Test(
        "signals reach what the command started, and its status is told",
        arguments: [SIGTERM, SIGINT])
    func signals(_ signal: Int32) throws {
        let session = try session()
        let job = try session.start([
            "round", "run", "--remote", "origin", "--base", "main", "--branch", "r", "--", "bash",
            "-c",
            "trap 'echo told; exit 9' TERM INT; bash -c 'touch \(session.path("up")); sleep 50; :'",
        ])
        try job.send(signal) { FileManager.default.fileExists(atPath: session.path("up")) }
        let run = try job.end()
        #expect(run.status == 9 && run.text == "told\n", "\(run.errors)")
        #expect(scratch(session).isEmpty)
        let left = try session.shell("pgrep -f '[t]ouch \(session.path("up"))' || echo none")
        #expect(left.text == "none\n")
    }

    @Test("signals end the clone", arguments: ["TERM", "INT"])
    func signalsOfClones(_ signal: String) throws {
        let session = try session()
        // Standard error is full, so that the clone waits at the first that it tells.
        let run = try session.shell(
            """
            mkfifo told; exec 3<>told; timeout 2 head -c 65536 /dev/zero >&3
            "$cambium" round run --remote origin --base main --branch r --store here --progress json \
                -- touch ran 2>&3 &
            until [ -e here/data.mdb ]; do sleep 0.01; done
            round=$!; sleep 0.3; kill -\(signal) $round; sleep 0.3; kill -\(signal) $round; sleep 0.3
            cat <&3 >said & reader=$!
            wait $round; status=$?; sleep 0.3; kill -9 $reader
            tr -d '\\0' <said; echo "status $status"
            """)
        #expect(run.text.contains("interrupted: stopped before the end"), "\(run.text)")
        #expect(run.lines.last == (signal == "TERM" ? "status 143" : "status 130"))
        #expect(!FileManager.default.fileExists(atPath: session.path("ran")))
        // What it left is of the same round.
        let again = try session.run(
            "round", "run", "--remote", "origin", "--base", "main", "--branch", "r", "--store",
            "here", "--allow-empty", "--", "touch", "ran")
        #expect(again.status == 0, "\(again.errors)")
    }

    @Test("a merge is refused where branches are missing or sides disagree, and waits for them")
    func merge() throws {
        let session = try session()
        for name in ["b", "c"] {
            #expect(try run(session, "r/\(name)", "cp \(name)/* \"$CAMBIUM_OUTPUT\"").status == 0)
        }
        func merge(_ options: String...) throws -> Run {
            try session.start(
                ["round", "merge", "--remote", "origin", "--into", "main"] + options
            ).end()
        }
        #expect(try merge("r/a", "r/b").errors.contains("without r/a"))
        #expect(try merge("r/a", "r/b", "--json").status == 2)
        #expect(try merge("--expect", "3", "r/b", "r/c").status == 64)
        let key = try #require(
            run(session, "r/b", "cp b/* \"$CAMBIUM_OUTPUT\"", "--json").json["key"] as? String)
        #expect(try merge().status == 64 && merge("r/b", "--rounds", "-").status == 64)
        for (lines, word) in [
            ("{\"branch\":\"r/b\",\"key\":\"abc\"}", "than the round abc"), ("r/b", "line 1"),
            ("{\"branch\":\"r/b\"}\n\n{\"branch\":\"r/b\"}", "line 3"),
        ] {
            try session.write(lines, to: "bad.jsonl")
            let refused = try merge("--rounds", "bad.jsonl")
            #expect(refused.status == 1 && refused.errors.contains(word), "\(refused.errors)")
        }
        try session.write(
            "{\"branch\":\"r/c\"}\n{\"branch\":\"r/b\",\"key\":\"\(key)\"}\n", to: "rounds.jsonl")
        #expect(try merge("--rounds", "rounds.jsonl").status == 3)
        #expect(try merge("--expect", "3", "r/*").status == 2)
        let conflict = try merge("--expect", "2", "r/*")
        #expect(conflict.status == 3 && conflict.errors.contains("nothing was pushed"))
        let merged = try merge("r/c", "r/b", "--policy", "mean", "--weight", "r/b=3", "--json")
        #expect(merged.status == 0, "\(merged.errors)")
        let head = try #require(merged.json["head"] as? String)
        let base = try session.expect("round", "base", "main", "--remote", "origin", "-q")
        #expect(base.text == head + "\n")
        #expect(try session.run("round", "base", "none", "--remote", "origin").status == 2)
        let command = "cp b/* \"$CAMBIUM_OUTPUT\""
        let again = try session.start(
            [
                "round", "run", "--remote", "origin", "--base", head, "--base-branch", "main",
                "--branch", "r/b", "--json",
            ] + ["--any-base", "--", "bash", "-c", command]
        ).end()
        #expect(try again.status == 0 && again.json["key"] as? String == key, "\(again.errors)")
        #expect(try merge("r/b", "r/c", "-q").text == head + "\n")
        let job = try session.start([
            "round", "merge", "--remote", "origin", "--into", "main", "r/a", "--wait", "60s", "-q",
        ])
        #expect(try run(session, "r/a", "cp a/* \"$CAMBIUM_OUTPUT\"").status == 0)
        #expect(try job.end().status == 0)
    }

    @Test("a merge leaves alone what is where its store would be", arguments: ["S", "notes"])
    func mergePlace(_ name: String) throws {
        let session = try session()
        #expect(try run(session, "r/a", "cp a/* \"$CAMBIUM_OUTPUT\"").status == 0)
        let notes = session.path("notes")
        try FileManager.default.createDirectory(
            atPath: notes, withIntermediateDirectories: false)
        try session.write("mine", to: "notes/file")
        for branch in ["r/a", "r/none"] {
            let merge = try session.run(
                "round", "merge", "-C", name, "--remote", "file://\(session.path("remote"))",
                "--into", "main", branch, "--json")
            #expect(try merge.status == 1 && merge.errorJSON["code"] as? String == "exists")
        }
        try session.expect("-C", "S", "verify")
        #expect(FileManager.default.contents(atPath: notes + "/file") == Data("mine".utf8))
        let made = try session.expect(
            "round", "merge", "-C", "new", "--remote", "file://\(session.path("remote"))",
            "--into", "main", "r/a", "-q")
        #expect(made.lines.count == 1)
        #expect(!FileManager.default.fileExists(atPath: session.path("new")))
    }
}
