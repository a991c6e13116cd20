import Foundation
import TestSupport
import Testing

@testable import Cambium

/// Exports into folders that hold something already.
@Suite("Export into a folder that is not empty")
struct ExportFolderTests {
    /// A store with a model in one file on `one`, with tokenizer and evidence, and another in shards on `many`.
    private func store(in directory: String) throws -> Store {
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        var one = try RawCheckpoint(Checkpoints.path("hf/mixtral/model"))
        one.files["tokenizer.json"] = Data("{}".utf8)
        try store.commit(
            checkpoint: one.write(to: directory + "/one"), Checkpoints.options("1", branch: "one"))
        try store.commit(Checkpoints.options("e", branch: "one")) { patch in
            try patch.addEvidence(Array("some text to count".utf8), adapter: "base")
        }
        var many = one
        many.files["tokenizer.json"] = nil
        many.fill("model.norm.weight", with: 2)
        for shards in [2, 3] {
            try store.commit(
                checkpoint: many.write(to: "\(directory)/many\(shards)", shards: shards),
                CommitOptions(
                    message: "many", branch: "many\(shards)", signature: Checkpoints.signature))
        }
        return store
    }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path))
    }

    @Test(
        "nothing of another model stays that a reader would take, and strangers' files do",
        arguments: ["one", "many2", "many3"], ["one", "many2", "many3"])
    func replaces(old: String, new: String) throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let out = directory + "/out"
            _ = try store.export(old, to: out)
            let strangers = [
                "README.md", "optimizer.pt", "mine.safetensors", "model-7.safetensors",
                "evidence.txt",
                "pytorch_model.bin",
            ]
            for name in strangers { try write("mine", "\(out)/\(name)") }
            try FileManager.default.createDirectory(
                atPath: out + "/runs", withIntermediateDirectories: false)
            let before = try folderNames(out)
            let error = #expect(throws: CambiumError.self) { try store.export(new, to: out) }
            #expect(error?.code == .exists && error?.message.contains("--force") == true)
            #expect(try folderNames(out) == before)
            let result = try store.export(new, to: out, overwrite: true)
            #expect(try folderNames(out) == Set(result.files + strangers + ["runs"]))
            #expect(Set(result.removed) == before.subtracting(result.files + strangers + ["runs"]))
            for name in strangers { #expect(try bytes("\(out)/\(name)") == Data("mine".utf8)) }
            try Store.create(at: directory + "/T")
            let other = try Store(directory + "/T")
            let commit = try other.commit(checkpoint: out, Checkpoints.options("again"))
            #expect(try commit.tree == store.show(new).tree)
        }
    }

    @Test("files of another model alone are refused too, though none has a name that is written")
    func refuses() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            for name in [
                "model.safetensors", "model-00001-of-00009.safetensors", "tokenizer.json",
                "adapter_config.json", "evidence." + String(repeating: "a", count: 64),
            ] {
                let out = "\(directory)/out-\(name)"
                try FileManager.default.createDirectory(
                    atPath: out, withIntermediateDirectories: false)
                try write("{}", "\(out)/\(name)")
                let error = #expect(throws: CambiumError.self) {
                    try store.export("many2", to: out)
                }
                #expect(error?.code == .exists && error?.message.contains(name) == true)
                #expect(try folderNames(out) == [name])
            }
            // A folder cannot be replaced by a file, whatever is asked for.
            let out = directory + "/folder"
            try FileManager.default.createDirectory(
                atPath: out + "/config.json", withIntermediateDirectories: true)
            let error = #expect(throws: CambiumError.self) {
                try store.export("many2", to: out, overwrite: true)
            }
            #expect(error?.code == .exists)
            #expect(try folderNames(out) == ["config.json"])
        }
    }

    @Test("links are replaced themselves, not what they lead to")
    func links() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let out = directory + "/out"
            try FileManager.default.createDirectory(
                atPath: out, withIntermediateDirectories: false)
            try write("mine", directory + "/target")
            for name in ["model.safetensors", "config.json", "tokenizer.json"] {
                try FileManager.default.createSymbolicLink(
                    atPath: "\(out)/\(name)", withDestinationPath: directory + "/target")
            }
            _ = try store.export("many2", to: out, overwrite: true)
            #expect(try bytes(directory + "/target") == Data("mine".utf8))
            #expect(
                try bytes(out + "/config.json") == bytes(directory + "/many2/config.json"))
        }
    }

    @Test("an export that fails at any call leaves one of the two models, or none; never a mixture")
    func failure() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var trees: [String: String] = [:]
            for (branch, shards) in [("one", 1), ("many", 2)] {
                let tiny = try TinyCheckpoint(seed: UInt64(shards)).write(to: directory + "/tiny")
                let raw = try RawCheckpoint(tiny)
                let commit = try store.commit(
                    checkpoint: raw.write(to: directory + "/" + branch, shards: shards),
                    Checkpoints.options(branch, branch: branch))
                trees[commit.tree] = branch
            }
            var seen: Set<String> = []
            for (old, new) in [("one", "many"), ("many", "one")] {
                var (call, count) = (0, 1)
                while call <= count {
                    let out = "\(directory)/\(old).\(call)"
                    _ = try store.export(old, to: out)
                    let run = try failingCall(call, in: out) {
                        Result { try store.export(new, to: out, overwrite: true) }
                    }
                    if call == 0 {
                        count = run.calls
                        _ = try run.result.get()
                    }
                    try Store.create(at: out + ".store")
                    do {
                        let commit = try Store(out + ".store").commit(
                            checkpoint: out, Checkpoints.options("read"))
                        seen.insert(trees[commit.tree] ?? "a mixture after \(old).\(call)")
                    } catch let error as CambiumError {
                        #expect(error.code.rawValue == "not-a-checkpoint")
                        seen.insert("none")
                    }
                    call += 1
                }
                #expect(count > 10)
            }
            #expect(seen == ["one", "many", "none"])
        }
    }

    private func folderNames(_ path: String) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: path))
    }
}
