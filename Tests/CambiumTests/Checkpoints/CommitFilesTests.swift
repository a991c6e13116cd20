import Foundation
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// Which files a commit takes from where.
@Suite("Files of a commit")
struct CommitFilesTests {
    /// A store whose main has the tiny model, a tokenizer and evidence.
    private func store(in directory: String) throws -> Store {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        let base = try TinyCheckpoint().write(to: directory + "/base")
        for name in ["tokenizer.json", "generation_config.json"] {
            try Data(#"{"of": "main"}"#.utf8).write(to: URL(filePath: "\(base)/\(name)"))
        }
        try store.commit(checkpoint: base, Checkpoints.options("base"))
        try store.commit(Checkpoints.options("evidence")) { patch in
            try patch.addEvidence(Array("some text to count".utf8), adapter: "base")
        }
        return store
    }

    private func bare(_ directory: String, _ files: [String: String] = [:]) throws -> String {
        let folder = try TinyCheckpoint(seed: 2).write(to: directory + "/bare")
        try FileManager.default.removeItem(atPath: folder + "/config.json")
        for (name, text) in files {
            try Data(text.utf8).write(to: URL(filePath: "\(folder)/\(name)"))
        }
        return folder + "/model.safetensors"
    }

    @Test("a single file keeps the branch's files and says so, and alone drops them")
    func single() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let before = try store.tree("main").files
            let file = try bare(directory)
            let commit = try store.commit(checkpoint: file, Checkpoints.options("round"))
            #expect(try store.tree("main").files == before)
            let note = commit.notes.joined()
            for name in before.keys where !name.hasPrefix("evidence.") {
                #expect(note.contains(name))
            }
            #expect(note.contains("--alone") && commit.experts == 16)
            var options = Checkpoints.options("alone")
            options.isAlone = true
            // Without config.json it is no model that runs.
            options.allowsUnfit = true
            let alone = try store.commit(checkpoint: file, options)
            #expect(try store.tree("main").files.isEmpty)
            #expect(alone.notes.joined().contains("tokenizer.json"))
        }
    }

    @Test("files beside a single file come before the branch's")
    func beside() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let before = try store.tree("main").files
            let file = try bare(directory, ["tokenizer.json": #"{"of": "the file"}"#])
            try store.commit(checkpoint: file, Checkpoints.options("round"))
            let after = try store.tree("main").files
            #expect(after["tokenizer.json"] != before["tokenizer.json"])
            #expect(
                after.filter { $0.key != "tokenizer.json" }
                    == before.filter { $0.key != "tokenizer.json" })
        }
    }

    @Test("a folder has its own files, and what goes is named")
    func folder() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let folder = try TinyCheckpoint(seed: 2).write(to: directory + "/folder")
            let commit = try store.commit(checkpoint: folder, Checkpoints.options("folder"))
            let names = try store.tree("main").files.keys.filter { !$0.hasPrefix("evidence.") }
            #expect(names == ["config.json"])
            #expect(commit.notes.joined().contains("generation_config.json, tokenizer.json"))
            // What was learned about the branch's data stays.
            #expect(try store.evidence("main").count == 1)
        }
    }

    @Test("squared gradients stay with what they are of")
    func gradients() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            try store.addSquaredGradients(
                [Array("the quick brown fox jumps".utf8)], Checkpoints.options("fisher"))
            let before = try store.tree("main").files.filter { $0.key.hasPrefix("fisher.") }
            var changed = TinyCheckpoint()
            changed.setExpert(3, to: 1)
            let folder = try changed.write(to: directory + "/changed")
            try store.commit(checkpoint: folder, Checkpoints.options("changed"))
            let after = try store.tree("main").files.filter { $0.key.hasPrefix("fisher.") }
            #expect(after.count == before.count - 1)
            #expect(after.allSatisfy { before[$0.key] == $0.value })
        }
    }

    @Test("a record that is not what its name says is refused, and strangers are left out")
    func hostile() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            _ = try store.export("main", to: directory + "/out")
            let name = try #require(
                FileManager.default.contentsOfDirectory(atPath: directory + "/out")
                    .first { $0.hasPrefix("evidence.") })
            let head = try store.resolve("main")
            let good = try bytes("\(directory)/out/\(name)")
            func refused(_ name: String, _ data: Data) throws {
                let url = URL(filePath: "\(directory)/out/\(name)")
                try data.write(to: url)
                let error = #expect(throws: CambiumError.self) {
                    try store.commit(
                        checkpoint: directory + "/out", Checkpoints.options("hostile"))
                }
                #expect(error?.code.rawValue == "bad-input")
                #expect(error?.message.contains(name) == true)
                #expect(try store.resolve("main") == head)
                try FileManager.default.removeItem(at: url)
            }
            var flipped = good
            flipped[flipped.count / 2] ^= 1
            try refused(name, flipped)
            try refused(name, Data())
            let text = Array("no evidence".utf8)
            try refused("evidence." + ObjectID(ofFile: text).hex, Data(text))
            let zeros = String(repeating: "0", count: 64)
            try refused("fisher." + zeros, Data(text))
            try refused(
                "fisher." + zeros, Data("CFSH".utf8) + Data([1, 0, 0, 0, 0, 0, 0xC0, 0xFF]))
            // Names that are no record's are a stranger's files.
            for other in ["evidence.txt", "fisher.1", "evidence." + zeros.uppercased() + "0"] {
                try Data(text).write(to: URL(filePath: "\(directory)/out/\(other)"))
            }
            try good.write(to: URL(filePath: "\(directory)/out/\(name)"))
            let commit = try store.commit(
                checkpoint: directory + "/out", Checkpoints.options("strangers"))
            #expect(commit.unchanged)
            #expect(commit.notes.joined().contains("evidence.txt"))
        }
    }
}
