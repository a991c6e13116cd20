import Foundation
import Testing

@Suite("round")
struct RoundCommandTests {
    /// A remote with a tiny base on main, and checkpoints that edit one expert each.
    private func session() throws -> Session {
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
    private func run(
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
            "-c", "trap 'echo told; exit 9' TERM INT; bash -c 'touch up; sleep 50' & wait; wait",
        ])
        try job.send(signal) { FileManager.default.fileExists(atPath: session.path("up")) }
        let run = try job.end()
        #expect(run.status == 9 && run.text == "told\n", "\(run.errors)")
        #expect(scratch(session).isEmpty)
        let left = try session.shell("pgrep -f '[t]ouch up; sleep 50' || echo none")
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

    @Test("tasks run as processes, and what is merged is what rounds one by one give")
    func local() throws {
        let session = try session()
        let submit = [
            "round", "submit", "--engine", "local", "--remote", "origin", "--tasks", "tasks.jsonl",
            "--merge", "main", "--jobs", "2", "--folder", "f", "--json", "--", "bash", "-c",
            "echo run >>ran.{name}; cp {name}/* \"$CAMBIUM_OUTPUT\"; test \"$CAMBIUM_TASK_NAME\" = {name}",
        ]
        let run = try session.start(submit).end()
        #expect(run.status == 0, "\(run.errors)")
        let rows = try #require(run.json["rows"] as? [[String: Any]])
        #expect(rows.map { $0["state"] as? String } == ["finished", "finished"])
        let merge = try #require(run.json["merge"] as? [String: Any])
        let commit = try #require(merge["commit"] as? String)
        // Again: all is found, although the branch has moved.
        let again = try session.start(submit).end()
        #expect(again.status == 0, "\(again.errors)")
        #expect(try (again.json["merge"] as? [String: Any])?["commit"] as? String == commit)
        #expect(try String(contentsOfFile: session.path("ran.a"), encoding: .utf8) == "run\n")
        let status = try session.expect("round", "status", "f")
        #expect(status.text.contains("2 of 2 rounds") && status.text.contains("finished"))
        // One by one, in a store that knows no remote.
        for name in ["a", "b"] {
            try session.expect("branch", name, "main")
            try session.expect("switch", name)
            try session.expect("commit", name, "-m", name)
        }
        let tree = try session.expect("merge", "a", "b", "--into", "main", "--json").json["tree"]
        try session.expect("fetch", "origin", "main")
        let shown = try session.expect("show", "origin/main", "--json").json
        #expect(shown["tree"] as? String == tree as? String)
        #expect(shown["id"] as? String == commit)
    }

    @Test("a name that is used again for other tasks begins at the branch's head")
    func names() throws {
        let session = try session()
        func submit(_ tasks: String, _ options: [String] = []) throws -> Run {
            try session.write(
                tasks.split(separator: " ").map { "{\"name\":\"\($0)\"}\n" }.joined(),
                to: "tasks.jsonl")
            return try session.start(
                [
                    "round", "submit", "--engine", "local", "--remote", "origin", "--tasks",
                    "tasks.jsonl", "--merge", "main", "--name", "x", "--json",
                ] + options + ["--", "bash", "-c", "cp {name}/* \"$CAMBIUM_OUTPUT\""]
            ).end()
        }
        func base() throws -> String? {
            let file = try Data(contentsOf: URL(fileURLWithPath: session.path("x/round.json")))
            return try (JSONSerialization.jsonObject(with: file) as? [String: Any])?["base"]
                as? String
        }
        let first = try submit("a")
        #expect(first.status == 0, "\(first.errors)")
        let head = try #require((first.json["merge"] as? [String: Any])?["commit"] as? String)
        let old = try #require(try base())
        for options in [[], ["--base", "main"], ["--base", old]] {
            let again = try submit("a", options)
            #expect(again.status == 0, "\(again.errors)")
            #expect(try base() == old && old != head)
        }
        let other = try submit("b")
        #expect(other.status == 0, "\(other.errors)")
        #expect(try base() == head)
        try session.write("{", to: "x/round.json")
        let broken = try submit("b")
        #expect(try broken.status == 1 && broken.errorJSON["code"] as? String == "bad-input")
    }

    @Test("a task that fails keeps the merge back, and is told")
    func localFailure() throws {
        let session = try session()
        let run = try session.run(
            "round", "submit", "--engine", "local", "--remote", "origin", "--tasks", "tasks.jsonl",
            "--merge", "main", "--folder", "f", "--json", "--", "bash", "-c",
            "cp {name}/* \"$CAMBIUM_OUTPUT\"; test {name} = a")
        #expect(run.status == 1)
        let rows = try #require(run.json["rows"] as? [[String: Any]])
        #expect(rows.map { $0["state"] as? String } == ["finished", "failed"])
        #expect((rows[1]["detail"] as? String)?.contains("status 1") == true)
        let merge = try #require(run.json["merge"] as? [String: Any])
        #expect(merge["state"] as? String == "failed")
        let followed = try session.run("round", "status", "f", "--follow", "-q")
        #expect(followed.lines == ["a finished", "b failed"])
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
        #expect(try merge("--expect", "3", "r/*").status == 2)
        let conflict = try merge("--expect", "2", "r/*")
        #expect(conflict.status == 3 && conflict.errors.contains("nothing was pushed"))
        let merged = try merge("r/c", "r/b", "--policy", "mean", "--weight", "r/b=3", "--json")
        #expect(merged.status == 0, "\(merged.errors)")
        let head = try #require(merged.json["head"] as? String)
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

    @Test("what is printed is a script, and what cannot be is refused before anything runs")
    func printed() throws {
        let session = try session()
        func submit(_ options: [String], _ command: [String] = ["t", "{name}"]) throws -> Run {
            try session.start(
                [
                    "round", "submit", "--remote", "origin", "--tasks", "tasks.jsonl", "--merge",
                    "main",
                ] + options + ["--"] + command
            ).end()
        }
        let script = try submit([
            "--engine", "print", "--program", "/p", "--sbatch-option=--time=5",
        ])
        #expect(script.status == 0)
        #expect(
            script.text.contains("exec /p round run --remote file://\(session.path("remote")) "))
        #expect(script.text.contains("#SBATCH --time=5\n"))
        let pods = try submit(
            ["--engine", "print", "--as", "kubernetes", "--image", "i", "--name", "r1"])
        #expect(pods.text.contains("completionMode: Indexed"))
        for (options, word) in [
            (["--engine", "print", "--as", "kubernetes"], "--image"),
            (["--engine", "local", "--image", "i"], "--engine print"),
            (["--engine", "local", "--sbatch-option=-x"], "Slurm"),
            (["--engine", "local", "--detach"], "--detach"), (["--jobs", "0"], "--jobs"),
            (["--name", "a b"], "--name"), (["--sbatch-option", "x"], "--sbatch-option"),
            (["--engine", "print", "--base", "none"], "no branch 'none'"),
            (["--engine", "print", "--merge", "train/a", "--base", "main"], "--branch-prefix"),
        ] as [([String], String)] {
            let run = try submit(options)
            #expect([2, 64].contains(run.status) && run.errors.contains(word), "\(run.errors)")
        }
        #expect(try submit(["--engine", "print"], ["t", "{nmae}"]).errors.contains("'nmae'"))
        #expect(try submit(["--engine", "print"], []).status == 64)
        let unknown = try session.run(
            "round", "submit", "--remote", "elsewhere", "--tasks", "2", "--merge", "m", "--", "t")
        #expect(unknown.status == 2 && unknown.errors.contains("'elsewhere' is no URL"))
        try session.write("{\"name\": [1]}", to: "bad.jsonl")
        let bad = try session.run(
            "round", "submit", "--remote", "origin", "--tasks", "bad.jsonl", "--merge", "main",
            "--",
            "t")
        #expect(bad.status == 1 && bad.errors.contains("bad.jsonl, line 1"))
        #expect(try session.run("round", "status", "nowhere").status == 2)
        // No scheduler is here.
        session.environment["PATH"] = session.directory
        #expect(try submit(["--folder", "f"]).errors.contains("cannot start"))
    }

    @Test("Slurm is given the scripts, and its queue is told")
    func slurm() throws {
        let session = try session()
        // A stand-in that numbers jobs, keeps what it was given, and has a queue.
        let programs = [
            "sbatch":
                "n=$(cat n 2>/dev/null || echo 40); echo $((n + 1)) >n; echo \"$*\" >>asked; echo \"$n;c\"",
            "squeue": "cat queue",
        ]
        for (name, lines) in programs {
            try session.write("#!/bin/bash\n\(lines)\n", to: name)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: session.path(name))
        }
        session.environment["PATH"] = "\(session.directory):/usr/bin:/bin"
        try session.write(
            "40|0|RUNNING|node3|1:02|None\n41|N/A|PENDING||0:00|Dependency\n", to: "queue")
        let submit = [
            "round", "submit", "--remote", "origin", "--tasks", "tasks.jsonl", "--merge", "main",
            "--folder", "f", "--detach", "--json", "--", "t",
        ]
        let run = try session.start(submit).end()
        #expect(run.status == 0, "\(run.errors)")
        let folder = session.path("f")
        #expect(
            try String(contentsOfFile: session.path("asked"), encoding: .utf8) == """
                --parsable \(folder)/rounds.sbatch
                --parsable --dependency=afterok:40 --kill-on-invalid-dep=yes \(folder)/merge.sbatch

                """)
        try session.write(
            "{\"progress\":{\"phase\":\"training\",\"done\":250,\"total\":1000,\"figures\":{\"step\":12,\"loss\":2.5}}}\n",
            to: "f/task-0.log")
        try session.write(
            "words\nthe command ended with status 7; nothing was pushed\n", to: "f/task-1.log")
        let status = try session.expect("round", "status", "f", "--json").json
        let rows = try #require(status["rows"] as? [[String: Any]])
        #expect(rows[0]["state"] as? String == "running" && rows[0]["node"] as? String == "node3")
        #expect(rows[0]["steps"] as? Int == 12 && rows[0]["loss"] as? Double == 2.5)
        #expect(rows[0]["share"] as? Double == 0.25)
        #expect(rows[1]["state"] as? String == "failed")
        #expect((rows[1]["detail"] as? String)?.contains("status 7") == true)
        #expect((status["merge"] as? [String: Any])?["detail"] as? String == "Dependency")
        let again = try session.start(submit).end()
        #expect(again.status == 1)
        #expect(try again.errorJSON["code"] as? String == "busy")
        for (done, total, share) in [(-Int.max, 1, 0), (Int.max, 1, 100), (1, Int.max, 0)] {
            try session.write(
                "{\"progress\":{\"done\":\(done),\"total\":\(total),\"figures\":{\"step\":-1e300}}}\n",
                to: "f/task-0.log")
            #expect(try session.expect("round", "status", "f").text.contains(" \(share) %"))
        }
    }
}
