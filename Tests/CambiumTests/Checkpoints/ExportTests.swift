import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("Export")
struct ExportTests {
    static let all =
        ["peer-lm/base", "peer-lm/branch-swahili", "peer-lm/branch-metamath"]
        + Checkpoints.transformers

    @Test(
        "gives back every checkpoint byte for byte, in separate, fused and bf16 form",
        arguments: all)
    func roundTrip(_ name: String) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let source = Checkpoints.path(name)
            let commit = try store.commit(checkpoint: source, Checkpoints.options(name))
            #expect(commit.experts > 0 && commit.nanCount == 0)
            let result = try store.export("HEAD", to: directory + "/out")
            #expect(result.files.contains("model.safetensors"))
            #expect(result.files.contains("config.json"))
            for file in result.files {
                #expect(try bytes("\(source)/\(file)") == bytes("\(directory)/out/\(file)"))
            }
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test(
        "the fused form of a committed checkpoint stores no expert again",
        arguments: Checkpoints.architectures.filter { !["gpt_oss", "gemma4"].contains($0) })
    func fusedReusesExperts(_ name: String) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            _ = try store.commit(
                checkpoint: Checkpoints.path("hf/\(name)/model"), Checkpoints.options("separate"))
            let fused = try store.commit(
                checkpoint: Checkpoints.path("hf/\(name)/model_fused"),
                Checkpoints.options("fused"))
            #expect(fused.reusedObjects >= fused.experts)
            #expect(fused.newBytes < 100_000)
            let diff = try store.diff(from: "HEAD~1", to: "HEAD")
            #expect(diff.pools.allSatisfy { $0.changed.isEmpty && $0.added.isEmpty })
            #expect(diff.layoutChanged)
        }
    }

    @Test("refuses to replace files unless it is told to")
    func refusesToReplace() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            _ = try store.commit(
                checkpoint: Checkpoints.path("hf/olmoe/model"), Checkpoints.options("olmoe"))
            _ = try store.export("HEAD", to: directory + "/out")
            let error = #expect(throws: CambiumError.self) {
                try store.export("HEAD", to: directory + "/out")
            }
            #expect(error?.code == .exists)
            _ = try store.export("HEAD", to: directory + "/out", overwrite: true)
        }
    }

    // Decompressed experts were freed while others of their pack were written: they had been given
    // the lease as owner, and two threads had decompressed the pack. Decompressed bytes now keep
    // their owner, and the first pack stays.
    @Test(
        "old snapshots of a compressed store run and export byte for byte")
    func compressed() throws {
        try withScratchDirectory { directory in
            let names = ["base", "branch-swahili", "branch-metamath"]
            try Store.create(at: directory + "/S")
            do {
                let store = try Store(directory + "/S")
                for name in names {
                    try store.commit(
                        checkpoint: Checkpoints.peer(name), Checkpoints.options(name))
                }
            }
            let result = try Store.repack(directory + "/S", compress: true)
            #expect(result.packsCompressed > 0)
            #expect(result.compressedBytes * 100 < result.rawBytes * 90)
            let store = try Store(directory + "/S")
            #expect(try store.verify().faults.isEmpty)
            for (back, name) in names.reversed().enumerated() {
                _ = try store.export("main~\(back)", to: directory + "/\(name)")
                let isSame =
                    try bytes(directory + "/\(name)/model.safetensors")
                    == bytes(Checkpoints.peer(name) + "/model.safetensors")
                #expect(isSame, "\(name)")
            }
            let text = Array(try Checkpoints.text("gsm8k").prefix(2_000))
            let old = try store.model("main~2").evaluate(text, threads: 2).bitsPerByte
            let raw = directory + "/raw"
            try Store.create(at: raw)
            let fresh = try Store(raw)
            try fresh.commit(checkpoint: Checkpoints.peer("base"), Checkpoints.options("base"))
            #expect(try fresh.model("main").evaluate(text, threads: 2).bitsPerByte == old)
        }
    }
}
