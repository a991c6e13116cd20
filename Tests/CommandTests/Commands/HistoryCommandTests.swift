import Foundation
import Testing

@Suite("Log, branch, tag and amend on the command line")
struct HistoryCommandTests {
    /// Rounds 1 to 4 on main, each of another expert and by another author, with a metric.
    private func rounds() throws -> Session {
        let session = try Session.base()
        let authors = ["Ada <ada@x>", "Bob", "Ada <ada@x>", "Eve"]
        var edits: [Int: Float] = [:]
        for (index, author) in authors.enumerated() {
            edits[index % 3] = Float(index + 1)
            try TinyCheckpoint(edits: edits).write(to: session.path("r\(index)"))
            session.environment["CAMBIUM_AUTHOR"] = author
            session.environment["SOURCE_DATE_EPOCH"] = "\(1_795_400_000 + 3_600 * index)"
            try session.expect(
                "commit", "r\(index)", "-m", "Round \(index + 1)", "--metric",
                "acc=0.\([5, 9, 7, 8][index])")
        }
        session.environment["SOURCE_DATE_EPOCH"] = "1795410800"
        return session
    }

    private func subjects(_ run: Run) -> [String] {
        run.lines.map { line in
            String(line.split(separator: " ").suffix(2).joined(separator: " "))
        }
    }

    @Test("a log is filtered by author, words, time, range and number")
    func filters() throws {
        let session = try rounds()
        func log(_ words: String...) throws -> [String] {
            let run = try session.start(["log", "--oneline"] + words).end()
            #expect(run.status == 0, "\(words): \(run.errors)")
            return subjects(run)
        }
        #expect(try log("--author", "ADA@") == ["Round 3", "Round 1"])
        #expect(try log("--grep", "round 2") == ["Round 2"])
        #expect(try log("-n1") == ["Round 4"])
        #expect(try log("-n", "2").count == 2 && log("-n2").count == 2)
        #expect(try log("--author", "ada", "-n1") == ["Round 3"])
        #expect(try log("main~2..main").count == 2)
        #expect(try log("main~1..") == log("-n1"))
        #expect(try log("main..main~2").isEmpty)
        #expect(try log("--until", "2 hours ago", "--grep", "round") == ["Round 2", "Round 1"])
        #expect(
            try log("--since", "1 hour ago", "--grep", "round").map { $0.suffix(7) }
                == ["Round 4", "Round 3"])
        #expect(try session.run("log", "a...b").status == 64)
        #expect(try session.run("log", "none..main").status == 2)
    }

    @Test("a log is sorted by a metric, either way, those without it last")
    func sorted() throws {
        let session = try rounds()
        for (words, expected) in [
            (["--sort", "acc"], ["0.5", "0.7", "0.8", "0.9"]),
            (["--sort", "-metric:acc"], ["0.9", "0.8", "0.7", "0.5"]),
            (["--sort", "metric:acc", "-n2"], ["0.5", "0.7"]),
        ] {
            let run = try session.start(["log", "--json"] + words).end()
            let values = try run.lines.map { line in
                (try object(Data(line.utf8))["metrics"] as? [String: Double])?["acc"]
            }
            #expect(values.compactMap { $0.map { "\($0)" } } == expected, "\(words)")
            if words.count == 2 { #expect(values.count == 5 && values.last == .some(nil)) }
        }
        #expect(try session.run("log", "--graph", "--sort", "acc").status == 64)
    }

    @Test("the log of an expert, a tensor or a row has the commits that changed it")
    func entities() throws {
        let session = try rounds()
        func log(_ place: String) throws -> [String] {
            let run = try session.start(["log", "--oneline", place]).end()
            #expect(run.status == 0, "\(place): \(run.errors)")
            return subjects(run).map { String($0.suffix(7)) }
        }
        #expect(try log("main:0/1").first == "Round 2" && log("main:0/1").count == 2)
        #expect(try log("main:0/0").prefix(2) == ["Round 4", "Round 1"])
        #expect(try log("main:0/base/2").first == "Round 3")
        #expect(try log("main:0/9").count == 1)
        #expect(try log("main:model.norm.weight").count == 1)
        #expect(try log("main:model.layers.0.peer.sub_keys:3").count == 1)
        #expect(try log("main~1..main:0/0") == ["Round 4"])
        #expect(try session.run("log", "main:0/99").status == 2)
        #expect(try session.run("log", "main:nothing").status == 2)
        #expect(try session.run("log", "main:0").status == 64)
        #expect(try session.run("log", "main:0/1", "main").status == 64)
    }

    @Test("the nearest experts of one are told as a table, as JSON and as places")
    func nearest() throws {
        let session = try Session.history()
        let json = try session.expect("show", "left:0/3", "--nearest", "4", "--json").json
        let nearest = try #require(json["nearest"] as? [String: Any])
        #expect(json["ordinal"] as? Int == 3 && nearest["compared"] as? Int == 15)
        let experts = try #require(nearest["experts"] as? [[String: Any]])
        let cosines = experts.compactMap { $0["cosine"] as? Double }
        #expect(cosines.count == 4 && cosines == cosines.sorted(by: >))
        // What was raised with it, by the same.
        #expect(experts.first?["ordinal"] as? Int == 5)
        let table = try session.expect("show", "left:0/3", "--nearest", "4").lines
        #expect(table.count == 10 && table[6].hasPrefix("0/base/5 "))
        let places = try session.expect("show", "left:0/3", "--nearest", "4", "-q").lines
        #expect(places.count == 4 && places[0] == "0/base/5")
        #expect(try session.expect("show", "left:0/3", "--json").json["nearest"] == nil)
        for words in [["left", "--nearest", "4"], ["left:0/3", "--nearest", "0"]] {
            #expect(try session.start(["show"] + words).end().status == 64)
        }
        #expect(try session.run("show", "left:0/99", "--nearest", "4").status == 2)
    }

    @Test("branches are renamed, listed at length, and removed several at once")
    func branches() throws {
        let session = try Session.history()
        let renamed = try session.expect("branch", "--move", "left", "links")
        #expect(renamed.text.hasPrefix("renamed branch left to links"))
        try session.expect("branch", "-m", "start")
        #expect(try session.expect("branch", "-q").text == "links\nright\nstart\n")
        #expect(try session.expect("status").text.contains("on branch start"))
        let list = try session.expect("branch", "-v").text
        #expect(list.contains("by Ada") && list.contains("[ahead 1] round: left"))
        let json = try session.expect("branch", "-v", "--json").json
        let entries = try #require(json["entries"] as? [[String: Any]])
        #expect(entries.first?["ahead"] as? Int == 1 && entries.first?["behind"] as? Int == 0)
        #expect(try session.run("branch", "-d", "links", "none").status == 2)
        #expect(try session.expect("branch", "-q").text == "links\nright\nstart\n")
        try session.expect("branch", "-d", "links", "right")
        #expect(try session.expect("branch", "-q").text == "start\n")
        try session.expect("tag", "v1")
        try session.expect("tag", "v2")
        #expect(try session.run("tag", "-d", "v1", "v3").status == 2)
        try session.expect("tag", "-d", "v1", "v2")
        #expect(try session.expect("tag", "-q").text == "")
        #expect(try session.run("branch", "-m", "none", "x").status == 2)
        #expect(try session.run("branch", "a", "main", "c").status == 64)
    }

    @Test("an empty message is refused, and nothing is committed")
    func emptyMessage() throws {
        let session = try Session.history()
        let before = try session.expect("log", "-q", "--all").text
        for words in [
            ["commit", "left", "-m", ""], ["commit", "left", "-m", " \n"],
            ["commit", "--amend", "-m", ""], ["revert", "left", "--branch", "left", "-m", ""],
            ["merge", "left", "-m", ""],
        ] {
            let run = try session.start(words).end()
            #expect(run.status == 64 && run.errors.contains("the message is empty"), "\(words)")
        }
        #expect(try session.expect("log", "-q", "--all").text == before)
    }

    @Test("amend changes message, metrics and metadata of the head, and says how to go back")
    func amend() throws {
        let session = try Session.history()
        let old = try session.expect("log", "-n1", "-q", "left").text
        let run = try session.expect(
            "commit", "--amend", "--branch", "left", "-m", "new words", "--metric", "acc=0.5",
            "--metric", "sum=0.30000000000000004", "--meta", "k=v")
        #expect(run.text.contains("in place of") && run.text.contains("cambium reset"))
        let json = try session.expect("show", "left", "--json")
        let shown = try json.json
        #expect(json.text.contains("\"sum\":0.30000000000000004"))
        #expect(shown["message"] as? String == "new words")
        #expect((shown["metrics"] as? [String: Double])?["acc"] == 0.5)
        let text = try session.expect("show", "left").text
        #expect(text.contains("acc = 0.5\n") && text.contains("sum = 0.3\n"))
        #expect((shown["metadata"] as? [String: String])?["k"] == "v")
        #expect(try session.expect("log", "-n1", "-q", "left@{1}").text == old)
        #expect(try session.expect("diff", "left", "left@{1}").text.contains("the same model"))
        let parent = try session.run(
            "commit", "--amend", "-m", "x", "--expect-parent", "main", "--branch", "left")
        #expect(parent.status == 5)
        #expect(try session.run("commit", "--amend").status == 64)
        #expect(try session.run("commit", "base").status == 64)
    }

    @Test("a metric of an unchanged commit is not dropped without a word; --allow-empty keeps it")
    func unchangedMetric() throws {
        let session = try Session.history()
        let said = try session.expect("commit", "base", "-m", "again", "--metric", "acc=0.5")
        #expect(said.text.contains("acc was not kept") && said.text.contains("--allow-empty"))
        let made = try session.expect(
            "commit", "base", "-m", "again", "--metric", "acc=0.5", "--allow-empty")
        #expect(made.text.hasPrefix("main ") && made.text.contains("again"))
        #expect(try session.expect("log", "-n1").text.contains("acc 0.5"))
        #expect(try session.expect("diff", "main~1", "main").text.contains("the same model"))
    }

    @Test("status counts no history; stats does")
    func status() throws {
        let session = try rounds()
        let status = try session.expect("status", "--json").json
        let figures = try #require(status["statistics"] as? [String: Any])
        #expect(figures["branches"] as? Int == 1 && figures["headBytes"] as? Int ?? 0 > 16_000)
        #expect(figures["commits"] == nil)
        let stats = try session.expect("stats", "--json").json
        #expect(stats["commits"] as? Int == 5)
        let bytes = try #require(figures["headBytes"] as? Int)
        #expect(stats["logicalBytes"] as? Int == 5 * bytes)
        #expect(figures["objects"] as? Int == stats["objects"] as? Int)
    }

    @Test("completion offers the names of the store that the line names")
    func completion() throws {
        let session = try Session.history()
        try session.expect("tag", "v1")
        session.environment["CAMBIUM_STORE"] = nil
        let script = try session.expect("--generate-completion-script", "bash").text
        #expect(script.contains("---completion"))
        let words = ["log", "-C", "S", ""]
        let run = try session.start(
            ["---completion", "log", "--", "positional@0", "3", "0"] + ["cambium"] + words
        ).end()
        #expect(
            Set(run.lines.map(String.init)).isSuperset(of: ["left", "right", "main", "v1", "HEAD"]))
    }
}
