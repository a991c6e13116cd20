import Foundation
import Testing

@Suite("eval of a model with a tokenizer")
struct EvalCommandTests {
    /// Bits per byte, and tokens, of a text of bytes.
    private static func row(
        _ session: Session, _ bytes: [UInt8], _ more: [String] = ["--stride", "64"]
    ) throws -> (bits: Double, tokens: Int, errors: String) {
        try Data(bytes).write(to: URL(filePath: session.path("text.txt")))
        let run = try session.start(["eval", "text", "--text", "text.txt", "--csv"] + more).end()
        #expect(run.status == 0, "\(run.errors)")
        let fields = try #require(run.lines.last).split(separator: ",")
        return (
            try #require(Double(fields[5])), try #require(Int(fields[3])), run.errors
        )
    }

    @Test("a limit cuts no character, and says what it leaves out")
    func limit() throws {
        let session = try ChatTests.textSession()
        let text = Array("abcdefé".utf8)
        let cut = try Self.row(session, text + text, ["--stride", "64", "--limit", "7"])
        let whole = try Self.row(session, Array("abcdef".utf8))
        #expect(cut.bits == whole.bits && cut.tokens == whole.tokens)
        #expect(cut.errors.contains("first 7 of 16 bytes"), "\(cut.errors)")
        #expect(!cut.errors.contains("UTF-8") && whole.errors.isEmpty)
    }

    @Test("bytes that are no UTF-8 are told of, and counted as what was read")
    func repaired() throws {
        let session = try ChatTests.textSession()
        let odd = Array("ab".utf8) + [0xFF, 0xFE] + Array(repeating: UInt8(ascii: "c"), count: 300)
        let read = Array(String(decoding: odd, as: UTF8.self).utf8)
        for more in [["--stride", "64"], []] {
            let (one, other) = (
                try Self.row(session, odd, more), try Self.row(session, read, more)
            )
            #expect(one.bits == other.bits && one.tokens == other.tokens)
            #expect(one.errors.contains("text.txt is not UTF-8") && other.errors.isEmpty)
        }
    }

    @Test("what cannot be measured is named before anything is")
    func named() throws {
        let session = try ChatTests.textSession()
        try session.write(String(repeating: "a", count: 600), to: "a.txt")
        try session.write("", to: "empty.txt")
        let words = ["eval", "text", "text", "--text", "a.txt", "empty.txt", "--csv"]
        for more in [["--stride", "9"], []] {
            let run = try session.start(words + more).end()
            #expect(run.status == 1 && run.errors.contains("empty.txt: the text is empty"))
            #expect(run.text.isEmpty)
        }
    }

    @Test("a tokenizer of another model's tokens is told as such")
    func foreign() throws {
        let session = try ChatTests.textSession()
        let file = session.path("with-tokenizer/tokenizer.json")
        let json = try String(contentsOfFile: file, encoding: .utf8)
        try json.replacing("\"a\":97", with: "\"a\":264").write(
            toFile: file, atomically: true, encoding: .utf8)
        try session.expect(
            "commit", session.path("with-tokenizer"), "-m", "other", "--branch", "other")
        try session.write("bab", to: "a.txt")
        for words in [
            ["eval", "other", "--text", "a.txt", "--stride", "2"],
            ["generate", "other", "--prompt", "a"],
            ["generate", "other", "--chat", "--prompt", "a"],
        ] {
            let run = try session.start(words).end()
            #expect(run.status == 1 && run.errors.contains("gives token 264"), "\(run.errors)")
        }
    }

    @Test("--stats beside --csv goes to standard error")
    func statistics() throws {
        let session = try ChatTests.textSession()
        let run = try session.shell(
            "printf 'abcdef' > a.txt; cambium eval text --text a.txt --stride 9 --csv --stats")
        #expect(run.lines.count == 2 && run.errors.contains("peak memory"))
    }
}
