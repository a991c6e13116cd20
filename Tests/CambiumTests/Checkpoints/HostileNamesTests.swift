import Elements
import Files
import Foundation
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// A store may come from somebody else: the names in it are theirs.
@Suite("Names in a store")
struct HostileNamesTests {
    /// The base of the tiny store under other names of files, committed by the lower layers.
    private func commit(
        _ store: Store, files: [String] = [], shards: [String] = ["model.safetensors"]
    ) throws {
        let head = try store.id("HEAD")
        var tree = try store.snapshots.tree(try store.snapshots.commit(head).tree)
        var layout = try #require(try store.snapshots.layout(of: tree))
        let first = layout.files[0]
        layout.files = shards.map {
            var file = first
            file.name = $0
            return file
        }
        var draft = try CommitDraft(store.snapshots, tree: tree)
        tree.layout = try draft.put(.layout, layout.encoded)
        for name in files { tree.files[name] = try draft.put(.file, Array("stolen".utf8)) }
        draft.tree = tree
        _ = try draft.commit(
            to: "main", parents: [head],
            note: CommitNote(time: 1, author: "eve", message: "names"))
    }

    @Test(
        "that lead out of the folder, cannot be shown or collide are refused and verified",
        arguments: [
            ["../outside"], ["/tmp/cambium-outside"], [".."], ["a/b"], ["a\\b"], ["a\nb"],
            ["a\u{1B}[2Jb"], [""], [String(repeating: "x", count: 256)], ["model.safetensors"],
            ["Model.safetensors"], ["a.json", "A.json"],
        ])
    func files(_ names: [String]) throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            #expect(try store.verify().faults.isEmpty)
            try commit(store, files: names)
            try expectRefused(store, directory)
        }
    }

    @Test(
        "of the files of tensors are refused in the same way",
        arguments: [
            ["../model.safetensors"], ["/tmp/cambium.safetensors"],
            ["model.safetensors", "model.safetensors"], ["config.json"],
        ])
    func shards(_ names: [String]) throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            try commit(store, shards: names)
            try expectRefused(store, directory)
        }
    }

    private func expectRefused(_ store: Store, _ directory: String) throws {
        let error = #expect(throws: CambiumError.self) {
            try store.export("HEAD", to: directory + "/out/model")
        }
        #expect(error?.code == .corrupt)
        #expect(!FileManager.default.fileExists(atPath: directory + "/out"))
        let faults = try store.verify().faults
        #expect(faults.contains { $0.subject.hasPrefix("tree ") && $0.message.contains("name") })
        #expect(!faults.contains { $0.message.unicodeScalars.contains("\u{1B}") })
    }

    @Test("a link in the folder is replaced, not followed")
    func link() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let files = FileManager.default
            try files.createDirectory(
                atPath: directory + "/out", withIntermediateDirectories: true)
            try Data("mine".utf8).write(to: URL(filePath: directory + "/precious"))
            try files.createSymbolicLink(
                atPath: directory + "/out/config.json",
                withDestinationPath: directory + "/precious")
            #expect(throws: CambiumError.self) { try store.export("HEAD", to: directory + "/out") }
            _ = try store.export("HEAD", to: directory + "/out", overwrite: true)
            #expect(try String(contentsOfFile: directory + "/precious", encoding: .utf8) == "mine")
            let attributes = try files.attributesOfItem(atPath: directory + "/out/config.json")
            #expect(attributes[.type] as? FileAttributeType == .typeRegular)
        }
    }

    @Test("a patch for an expert far behind the last is refused before memory is taken")
    func farExpert() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let size = try #require(try store.tree("HEAD").layers.values.first?.pools["base"])
            let bytes = [UInt8](
                repeating: 0, count: size.parts.reduce(0) { $0 + ($1.byteCount ?? 0) })
            let layer = Int(try #require(try store.tree("HEAD").layers.keys.first))
            for ordinal in [3_000_000_000, 1 << 31, Int(size.count) + 1 << 20] {
                let error = #expect(throws: CambiumError.self) {
                    try store.commit(Checkpoints.options("far")) {
                        (patch: inout Patch) in
                        try patch.put(expert: ordinal, layer: layer, bytes)
                    }
                }
                #expect(error?.code == .badShape)
            }
        }
    }

    @Test("a process that a signal ends removes the files that it was writing")
    func abandoned() async {
        await #expect(processExitsWith: .exitCode(7)) {
            let path = NSTemporaryDirectory() + "cambium-\(UUID().uuidString)"
            TemporaryFiles.add(path)
            guard FileManager.default.createFile(atPath: path, contents: Data([1])) else { return }
            let kept = path + "-kept"
            TemporaryFiles.add(kept)
            TemporaryFiles.forget(kept)
            _ = FileManager.default.createFile(atPath: kept, contents: Data([1]))
            Store.abandonFiles {
                let isRight =
                    !FileManager.default.fileExists(atPath: path)
                    && FileManager.default.fileExists(atPath: kept)
                try? FileManager.default.removeItem(atPath: kept)
                exit(isRight ? 7 : 1)
            }
        }
    }
}
