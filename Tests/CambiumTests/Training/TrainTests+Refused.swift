import Elements
import Foundation
import Snapshots
import TestSupport
import Testing

@testable import Cambium

extension TrainTests {
    @Test("a base that changes below its adapters is committed only when that is said")
    func changedBase() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            try store.train(options(adapter("digits"), Self.digits))
            let head = try store.resolve("main")
            let name = "model.norm.weight"
            let count = try #require(store.tree("main").trunk.tensors[name]?.shape.byteCount)
            func change(_ options: CommitOptions) throws {
                try store.commit(options) { patch in
                    try patch.put(tensor: name, [UInt8](repeating: 0, count: count))
                }
            }
            #expect(code { try change(Checkpoints.options("changed")) } == "unfit")
            // A whole checkpoint that has adapter and base of different minds.
            _ = try store.export("main", to: directory + "/out")
            var file = try Data(contentsOf: URL(filePath: directory + "/out/model.safetensors"))
            let size = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            let header = try #require(
                JSONSerialization.jsonObject(with: file[8..<8 + size]) as? [String: Any])
            let entry = try #require(header["lm_head.weight"] as? [String: Any])
            let range = try #require(entry["data_offsets"] as? [Int])
            file[8 + size + range[0]] ^= 1
            try file.write(to: URL(filePath: directory + "/out/model.safetensors"))
            let error = #expect(throws: CambiumError.self) {
                try store.commit(checkpoint: directory + "/out", Checkpoints.options("edited"))
            }
            #expect(error?.code == .unfit && error?.message.contains("'digits'") == true)
            #expect(try store.resolve("main") == head)
            // Meant: it is kept as it is, and says itself that it cannot be run.
            try store.createBranch("other", at: "main", Checkpoints.signature)
            var allowed = Checkpoints.options("meant", branch: "other")
            allowed.allowsUnfit = true
            try change(allowed)
            #expect(code { try store.model("other") } == "unsupported")
            // No merge brings it to a branch that runs, unless that is said too.
            #expect(
                code { try store.merge(["other"], into: "main", Checkpoints.signature) } == "unfit")
            let merged = try store.merge(
                ["other"], into: "main", allowsUnfit: true, Checkpoints.signature)
            #expect(merged.kind == .fastForward)
            // After one that does not run, more of the same is no step down.
            try store.commit(Checkpoints.options("more")) { patch in
                try patch.put(tensor: name, [UInt8](repeating: 1, count: count))
            }
        }
    }

    @Test("a new base is not committed over a model that came while it was trained")
    func baseMeanwhile() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var base = options(
                .model(freezesTrunk: false, freezesExperts: false), Self.english, steps: 3)
            base.initial = Self.config
            let round = base
            var other: TrainResult?
            let error = code {
                try store.train(
                    round,
                    progress: { _ in
                        guard other == nil else { return }
                        other = try store.train(round)
                    })
            }
            #expect(error == "branch-moved")
            #expect(try store.resolve("main") == other?.commit)
        }
    }
}
