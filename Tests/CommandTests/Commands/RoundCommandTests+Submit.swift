import Foundation
import Testing

/// Lists of tasks.
extension RoundCommandTests {
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

    @Test("what runs is waited for when the folder can no longer be written")
    func localFolder() throws {
        let session = try session()
        let run = try session.run(
            "round", "submit", "--engine", "local", "--jobs", "2", "--remote", "origin", "--tasks",
            "tasks.jsonl", "--merge", "main", "--folder", "f", "--json", "--", "bash", "-c",
            "if [ {name} = a ]; then rm f/round.json; mkdir -p f/round.json/x; else sleep 3; touch late; fi; exit 1"
        )
        #expect(try run.status == 1 && run.errorJSON["code"] as? String == "io", "\(run.errors)")
        #expect(FileManager.default.fileExists(atPath: session.path("late")))
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
        // Not a byte is spelled in another way.
        let raw = try submit(["--engine", "print"], ["t", "a\u{1B}\r\u{200E}"])
        #expect(raw.text.contains("'a\u{1B}\r\u{200E}'"))
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
