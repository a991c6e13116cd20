import CheckpointSupport
import Foundation
import Testing

@Suite("quantize")
struct QuantizeCommandTests {
    private func session() throws -> Session {
        let session = try Session.base()
        try session.expect(
            "commit", GeneratedCheckpoints.path("hf/qwen2_moe/model_blocks"), "-m", "exact",
            "--branch", "exact")
        return session
    }

    @Test("what became codes is told, with the bits per byte of a text, and kept in the commit")
    func told() throws {
        let session = try session()
        try ExpertCommandTests.text(97, 1_024).write(to: URL(filePath: session.path("text")))
        let run = try session.expect(
            "quantize", "exact", "--experts", "q4", "--dense", "q8", "--branch", "small", "--text",
            "text")
        #expect(run.text.hasPrefix("small "))
        #expect(run.text.contains("32 experts and ") && run.text.contains(" became "))
        #expect(run.text.contains("bits per byte: ") && run.text.contains(" before, "))
        #expect(run.text.contains(", kept as text.bpb"))
        let noted = try session.expect("eval", "small", "--text", "text", "--json").json
        let rows = try #require(noted["rows"] as? [[String: Any]])
        let notes = try session.expect("note", "small", "--json").json["notes"] as? [[String: Any]]
        let metrics = notes?.first?["metrics"] as? [String: Double]
        #expect(try metrics == ["text.bpb": #require(rows[0]["bitsPerByte"] as? Double)])
        #expect(run.text.contains("not quantised: model.layers.1.mlp.shared_expert.down_proj"))
        let bare = try session.expect("quantize", "small", "--routers", "int8", "--json")
        let json = try bare.json
        #expect(json["bitsPerByte"] == nil || json["bitsPerByte"] is NSNull)
        #expect((json["forms"] as? [String: String])?["routers"] == "q8")
        let shown = try session.expect("show", "small~1")
        #expect(shown.text.contains("quantize.forms = experts q4, dense q8"))
        let shared = try session.expect("shared", "small", "exact")
        #expect(shared.text.contains("small is exact ") && shared.text.contains("routers q8"))
        try session.expect("diff", "exact", "small")
        try session.expect("generate", "small", "--tokens", "1,2", "-n", "3")
        try session.expect("export", "small", "out")
        let again = try session.expect("commit", "out", "--branch", "small", "-m", "again")
        #expect(again.text.hasPrefix("nothing changed"))
    }

    @Test("without a text that is said, and without a part nothing begins")
    func refused() throws {
        let session = try session()
        let none = try session.run("quantize", "exact")
        #expect(none.status == 64 && none.errors.contains("--experts"))
        let odd = try session.run("quantize", "exact", "--experts", "q5")
        #expect(odd.status == 64 && odd.errors.contains("q5"))
        let peer = try session.run("quantize", "main", "--experts", "q8")
        #expect(peer.status == 1 && peer.errors.contains("quantize-router"))
        let run = try session.expect("quantize", "exact", "--experts", "q8")
        #expect(run.text.contains("bits per byte were not measured; --text FILE does"))
        let twice = try session.run("quantize", "exact", "--experts", "q8")
        #expect(twice.status == 1 && twice.errors.contains("q8 already"))
    }
}
