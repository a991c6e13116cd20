import Foundation
import Testing

@Suite("Remotes, as a user has them")
struct RemoteTests {
    @Test("push, clone, change, push back and pull")
    func exchange() throws {
        let session = try Session.history()
        let url = "file://" + session.path("remote")
        try session.expect("remote", "add", "origin", url)
        #expect(try session.expect("push", "origin", "main", "left").text.contains("new, at"))
        #expect(try session.expect("push").text.contains("has everything already"))
        let clone = try session.start(["clone", url, "T", "--json"]).end()
        #expect(clone.status == 0, "\(clone.errors)")
        #expect(try clone.json["branch"] as? String == "main")
        let mine = try session.expect("log", "-n", "1", "-q").text
        #expect(try session.start(["-C", "T", "log", "-n", "1", "-q"]).end().text == mine)
        let branches = try session.start(["-C", "T", "branch", "-r", "-q"]).end()
        #expect(branches.lines == ["origin/left", "origin/main"])
        // A branch that only the remote has is made where that has it.
        let left = try session.start(["-C", "T", "switch", "left"]).end()
        #expect(left.text.contains("on branch left"), "\(left.errors)")
        _ = try session.start(["-C", "T", "switch", "main"]).end()
        try TinyCheckpoint(edits: [3: 1]).write(to: session.path("next"))
        for words in [
            ["-C", "T", "commit", "next", "-m", "more"], ["-C", "T", "push"],
        ] {
            let run = try session.start(words).end()
            #expect(run.status == 0, "\(run.errors)")
        }
        #expect(try session.expect("fetch").text.contains("main"))
        #expect(try session.expect("log", "main..origin/main", "-q").lines.count == 1)
        #expect(try session.expect("pull").text.contains("moved main forward"))
        #expect(try session.start(["-C", "T", "verify"]).end().status == 0)
        #expect(try session.expect("remote", "check", "--read").text.contains("keeps its word"))
    }

    @Test("a lazy clone has what it reads, and works on like any other")
    func lazily() throws {
        let session = try Session.history()
        let url = "file://" + session.path("remote")
        try session.expect("remote", "add", "origin", url)
        try session.expect("push", "origin", "main", "left")
        func clone(_ words: String...) throws -> Run {
            let run = try session.start(["-C", "T"] + words).end()
            #expect(run.status == 0, "\(words): \(run.errors)")
            return run
        }
        let made = try session.start(["clone", url, "T", "--lazy"]).end()
        #expect(made.status == 0, "\(made.errors)")
        #expect(made.text.contains("stay there until they are read"))
        let verified = try clone("verify").text
        #expect(verified.contains("promised, not read") && !verified.contains("every byte"))
        let counts = try clone("verify", "--json").json
        let all = try clone("stats", "--json").json["objects"] as? Int ?? 0
        let (here, promised) = (counts["objects"] as? Int, counts["promisedObjects"] as? Int ?? 0)
        #expect(promised > 0 && here == all - promised)
        let kept = try clone("backup", session.path("B"))
        #expect(kept.text.contains("\(all - promised) checked; \(promised) stay on a remote"))
        let backup = try clone("backup", session.path("B.mdb"), "--json").json
        #expect(backup["objects"] as? Int == all && backup["promisedObjects"] as? Int == promised)
        #expect(try session.expect("backup", session.path("F")).text.contains("all checked"))
        #expect(try clone("stats").text.contains("on a remote"))
        #expect(try clone("config", "remote.cache", "100M").status == 0)
        let full = try session.expect("cat", "main:model.norm.weight").output
        #expect(try clone("cat", "main:model.norm.weight").output == full)
        let fetched = try clone("verify", "--fetch").text
        #expect(fetched.contains("no faults") && fetched.contains("every byte"))
        #expect(FileManager.default.fileExists(atPath: session.path("T/cache")))
        try TinyCheckpoint(edits: [3: 1]).write(to: session.path("next"))
        _ = try clone("commit", "next", "-m", "more")
        _ = try clone("push")
        try session.expect("pull")
        try TinyCheckpoint(edits: [4: 1]).write(to: session.path("other"))
        try session.expect("commit", "other", "-m", "other")
        try session.expect("push")
        #expect(try clone("pull").text.contains("moved main forward"))
        #expect(try clone("verify", "--fetch").text.contains("no faults"))
        // Without its remote it says what is missing.
        try FileManager.default.removeItem(atPath: session.path("T/cache"))
        try FileManager.default.moveItem(
            atPath: session.path("remote"), toPath: session.path("away"))
        let away = try session.start(["-C", "T", "verify", "--fetch"]).end()
        #expect(away.status == 6 && away.errors.contains("there is no remote at \(url)"))
        try session.expect("remote", "rm", "origin")
        _ = try clone("remote", "rm", "origin")
        let run = try session.start(["-C", "T", "verify", "--fetch"]).end()
        #expect(run.status == 6 && run.errors.contains("cambium remote"), "\(run.errors)")
    }

    @Test("a branch that is named twice is pushed once, and a clone that ended early goes on")
    func twice() throws {
        let session = try Session.history()
        let url = "file://" + session.path("remote")
        try session.expect("remote", "add", "origin", url)
        try session.expect("push", "origin", "main", "main")
        try session.expect("push", "origin", "main", "main")
        // As after a clone that died between the last byte and its branch.
        for words in [
            ["init", "T"], ["remote", "add", "origin", url, "-C", "T"], ["fetch", "-C", "T"],
        ] {
            let run = try session.start(words).end()
            #expect(run.status == 0, "\(run.errors)")
        }
        let clone = try session.start(["clone", url, "T"]).end()
        #expect(clone.status == 0 && clone.text.contains("on branch main"), "\(clone.text)")
    }

    @Test("a push that is behind is refused with status 5, and pull merges")
    func behind() throws {
        let session = try Session.history()
        let url = "file://" + session.path("remote")
        try session.expect("remote", "add", "origin", url)
        try session.expect("push")
        _ = try session.start(["clone", url, "T"]).end()
        try TinyCheckpoint(edits: [3: 1]).write(to: session.path("next"))
        try TinyCheckpoint(edits: [4: 1]).write(to: session.path("other"))
        _ = try session.start(["-C", "T", "commit", "next", "-m", "theirs"]).end()
        _ = try session.start(["-C", "T", "push"]).end()
        try session.expect("commit", "other", "-m", "mine")
        #expect(try session.expect("status").text.contains("1 commit ahead of origin/main"))
        let refused = try session.run("push", "--json")
        #expect(refused.status == 5)
        #expect(try refused.errorJSON["code"] as? String == "branch-moved")
        try session.expect("pull")
        #expect(try session.expect("push").text.contains("->"))
        #expect(try session.expect("log", "-n", "1").text.contains("origin/main"))
    }

    /// A command line that fails: words, status, code.
    private static let failures: [([String], Int32, String)] = [
        (["remote", "add", "origin", "http://host/x"], 64, "usage"),
        (["remote", "add", "origin", "s3://"], 64, "usage"),
        (["remote", "add", "a/b", "file:///tmp/x"], 64, "bad-name"),
        (["remote", "rm", "origin"], 2, "not-found"),
        (["push"], 2, "not-found"), (["fetch", "nope"], 2, "not-found"),
        (["push", "--jobs", "0"], 64, "usage"), (["fetch", "--depth", "-1"], 64, "usage"),
        (["remote", "gc", "--grace", "1h"], 2, "not-found"),
        (["clone", "file:///nowhere/at/all", "T"], 6, "remote"),
        (["clone", "file:///nowhere/at/all", "T", "--depth", "0"], 64, "usage"),
    ]

    @Test("what cannot be is an error that says what to do", arguments: failures)
    func errors(_ words: [String], _ status: Int32, _ code: String) throws {
        let session = try Session.history()
        let run = try session.start(words + ["--json"]).end()
        #expect(run.status == status, "\(words): \(run.errors)")
        #expect(try run.errorJSON["code"] as? String == code, "\(words): \(run.errors)")
        #expect(!FileManager.default.fileExists(atPath: session.path("T")))
    }

    @Test("a grace period of less than a day is refused")
    func grace() throws {
        let session = try Session.history()
        try session.expect("remote", "add", "origin", "file://" + session.path("remote"))
        let run = try session.run("remote", "gc", "--grace", "1h")
        #expect(run.status == 64 && run.errors.contains("24h"))
    }
}
