import Foundation
import Testing

@Suite("Files of commits and exports on the command line")
struct CheckpointFilesTests {
    @Test("a single file keeps the branch's files and says so; --alone does not")
    func alone() throws {
        let session = try Session.history()
        try TinyCheckpoint(edits: [2: 1]).write(to: session.path("next"))
        try FileManager.default.removeItem(atPath: session.path("next/config.json"))
        let kept = try session.expect("commit", "next/model.safetensors", "-m", "next")
        #expect(kept.text.contains("config.json: kept from the branch's head"))
        #expect(try session.expect("cat", "main:config.json").text.contains("peer-lm"))
        let alone = try session.expect(
            "commit", "next/model.safetensors", "-m", "alone", "--alone", "--branch", "alone")
        #expect(alone.text.contains("config.json of the branch's head: not kept"))
        #expect(try session.run("cat", "alone:config.json").status == 2)
        let patch = try session.run(
            "commit", "--patch", "next/model.safetensors", "-m", "x", "--alone")
        #expect(patch.status == 64)
    }

    @Test("an export says what it left out and removed, also in JSON")
    func export() throws {
        let session = try Session.history()
        try Data("some text to count".utf8).write(to: URL(filePath: session.path("text")))
        try session.expect("evidence", "add", "--adapter", "base", "--text", "text")
        let whole = try session.expect("export", "main", "out")
        #expect(whole.text.contains("  evidence."))
        let stray = session.path("out/model-00001-of-00002.safetensors")
        try Data("stale".utf8).write(to: URL(filePath: stray))
        try Data("mine".utf8).write(to: URL(filePath: session.path("out/notes.txt")))
        let refused = try session.run("export", "main", "out")
        #expect(refused.status == 1 && refused.errors.contains("--force"))
        let plain = try session.expect("export", "main", "out", "--plain", "--force")
        #expect(plain.text.contains("note: left out: evidence."))
        #expect(plain.text.contains("removed, of another checkpoint: evidence."))
        #expect(!FileManager.default.fileExists(atPath: stray))
        #expect(FileManager.default.fileExists(atPath: session.path("out/notes.txt")))
        let json = try session.expect("export", "main", "again", "--plain", "--json")
        let value = try JSONSerialization.jsonObject(with: Data(json.text.utf8))
        let fields = try #require(value as? [String: Any])
        #expect((fields["leftOut"] as? [String])?.first?.hasPrefix("evidence.") == true)
        #expect((fields["removed"] as? [String])?.isEmpty == true)
        #expect((fields["canonical"] as? [String])?.isEmpty == true)
    }
}
