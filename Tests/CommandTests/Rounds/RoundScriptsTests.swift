import Cambium
import Foundation
import Testing

@testable import CambiumCommand

@Suite("Scripts of rounds")
struct RoundScriptsTests {
    private func scripts(
        _ tasks: String = "{\"name\":\"it's\"}\n{\"name\":\"b\"}\n", name: String = "r1",
        jobs: Int? = nil, command: [String] = ["./train", "{name}", "a b"]
    ) throws -> RoundScripts {
        let list = try RoundTask.list(Array(tasks.utf8), source: "tasks")
        return RoundScripts(
            name: name, program: "/opt/cambium", remote: ["--remote", "s3://b/m"],
            base: String(repeating: "a", count: 64), baseBranch: "main", branch: "train/{name}",
            tasks: list,
            rounds: list.map { RoundLine(branch: "train/\($0.name)", key: "k\($0.index)") },
            runOptions: ["--allow-empty"],
            mergeOptions: ["--policy", "mean"], into: "main", command: command,
            author: "Ada <ada@x>", jobs: jobs)
    }

    /// Runs a script with programs that print their arguments and standard input.
    private func shell(_ script: String, _ variables: [String: String] = [:]) throws -> [String] {
        let session = try Session()
        try session.write(script, to: "script")
        let say = "#!/bin/bash\nprintf '%s\\n' \"${0##*/}\" \"$@\"; cat\n"
        for name in ["cambium", "sbatch"] {
            try session.write(say, to: name)
            try FileManager.default.setAttributes(
                [.posixPermissions: 0o755], ofItemAtPath: session.path(name))
        }
        session.environment = variables
        session.environment["PATH"] = "\(session.directory):/usr/bin:/bin"
        let run = try session.shell("bash script")
        #expect(run.status == 0, "\(run.errors)")
        return run.lines.map(String.init)
    }

    @Test("a task of Slurm's array gets its number, the command and all tasks, word by word")
    func array() throws {
        var scripts = try scripts(jobs: 2)
        scripts = RoundScripts(
            name: scripts.name, program: "cambium", remote: scripts.remote, base: scripts.base,
            baseBranch: scripts.baseBranch, branch: scripts.branch, tasks: scripts.tasks,
            rounds: scripts.rounds, runOptions: scripts.runOptions,
            mergeOptions: scripts.mergeOptions, into: scripts.into, command: scripts.command,
            author: scripts.author, jobs: scripts.jobs)
        let text = scripts.slurmArray(
            folder: "/home/a 100%/r1", options: ["--time=1:00", "-p gpu"])
        for line in [
            "#SBATCH --job-name=r1", "#SBATCH --array=0-1%2", "#SBATCH --requeue",
            "#SBATCH \"--output=/home/a 100%%/r1/task-%a.log\"", "#SBATCH --time=1:00",
            "#SBATCH \"-p gpu\"", "export CAMBIUM_AUTHOR='Ada <ada@x>'",
        ] {
            #expect(text.split(separator: "\n").contains { $0 == line }, "\(line) in \(text)")
        }
        let said = try shell(text, ["SLURM_ARRAY_TASK_ID": "1"])
        #expect(
            said == [
                "cambium", "round", "run", "--remote", "s3://b/m", "--base", scripts.base,
                "--base-branch", "main", "--branch", "train/{name}", "--allow-empty", "--tasks",
                "-",
                "--task", "1", "--", "./train", "{name}", "a b", #"{"name":"it's"}"#,
                #"{"name":"b"}"#,
            ])
    }

    @Test("the merge names every branch, and the round that it must have")
    func merge() throws {
        let text = try scripts().slurmMerge(folder: "/r1", options: [])
        #expect(text.contains("#SBATCH --job-name=r1-merge\n"))
        #expect(
            text.hasSuffix(
                """
                exec /opt/cambium round merge --remote s3://b/m --into main --policy mean --rounds - <<'CAMBIUM_ROUNDS'
                {"branch":"train/it's","key":"k0"}
                {"branch":"train/b","key":"k1"}
                CAMBIUM_ROUNDS

                """))
        #expect(
            RoundScripts.dependency(on: "7")
                == ["--dependency=afterok:7", "--kill-on-invalid-dep=yes"])
    }

    @Test("what print writes submits the array, and the merge behind the job that it became")
    func printed() throws {
        let session = try Session()
        let scripts = try scripts()
        let text = scripts.slurm(folder: session.path("r 1"), options: ["--time=1:00"])
        let said = try shell(text)
        // The stand-in's whole output is the job's number here; its first line is `sbatch`.
        #expect(said.first == "sbatch" && said[1].hasPrefix("--dependency=afterok:sbatch"))
        #expect(said.contains("--kill-on-invalid-dep=yes"))
        #expect(said.contains("#SBATCH --time=1:00"))
        #expect(said.suffix(2).first == #"{"branch":"train/b","key":"k1"}"#)
        #expect(FileManager.default.fileExists(atPath: session.path("r 1")))
    }

    @Test("Kubernetes gets a pod for each task, and a merge that waits for the branches")
    func kubernetes() throws {
        let scripts = try scripts(command: ["sh", "-c", "echo $(date) $$ {name}"])
        let text = try scripts.kubernetes(image: "registry/cambium:1", wait: "7d")
        let parts = text.components(separatedBy: "\n---\n")
        #expect(parts.count == 3)
        #expect(parts[0].contains("metadata: {name: \"r1-tasks\"}"))
        #expect(
            parts[0].contains(#"  tasks.jsonl: "{\"name\":\"it's\"}\n{\"name\":\"b\"}\n""#),
            "\(parts[0])")
        #expect(
            parts[0].contains(
                #"  rounds.jsonl: "{\"branch\":\"train/it's\",\"key\":\"k0\"}\n{\"branch\":\"train/b\",\"key\":\"k1\"}\n""#
            ))
        for line in [
            "  completionMode: Indexed", "  completions: 2", "  parallelism: 2",
            "        image: \"registry/cambium:1\"",
        ] {
            #expect(parts[1].split(separator: "\n").contains { $0 == line }, "\(line) in \(text)")
        }
        // What Kubernetes replaces is the number alone.
        #expect(
            parts[1].contains(
                #""--tasks","/cambium/tasks.jsonl","--task","$(JOB_COMPLETION_INDEX)","--","sh","-c","#
                    + #""echo $$(date) $$$$ {name}"]"#))
        #expect(parts[2].contains(#""--rounds","/cambium/rounds.jsonl","--wait","7d"]"#))
        #expect(parts[2].contains("metadata: {name: \"r1-merge\"}"))
        #expect(!parts[2].contains("completionMode"))
    }

    @Test(
        "characters that lines or terminals take for more are spelled out, and stay the same tasks")
    func spelled() throws {
        let hostile = "a\u{7F}\u{85}\u{2028}\u{200E}\u{FEFF}b"
        let scripts = try scripts("{\"name\":\"x\",\"text\":\"\(hostile)\"}\n")
        let line = #"{"name":"x","text":"a\u007f\u0085\u2028\u200e\ufeffb"}"#
        #expect(scripts.taskLines == [line])
        #expect(try RoundTask.list(Array(line.utf8), source: "t") == scripts.tasks)
        let text = try scripts.kubernetes(image: "i", wait: "1d")
        #expect(text.utf8.allSatisfy { (0x20..<0x7F).contains($0) || $0 == 0x0A })
    }

    @Test("what Kubernetes would refuse is refused before")
    func refused() throws {
        for name in ["R1", "-r", "r-", "r_1", String(repeating: "a", count: 51)] {
            let error = #expect(throws: Failure.self) {
                try scripts(name: name).kubernetes(image: "i", wait: "1d")
            }
            #expect(error?.code == "bad-name")
        }
        let line = "{\"text\":\"\(String(repeating: "x", count: 60_000))\"}\n"
        let long = #expect(throws: Failure.self) {
            try scripts(String(repeating: line, count: 18)).kubernetes(image: "i", wait: "1d")
        }
        #expect(long?.code == "too-large")
    }

    @Test("Slurm's queue is read by job and task")
    func queue() {
        let queue = Slurm.parse(
            "12|0|RUNNING|node3|1:02|None\n12|1|PENDING||0:00|Dependency|x\n13|N/A|PENDING||0:00|Priority\nbad\n"
        )
        #expect(
            queue["12"]?[0]
                == Slurm.Job(state: "RUNNING", node: "node3", elapsed: "1:02", reason: "None"))
        #expect(queue["12"]?[1]?.reason == "Dependency|x")
        #expect(queue["13"]?[-1]?.state == "PENDING")
        #expect(queue.count == 2)
    }
}
