import Foundation
import Reporting
import Testing

@testable import CambiumCommand

@Suite("Text of others")
struct VisibleTextTests {
    @Test(
        "control characters and changes of direction are spelled out",
        arguments: [
            ("a\u{1B}[2J", "a\\x1b[2J"), ("a\u{7}\rb", "a\\x07\\x0db"), ("\u{9B}31m", "\\x9b31m"),
            ("\u{7F}", "\\x7f"), ("x\u{202E}y", "x\\u{202e}y"), ("\u{2066}", "\\u{2066}"),
            ("é 日本 👍🏽\n\tb", "é 日本 👍🏽\n\tb"),
        ])
    func spelled(_ text: String, _ shown: String) {
        #expect(VisibleText.of(text) == shown)
    }

    @Test("JSON has escapes for what its encoder leaves as it is, and reads back the same")
    func json() throws {
        let text = "a\u{1B}\u{7F}\u{9B}\u{202E}\u{E0041}é"
        let json = JSONText.encode([text])
        #expect(!json.unicodeScalars.contains { $0.isSteering })
        #expect(try JSONDecoder().decode([String].self, from: Data(json.utf8)) == [text])
    }

    @Test("bytes for a terminal hold no control, and text in UTF-8 stays")
    func bytes() {
        #expect(VisibleText.bytes(Array("é À 日\n".utf8)) == Array("é À 日\n".utf8))
        #expect(
            VisibleText.bytes([0x1B, 0x9B, 0xC2, 0x9B, 0x41]) == Array("\\x1b\\x9b\\x9bA".utf8))
    }

    @Test("no escape of a message, an author, a path or a name reaches an output")
    func commands() throws {
        let session = try Session.base()
        session.environment["CAMBIUM_AUTHOR"] = "eve\u{1B}[31m\u{202E}"
        session.environment["CLICOLOR_FORCE"] = "1"
        try TinyCheckpoint(edits: [3: 1]).write(to: session.path("next"))
        try session.expect("commit", "next", "-m", "fine\u{1B}[2J\u{1B}]0;title\u{7}\u{9B}")
        for command in [["log"], ["show"], ["reflog"], ["status"]] {
            let run = try session.start(command).end()
            #expect(run.status == 0)
            #expect(!run.text.contains("\u{1B}[2J") && !run.text.contains("\u{1B}]0"))
            // Coloured by us, but not by the author.
            #expect(!run.text.contains("eve\u{1B}[31m"))
            #expect(!run.text.contains("\u{202E}") && !run.text.contains("\u{9B}"))
        }
        let failed = try session.run("commit", "no\u{1B}[2Jthing", "-m", "x", "--no-color")
        #expect(failed.status != 0 && !failed.errors.contains("\u{1B}"))
        #expect(failed.errors.contains("no\\x1b[2Jthing"))
        let json = try session.expect("log", "--json").text
        #expect(json.contains("\\u001b[2J") && !json.contains("\u{9B}"))
    }

    @Test("a text is read up to its limit, and what has no end is refused without one")
    func limits() throws {
        let session = try Session.base()
        let limited = try session.run("eval", "--text", "/dev/zero", "--limit", "2000")
        #expect(limited.status == 0, "\(limited.errors)")
        let all = try session.run("eval", "--text", "/dev/zero", "--limit", "all")
        #expect(all.status == 1 && all.errors.contains("without an end"))
        let route = try session.run("route", "--text", "/dev/zero")
        #expect(route.status == 1 && route.errors.contains("without an end"))
        // Ends of its own accord.
        #expect(
            !(try session.run("route", "--text", "/dev/null")).errors.contains("without an end"))
        try session.write("", to: "large")
        let large = try FileHandle(forWritingTo: URL(filePath: session.path("large")))
        try large.truncate(atOffset: 6 << 30)
        #expect(try session.run("eval", "--text", "large", "--limit", "2000").status == 0)
        // What trains holds its texts in memory.
        let whole = try session.run("train", "--data", "large", "--adapter", "a", "--steps", "1")
        #expect(whole.status == 1 && whole.errors.contains("is longer than"), "\(whole.errors)")
    }
}
