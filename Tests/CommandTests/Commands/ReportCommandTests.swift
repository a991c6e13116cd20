import Foundation
import Testing

@testable import CambiumCommand

@Suite("Reports")
struct ReportCommandTests {
    @Test("a page is one file that needs nothing from elsewhere, and the same again")
    func page() throws {
        let session = try Session.history()
        let said = try session.expect("report", "-o", "report.html").text
        #expect(said == "the report is in report.html\n")
        let first = try String(contentsOfFile: session.path("report.html"), encoding: .utf8)
        #expect(first.hasPrefix("<!doctype html>") && first.hasSuffix("</html>\n"))
        #expect(first.contains("3 commits of every branch and tag"))
        let links = first.replacing("http://www.w3.org/2000/svg", with: "")
        #expect(!links.contains("http:") && !links.contains("https:") && !links.contains("url("))
        try session.expect("report", "-o", "report.html")
        #expect(try String(contentsOfFile: session.path("report.html"), encoding: .utf8) == first)
        try session.expect("report", "left", "--title", "<mine>", "-o", "left.html")
        let left = try String(contentsOfFile: session.path("left.html"), encoding: .utf8)
        #expect(left.contains("2 commits of left") && left.contains("&lt;mine&gt;"))
    }

    @Test("a figure is a table, commas, JSON, or a drawing, and all have the same numbers")
    func figure() throws {
        let session = try Session.history()
        try session.expect("note", "left", "--metric", "law.bpb=2.25")
        let json = try session.expect("report", "--figure", "matrix", "--json").json
        let data = try #require(json["data"] as? [String: Any])
        #expect(json["figure"] as? String == "matrix" && data["measure"] as? String == "bpb")
        let table = try session.expect("report", "--figure", "matrix").lines
        #expect(table.count == 2 && table[1].contains("law") && table[1].contains("2.25"))
        let commas = try session.expect("report", "--figure", "matrix", "--csv").text
        #expect(commas.hasPrefix("domain,commit,subject,value,best before\r\nlaw,"))
        for name in ["matrix.svg", "matrix.csv"] {
            try session.expect("report", "--figure", "matrix", "-o", name)
        }
        #expect(try String(contentsOfFile: session.path("matrix.csv"), encoding: .utf8) == commas)
        let drawing = try String(contentsOfFile: session.path("matrix.svg"), encoding: .utf8)
        #expect(drawing.hasPrefix("<?xml") && drawing.contains(">2.250<"))
        #expect(Nesting.isWellFormed(drawing))
        let all = try session.expect("report", "--json").json
        #expect((all["figures"] as? [Any])?.count == 9)
    }

    @Test("PNG is made by the program that is there for it, or refused with its name")
    func pixels() throws {
        let session = try Session.history()
        session.environment["PATH"] = session.directory
        let run = try session.run("report", "--figure", "history", "-o", "history.png")
        #expect(
            run.status != 0 && run.errors.contains("rsvg-convert")
                && run.errors.contains("librsvg2-bin"))
        session.environment["PATH"] = nil
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/rsvg-convert") else { return }
        try session.expect("report", "--figure", "history", "-o", "history.png")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: session.path("history.png")))
        #expect(bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]))
        // A folder that is missing is told as it is of a drawing.
        let svg = try session.run("report", "--figure", "history", "-o", "no/where.svg")
        let png = try session.run("report", "--figure", "history", "-o", "no/where.png")
        #expect(png.status == svg.status && png.status != 0)
        #expect(png.errors == svg.errors.replacing("where.svg", with: "where.png"))
    }

    @Test(
        "what cannot be is refused with what to do",
        arguments: [
            (["report"], "the page needs a file"), (["report", "-o", "x.svg"], "name it .html"),
            (["report", "--figure", "matrix", "-o", "x.html"], "name it .svg, .png or .csv"),
            (["report", "--csv"], "give --figure NAME"),
            (["report", "--figure", "pie"], "pie"),
            (["report", "nowhere", "-o", "x.html"], "nowhere"),
            (["report", "-o", "no/where/x.html"], "no/where"),
        ])
    func refusals(_ words: [String], _ message: String) throws {
        let run = try Session.base().start(words).end()
        #expect(run.status != 0 && run.errors.contains(message), "\(run.errors)")
    }

    @Test("what was measured is noted on the commits, and is in the report from then on")
    func record() throws {
        let session = try Session.history()
        try session.write(String(repeating: "abcdefgh", count: 8), to: "text.txt")
        let eval = try session.expect(
            "eval", "main", "left", "--text", "text.txt", "--record", "--json")
        let rows = try #require(try eval.json["rows"] as? [[String: Any]])
        let notes = try session.expect("note", "left", "--json").json["notes"] as? [[String: Any]]
        let metrics = notes?.first?["metrics"] as? [String: Double]
        #expect(metrics?["text.bpb"] == rows[1]["bitsPerByte"] as? Double && metrics?.count == 1)
        let matrix = try session.expect("report", "--figure", "matrix", "--csv").lines
        #expect(matrix.count == 3)
    }

    @Test(
        "names of others cannot steer a terminal that numbers with commas are printed on",
        .enabled(if: Terminals.isThere))
    func steering() throws {
        let session = try Session.history()
        try session.expect("note", "left", "--metric", "a\u{1B}]0;x\u{7}.bpb=2.25")
        let shown = try session.terminal("cambium report --figure metrics --csv").text
        #expect(!shown.contains("\u{1B}") && !shown.contains("\u{7}") && !shown.contains("x0d"))
        #expect(shown.contains("a\\x1b]0;x\\x07.bpb,"))
        // A program reads what is recorded.
        let raw = try session.expect("report", "--figure", "metrics", "--csv").text
        #expect(raw.contains("a\u{1B}]0;x\u{7}.bpb,") && raw.hasSuffix("\r\n"))
    }

    @Test("a range without commits is told from a store without any, and long subjects are cut")
    func edges() throws {
        let session = try Session.history()
        let empty = try session.expect("report", "left..main", "--figure", "rounds").text
        #expect(empty == "No commit is in left..main.\n")
        try TinyCheckpoint(edits: [3: 1]).write(to: session.path("next"))
        try session.expect("commit", "next", "-m", String(repeating: "long ", count: 2_000))
        let lines = try session.expect("report", "--figure", "history").lines
        #expect(lines.allSatisfy { $0.count < 300 } && lines.contains { $0.contains("…") })
        #expect(try session.expect("report", "--figure", "history", "--csv").text.count > 9_000)
    }

    @Test("a terminal has columns and bars, a pipe has none", .enabled(if: Terminals.isThere))
    func terminal() throws {
        let session = try Session.history()
        try session.expect("note", "left", "--metric", "law.bpb=2.25")
        let pipe = try session.expect("log", "--graph", "--all").text
        #expect(!pipe.contains("law.bpb"))
        let wide = try session.terminal("NO_COLOR=1 cambium --no-pager log --graph --all").text
        #expect(wide.contains("law.bpb") && wide.contains("2.25") && !wide.contains("\u{1B}["))
        let lines = wide.split(whereSeparator: \.isNewline)
        #expect(lines.allSatisfy { $0.count <= 80 })
        let narrow = try session.terminal(
            "stty cols 40; NO_COLOR=1 cambium --no-pager log --graph --all")
        #expect(!narrow.text.contains("law.bpb"))
        #expect(try session.terminal("NO_COLOR=1 cambium stats").text.contains("█"))
        #expect(!(try session.expect("stats").text.contains("█")))
        let json = try session.terminal("cambium --no-pager log --graph --all --json").text
        #expect(!json.contains("  law.bpb") && !json.contains("│"))
    }
}

/// Whether a text is XML.
private enum Nesting {
    /// Elements close in their order, and attributes have quotes.
    static func isWellFormed(_ text: String) -> Bool {
        var open: [Substring] = []
        for part in text.split(separator: "<").dropFirst() {
            guard let end = part.firstIndex(of: ">") else { return false }
            let tag = part[..<end]
            if tag.hasPrefix("/") {
                guard open.popLast() == tag.dropFirst() else { return false }
            } else if !tag.hasSuffix("/") && !tag.hasSuffix("?") {
                open.append(tag.prefix { $0 != " " })
            }
            guard tag.count(where: { $0 == "\"" }).isMultiple(of: 2) else { return false }
        }
        return open.isEmpty
    }
}
