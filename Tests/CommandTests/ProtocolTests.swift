import ArgumentParser
import CheckpointSupport
import Foundation
import Testing

@testable import CambiumCommand

@Suite("JSON, exit statuses, pipes and help")
struct ProtocolTests {
    /// The words of every command that does something: those of groups have two.
    private static let known: [[String]] = CambiumRoot.configuration.groupedSubcommands
        .flatMap(\.subcommands).flatMap { type -> [[String]] in
            let name = type.configuration.commandName ?? ""
            let own = type.configuration.subcommands
            return own.isEmpty ? [[name]] : own.map { [name, $0.configuration.commandName ?? ""] }
        }

    /// Command lines that go through one after the other; EVIDENCE is a record's id, OLMOE and HASHED are checkpoints.
    private static let lines: [String] = """
        init T
        status
        stats
        commit next -m next
        export main out
        ls
        ls main:0
        show
        show main:0/1
        show main:0/1 --nearest 3
        cat main:config.json
        log -n 1
        diff main left
        branch
        branch new
        branch -d new
        tag
        tag v1
        switch left
        revert HEAD
        reset HEAD~1
        reflog
        restore main:0/1
        merge left --into main --dry-run
        merge left --into right --policy alternatives
        resolve --take left --branch right
        shared main left
        config
        config grace 9d
        config --unset grace
        note main --metric acc=0.9
        note main
        eval main --text text.txt --stats --record
        report --figure matrix
        eval main --text text.txt --stride 4 --window 8
        generate main --prompt a -n 4 --stats
        route main --prompt a
        profile main --text text.txt
        quantize-router --branch left
        evidence add main --adapter base --text text.txt
        evidence ls main
        evidence show EVIDENCE main
        evidence gate main --text text.txt
        evidence drop EVIDENCE --branch main
        evidence add main --kind gram --target experts --layer 0 --text text.txt
        evidence router main --layer 0
        evidence router main --layer 0 --commit
        evidence add main --adapter base --text old.txt
        train --data text.txt --branch main --adapter words --steps 1
        forget words --branch main
        round ls
        round show main
        round drop main
        commit OLMOE -m olmoe --branch olmoe
        expert add olmoe --from OLMOE:3 --evidence new.txt --keep old.txt --unchanged 0.5
        expert drop olmoe
        quantize olmoe --dense q8
        commit HASHED -m hashed --branch hashed
        rows prune --uses 3 --text text.txt --branch hashed
        rows quantize --bits 2 --branch hashed
        backup B
        remote add origin file://REMOTE
        remote ls
        push
        fetch
        pull
        remote check
        remote gc
        clone file://REMOTE CLONE
        push origin main
        round base --remote origin main
        round run --remote origin --base main --branch r/0 --allow-empty -- true
        round merge --remote origin --into main r/0
        round submit --engine local --remote origin --tasks 1 --merge main --allow-empty --folder F -- true
        round status F
        remote rm origin
        gc
        verify
        repack
        migrate
        """.split(separator: "\n").map(String.init)

    @Test("every command answers --json with one object of schema 1, and none is left out here")
    func objects() throws {
        let session = try Session.history()
        try session.write(String(repeating: "abcdefgh", count: 8), to: "text.txt")
        for (name, first, count) in [("new.txt", 200, 1_024), ("old.txt", 97, 2_048)] {
            try ExpertCommandTests.text(UInt8(first), count)
                .write(to: URL(filePath: session.path(name)))
        }
        try TinyCheckpoint(edits: [1: 1]).write(to: session.path("next"))
        var missing = Set(Self.known)
        for line in Self.lines {
            if line == "round show main" { try stopRound(session) }
            let evidence =
                line.contains("EVIDENCE")
                ? try session.expect("evidence", "ls", "main", "-q").lines[0].description : ""
            let words = line.replacing("EVIDENCE", with: evidence)
                .replacing("OLMOE", with: TokensTests.model)
                .replacing("HASHED", with: GeneratedCheckpoints.path("peer-lm/hashed"))
                .replacing("REMOTE", with: session.path("remote")).split(separator: " ").map(
                    String.init)
            let name = try #require(
                Self.known.first { words.starts(with: $0) }, "no command: \(line)")
            missing.remove(name)
            let end = words.firstIndex(of: "--") ?? words.endIndex
            let run = try session.start(words[..<end] + ["--json"] + words[end...]).end()
            #expect(run.status == 0 && run.errors == "", "\(line): \(run.errors)")
            #expect(run.lines.count == 1, "\(line): \(run.text)")
            let json = try run.json
            #expect(
                json["schema"] as? Int == 1 && json["command"] as? String == name.last, "\(line)")
        }
        // It becomes the server, which reports nothing.
        missing.remove(["serve"])
        #expect(missing.isEmpty, "commands whose JSON no test asks for: \(missing)")
    }

    /// Leaves a round of main that was stopped.
    private func stopRound(_ session: Session) throws {
        let run = try session.shell(
            """
            env --default-signal=INT "$cambium" train --data text.txt --branch main --adapter long \
                --steps 10000000 --progress json 2> log & job=$!
            for _ in $(seq 1200); do grep -q loss log && break; sleep 0.05; done
            kill -INT $job; wait $job
            """)
        #expect(run.status == 130)
    }

    @Test("log prints an object per line")
    func lines() throws {
        let session = try Session.history()
        let run = try session.expect("log", "--all", "--json")
        #expect(run.lines.count == 3)
        for line in run.lines {
            let json = try object(Data(line.utf8))
            #expect(json["schema"] as? Int == 1 && json["command"] as? String == "log")
            #expect((json["id"] as? String)?.count == 64)
        }
    }

    @Test("commit's object has ids and counts")
    func commitObject() throws {
        let session = try Session.history()
        try TinyCheckpoint(edits: [1: 1]).write(to: session.path("next"))
        let json = try session.expect("commit", "next", "-m", "next", "--json").json
        #expect((json["id"] as? String)?.count == 64)
        #expect(json["branch"] as? String == "main")
        #expect(json["architecture"] as? String == "peer-lm")
        #expect(json["experts"] as? Int == 16 && json["newExperts"] as? Int == 1)
        #expect(json["layers"] as? Int == 1 && json["unchanged"] as? Bool == false)
        let parents = try #require(json["parents"] as? [String])
        #expect(parents.count == 1)
        let again = try session.expect("commit", "next", "-m", "x", "--branch", "b", "--json").json
        #expect(again["unchanged"] as? Bool == true && again["startedBranch"] as? Bool == true)
        #expect(again["id"] as? String == json["id"] as? String)
        #expect(again["parents"] as? [String] == parents)
    }

    @Test("a conflict is a result on standard output and an error on standard error")
    func conflictObject() throws {
        let session = try Session.history()
        let run = try session.run("merge", "left", "right", "--into", "main", "--json")
        #expect(run.status == 3)
        let conflicts = try #require(try run.json["conflicts"] as? [[String: Any]])
        #expect(conflicts.map { $0["entity"] as? String } == ["expert 0/base/5"])
        #expect(conflicts[0]["sides"] as? [String] == ["left", "right"])
        #expect(
            conflicts[0]["kind"] as? String == "expert" && conflicts[0]["path"] as? String == "0/5")
        #expect(conflicts[0]["layer"] as? Int == 0 && conflicts[0]["expert"] as? Int == 5)
        let distance = try #require(conflicts[0]["distance"] as? [String: Any])
        #expect(abs(try #require(distance["relativeL2"] as? Double) - 0.4926) < 1e-4)
        #expect(abs(try #require(distance["maxAbs"] as? Double) - 1) < 1e-6)
        #expect(try run.errorJSON["code"] as? String == "conflict")
    }

    /// A command line that fails: words, status, code.
    private static let failures: [([String], Int32, String)] = [
        (["show", "nope"], 2, "not-found"), (["switch", "nope"], 2, "not-found"),
        (["show", "main~9"], 2, "not-found"), (["show", "main~x"], 64, "bad-revision"),
        (["branch", "a b"], 64, "bad-name"), (["branch", "left"], 1, "exists"),
        (["status", "-C", "base"], 2, "not-a-store"), (["init", "S"], 1, "exists"),
        (["commit", "nothing", "-m", "x"], 2, "not-found"),
        (["commit", "bad.safetensors", "-m", "x"], 1, "truncated"),
        (["commit", "base", "-m", "x", "--expect-parent", "left"], 5, "branch-moved"),
        (["merge", "left", "--weight", "left=2"], 64, "usage"),
        (["commit"], 64, "usage"), (["frobnicate"], 64, "usage"), (["log", "--nope"], 64, "usage"),
        (["-C", "S"], 64, "usage"), (["-q"], 64, "usage"),
        (["eval", "--text", "a", "--threads", "\(Int.max)"], 64, "usage"),
        (["generate", "--prompt", "a", "--temperature", "nan"], 64, "usage"),
        (["generate", "--prompt", "a", "--temperature=-1"], 64, "usage"),
        (["generate", "--prompt", "a", "--top-p", "0"], 64, "usage"),
        (["log", "--since", "soon"], 64, "usage"), (["gc", "--grace", "5"], 64, "usage"),
        (["diff", "a", "b", "c"], 64, "usage"), (["commit", "base", "-m"], 64, "usage"),
        (["tag", "left"], 1, "exists"),
        (["status", "-C", ""], 64, "usage"), (["init", ""], 64, "usage"),
        (["commit", "", "-m", "x"], 2, "not-found"),
        (["commit", "base/config.json/x", "-m", "x"], 2, "not-found"),
        (["export", "left", "S"], 64, "usage"), (["export", "left", ""], 64, "usage"),
        (["export", "left", "base/config.json"], 2, "not-found"),
        (["generate", "--prompt", "x", "--top-p", "2"], 64, "usage"),
        (["generate", "--prompt", "x", "--temperature", "nan"], 64, "usage"),
        (["eval", "--text", "base/config.json", "--threads", "9999"], 64, "usage"),
        (["eval", "--text", "nothing.txt"], 2, "not-found"), (["help", "frobnicate"], 64, "usage"),
    ]

    @Test("failures have a status and a code, in text and in JSON", arguments: failures.indices)
    func failure(_ index: Int) throws {
        let (words, status, code) = Self.failures[index]
        let session = try Session.history()
        try session.write("\u{FF}\u{FF}", to: "bad.safetensors")
        let text = try session.start(words).end()
        #expect(text.status == status && text.text == "", "\(words): \(text.errors)")
        #expect(text.errors.hasPrefix("error: "))
        let json = try session.start(words + ["--json"]).end()
        // `-m` takes the next word, whatever it is.
        guard words != ["commit", "base", "-m"] else { return }
        #expect(json.status == status && json.text == "", "\(words): \(json.errors)")
        let error = try json.errorJSON
        #expect(error["code"] as? String == code, "\(words)")
        #expect((error["message"] as? String)?.isEmpty == false)
        #expect(error.keys.contains("hint"))
    }

    // The model would have read the three bytes of U+FFFD in place of the one that was given.
    @Test("an argument that is not UTF-8 is refused, not repaired")
    func invalidText() throws {
        let session = try Session.history()
        let line = "cambium generate main --prompt $'a\\xff' -n 1"
        let run = try session.shell(line)
        #expect(run.status == 64 && run.text == "")
        #expect(run.errors.contains("argument 4 is not UTF-8") && run.errors.contains("--prompt -"))
        let json = try session.shell(line + " --json")
        #expect(try json.errorJSON["code"] as? String == "usage")
        let read = try session.shell("printf 'a\\377' | cambium generate main --prompt - -n 1")
        #expect(read.status == 0 && read.output.count == 1)
    }

    @Test("without a store the error names the ways to give one, and a store next to here")
    func noStore() throws {
        let session = try Session()
        let run = try session.run("status")
        #expect(run.status == 2)
        for way in ["-C", "--store", "CAMBIUM_STORE", "directory"] {
            #expect(run.errors.contains(way))
        }
        try session.expect("init", "S")
        let near = try session.run("status")
        #expect(near.errors.contains("export CAMBIUM_STORE=\(session.path("S"))"))
    }

    @Test("damage is listed by verify, which ends with 4")
    func corrupt() throws {
        let session = try Session.history()
        let expert = try session.expect("cat", "left:0/3").output
        let path = URL(fileURLWithPath: session.path("S/data.mdb"))
        var bytes = try Data(contentsOf: path)
        let place = try #require(bytes.range(of: expert))
        bytes[place.lowerBound] ^= 1
        try bytes.write(to: path)
        let run = try session.run("verify")
        #expect(run.status == 4)
        #expect(run.text.contains("hash to"))
        #expect(run.errors.hasPrefix("error: ") && run.errors.contains("1 fault"))
        let json = try session.run("verify", "--json")
        #expect(json.status == 4)
        #expect((try json.json["faults"] as? [Any])?.count == 1)
        #expect(try json.errorJSON["code"] as? String == "corrupt")
        try Data(bytes.prefix(bytes.count / 2)).write(to: path)
        #expect(try session.run("status").status == 4)
    }

    @Test("a reader that goes away is no error, also where SIGPIPE is ignored")
    func brokenPipe() throws {
        let session = try Session.history()
        let run = try session.shell("cambium log --all -n 1 | head -n 1")
        #expect(run.status == 0 && run.errors == "" && run.lines.count == 1)
        // 4 MiB do not fit into a pipe: the program still writes when the reader has gone.
        let whole = """
            cambium generate main --prompt a -n 100000 | head -c 1; echo " ${PIPESTATUS[0]}"
            """
        for line in [whole, "trap '' PIPE; \(whole)"] {
            let run = try session.shell(line)
            #expect(run.text.hasSuffix(" 141\n") && run.errors == "", "\(run.errors)")
        }
    }

    @Test("an interrupt ends the program, which a shell reports as 130")
    func interrupt() throws {
        let session = try Session.history()
        try session.write(String(repeating: "abcdefgh", count: 100_000), to: "text.txt")
        // The first line of progress says that the work is under way.
        let run = try session.shell(
            """
            mkfifo progress; exec 3<>progress
            env --default-signal=INT "$cambium" eval --text text.txt --limit all \
                --progress plain 2>&3 &
            read line <&3; kill -INT $!; wait $!; echo $?
            """)
        #expect(run.text == "130\n")
    }

    @Test(
        "long output goes through a pager on a terminal only",
        .enabled(if: Terminals.isThere, "without script(1)"))
    func pager() throws {
        let session = try Session.history()
        session.environment["CAMBIUM_PAGER"] = "sed s/^/paged:/"
        let long = "cambium ls main:0"
        #expect(!(try session.shell(long).text.contains("paged:")))
        #expect(try session.terminal(long).text.contains("paged:"))
        #expect(!(try session.terminal(long + " --no-pager").text.contains("paged:")))
        #expect(!(try session.terminal("cambium branch").text.contains("paged:")))
        session.environment["CAMBIUM_PAGER"] = "cat"
        #expect(try session.terminal(long).lines.count == 16)
    }

    @Test("pipes get no colour unless it is forced; NO_COLOR and --no-color win")
    func colour() throws {
        let session = try Session.history()
        let escape = "\u{1B}"
        #expect(!(try session.expect("branch").text.contains(escape)))
        session.environment["CLICOLOR_FORCE"] = "1"
        #expect(try session.expect("branch").text.contains(escape))
        #expect(try session.run("show", "nope").errors.contains(escape))
        #expect(!(try session.expect("branch", "--no-color").text.contains(escape)))
        session.environment["NO_COLOR"] = "1"
        #expect(!(try session.expect("branch").text.contains(escape)))
    }

    @Test("progress can be lines or JSON on standard error, and is not shown in pipes")
    func progress() throws {
        let session = try Session.history()
        let plain = try session.expect("verify", "--progress", "plain")
        #expect(plain.errors.hasPrefix("verify: "))
        let json = try session.expect("verify", "--progress", "json")
        for line in json.errors.split(separator: "\n") {
            let step = try object(Data(line.utf8))["progress"] as? [String: Any]
            #expect(step?["total"] is Int)
        }
        #expect(try session.expect("verify").errors == "")
    }
}
