import Foundation
import Testing

@Suite("Patch files of diffs on the command line")
struct DiffPatchTests {
    @Test("a diff is written, kept, replaced, and committed on the older revision")
    func written() throws {
        let session = try Session.history()
        let first = try session.expect("diff", "main", "left", "--patch", "step.safetensors")
        #expect(first.text.contains("to step.safetensors: 32 elements of 2 tensors"))
        let refused = try session.run("diff", "main", "left", "--patch", "step.safetensors")
        #expect(refused.status == 1 && refused.errors.contains("--force replaces it"))
        let json = try session.expect(
            "diff", "main", "left", "--patch", "step.safetensors", "--force", "--json")
        let fields = try json.json
        #expect(fields["elements"] as? Int == 32 && fields["file"] as? String == "step.safetensors")
        #expect(fields["sparse"] as? Int == 2 && fields["whole"] as? Int == 0)
        #expect(fields["command"] as? String == "diff" && fields["schema"] as? Int == 1)
        let quiet = try session.expect(
            "diff", "main", "left", "--patch", "step.safetensors", "--force", "-q")
        #expect(quiet.text == "step.safetensors\n")
        try session.expect("branch", "copy", "main")
        try session.expect(
            "commit", "--patch", "step.safetensors", "-m", "step", "--branch", "copy")
        try session.expect("diff", "left", "copy", "--exit-code", "-q")
    }

    @Test("statuses and words of what cannot be")
    func refused() throws {
        let session = try Session.history()
        let differs = try session.run("diff", "main", "left", "--patch", "a", "--exit-code")
        #expect(differs.status == 1 && differs.errors.isEmpty)
        let same = try session.expect("diff", "main", "main", "--patch", "b", "--exit-code")
        #expect(same.text.contains("nothing differs"))
        #expect(try session.run("diff", "main", "left", "--patch", "c", "--ids").status == 64)
        #expect(try session.run("diff", "main", "left", "--force").status == 64)
        #expect(try session.run("diff", "main", "nowhere", "--patch", "c").status == 2)
        try Data("text".utf8).write(to: URL(filePath: session.path("left/generation_config.json")))
        try session.expect("commit", "left", "-m", "a file more", "--branch", "left")
        let unsaid = try session.run("diff", "main", "left", "--patch", "c", "--json")
        #expect(unsaid.status == 1)
        let error = try unsaid.errorJSON
        #expect(error["code"] as? String == "unsupported")
        #expect((error["message"] as? String)?.contains("generation_config.json") == true)
        #expect(!FileManager.default.fileExists(atPath: session.path("c")))
    }

    @Test("a patch of elements that does not fit says so, with its code and status")
    func misfit() throws {
        let session = try Session.history()
        let header =
            #"{"T.index":{"dtype":"U32","shape":[1],"data_offsets":[0,4]},"#
            + #""T.value":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#
        func write(_ name: String, _ element: UInt8) throws {
            let json = Data(header.replacingOccurrences(of: "T", with: name).utf8)
            let length = unsafe withUnsafeBytes(of: UInt64(json.count).littleEndian) {
                unsafe Data($0)
            }
            let data = Data([element, 0, 0, 0, 0, 0, 128, 63])
            try (length + json + data).write(to: URL(filePath: session.path("p.safetensors")))
        }
        try write("model.norm.weight", 200)
        let outside = try session.run("commit", "--patch", "p.safetensors", "-m", "x", "--json")
        #expect(outside.status == 1)
        #expect(try outside.errorJSON["code"] as? String == "bad-shape")
        try write("nowhere", 0)
        let unknown = try session.run("commit", "--patch", "p.safetensors", "-m", "x")
        #expect(unknown.status == 2 && unknown.errors.contains("'nowhere'"))
        try write("model.norm.weight", 1)
        try session.expect("commit", "--patch", "p.safetensors", "-m", "x")
    }
}
