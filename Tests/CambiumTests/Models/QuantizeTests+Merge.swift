import CheckpointSupport
import Foundation
import TestSupport
import Testing

@testable import Cambium

/// Merges of a quantised side with an exact one, and of two that began at a quantised model.
extension QuantizeTests {
    /// Changes the first byte of an expert and of a dense matrix.
    private func change(_ branch: String, from base: String = "main", _ store: Store) throws {
        try store.createBranch(branch, at: base, Checkpoints.signature)
        let expert = try store.expert(base, "1/3").data
        let name = "model.layers.0.self_attn.q_proj.weight"
        let matrix = try store.data(base, named: name)
        try store.commit(Checkpoints.options(branch, branch: branch)) { patch in
            try patch.put(expert: 3, layer: 1, [expert[0] ^ 1] + expert.dropFirst())
            try patch.put(tensor: name, [matrix[0] ^ 1] + matrix.dropFirst())
        }
    }

    @Test("a merge mixes codes and floats of no pool and of no matrix", arguments: both)
    func merge(form: QuantizedForm) throws {
        try withScratchDirectory { directory in
            let store = try store("hf/olmoe/model_blocks", in: directory)
            try change("exact", store)
            try store.quantize(
                "main", QuantizedParts(experts: form, dense: form), options("small"))
            let head = try store.resolve("small")
            let listed = try store.merge(
                ["exact"], into: "small", dryRun: true, Checkpoints.signature)
            #expect(listed.conflicts.count == 2)
            for policy in [MergePolicy.mean, .ties, .task, .solve] {
                let merged = try store.merge(
                    ["exact"], into: "small", policy: policy, dryRun: true, Checkpoints.signature)
                #expect(merged.conflicts.count == 2 && merged.resolved == 0, "\(policy)")
            }
            let kept = refusal {
                _ = try store.merge(
                    ["exact"], into: "small", policy: .alternatives, Checkpoints.signature)
            }
            #expect(kept?.code == .incompatible && "\(kept!)".contains("configuration"))
            let restored = refusal { _ = try store.restore(["small:1/3"], options("exact")) }
            #expect(restored != nil && "\(restored!)".contains("swiglu"))
            // The scales of one side with the floats of another.
            let error = refusal {
                _ = try store.merge(
                    ["exact"], into: "small", policy: .theirs, Checkpoints.signature)
            }
            #expect(error?.code == .incompatible && "\(error!)".contains("q_proj"))
            #expect(try store.resolve("small") == head)
            let ours = try store.merge(
                ["exact"], into: "small", policy: .ours, Checkpoints.signature)
            #expect(ours.conflicts.isEmpty)
            #expect(try store.show("small").tree == store.show(head).tree)
            // Experts alone: whole layers come from the side that is taken.
            try store.quantize("main", QuantizedParts(experts: form), options("experts"))
            let theirs = try store.merge(
                ["exact"], into: "experts", policy: .theirs, Checkpoints.signature)
            #expect(theirs.conflicts.isEmpty)
            #expect(
                try store.expert("experts", "1/3").data == store.expert("exact", "1/3").data)
            #expect(try store.expert("experts", "0/3").data == store.expert(head, "0/3").data)
            #expect(try store.model("experts").logits([1, 2]).joined().allSatisfy(\.isFinite))
            _ = try store.export("experts", to: directory + "/mixed")
        }
    }

    private static let router = "model.layers.1.mlp.gate.weight"

    /// Changes a row of a router's codes, of its scales, or of both.
    private func change(
        row: Int, _ branch: String, codes: UInt8 = 0, scales: UInt8 = 0, _ store: Store
    ) throws {
        try store.createBranch(branch, at: "main", Checkpoints.signature)
        try store.commit(Checkpoints.options(branch, branch: branch)) { patch in
            for (name, change) in [
                (Self.router, codes), (Self.router + "_scale", scales),
            ] where change != 0 {
                var bytes = try store.data("main", named: name)
                bytes[row * bytes.count / 16] ^= change
                try patch.put(tensor: name, bytes)
            }
        }
    }

    @Test("a row of a router has the codes and the scales of one side")
    func routerRows() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/olmoe/model_blocks", in: directory)
            try store.quantize("main", QuantizedParts(routers: .q8), options())
            try change(row: 3, "one", codes: 1, scales: 1, store)
            try change(row: 3, "two", codes: 2, scales: 2, store)
            try change(row: 5, "other", codes: 4, scales: 4, store)
            try change(row: 3, "codes", codes: 8, store)
            try change(row: 3, "scales", scales: 8, store)
            let head = try store.resolve("one")
            func merge(
                _ branch: String, into target: String = "one", _ policy: MergePolicy = .none,
                _ takes: String...
            ) throws -> MergeResult {
                try store.merge(
                    [branch], into: target, policy: policy, takes: takes.map { try MergeTake($0) },
                    Checkpoints.signature)
            }
            for (body, target) in [
                ({ try merge("two", .ours, Self.router + "[3]=two") }, "one"),
                ({ try merge("scales", into: "codes") }, "codes"),
            ] {
                let before = try store.resolve(target)
                let error = refusal { _ = try body() }
                #expect(error?.code == .incompatible && "\(error!)".contains("'router 1/3=SIDE'"))
                #expect(try store.resolve(target) == before)
            }
            // No policy makes scales for codes that stand.
            for policy in [MergePolicy.mean, .ties, .task] {
                #expect(try merge("two", policy).conflicts.count == 2)
                let left = try merge("two", policy, Self.router + "=two").conflicts
                #expect(left.map(\.tensor) == [Self.router + "_scale"])
            }
            #expect(try store.resolve("one") == head)
            #expect(try merge("other").conflicts.isEmpty)
            #expect(try merge("two", .none, "router 1/3=two").conflicts.isEmpty)
            for name in [Self.router, Self.router + "_scale"] {
                let merged = try store.data("one", named: name)
                let (two, other) = try (
                    store.data("two", named: name), store.data("other", named: name)
                )
                let row = merged.count / 16
                #expect(merged[3 * row..<4 * row] == two[3 * row..<4 * row])
                #expect(merged[5 * row..<6 * row] == other[5 * row..<6 * row])
            }
        }
    }

    @Test("what a revert made floats again is quantised again, whatever the config still says")
    func reverted() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/olmoe/model_blocks", in: directory)
            let exact = try store.resolve("main")
            try store.quantize("main", QuantizedParts(experts: .q4), options())
            try store.quantize("main", QuantizedParts(dense: .q8), options())
            let back = try store.revert(
                "main~1", branch: "main", policy: .ours, Checkpoints.signature)
            #expect(back.conflicts.isEmpty)
            #expect(try store.expert("main", "1/3").data == store.expert(exact, "1/3").data)
            let known = try store.shared(["main", exact]).models[0].quantized
            #expect(known.map(\.forms) == ["dense q8"])
            let again = try store.quantize("main", QuantizedParts(experts: .q8), options())
            #expect(again.forms == ["experts": .q8, "dense": .q8] && again.coarseBlocks == 0)
            #expect(try store.model("main").logits([1, 2]).joined().allSatisfy(\.isFinite))
        }
    }

    /// Commits config.json with some text in the place of another.
    private func edit(
        _ branch: String, _ old: String, _ new: String, _ store: Store, in directory: String
    ) throws {
        let folder = directory + "/" + UUID().uuidString
        _ = try store.export(branch, to: folder)
        let path = folder + "/config.json"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        #expect(text.contains(old))
        try text.replacing(old, with: new).write(toFile: path, atomically: true, encoding: .utf8)
        try store.commit(checkpoint: folder, Checkpoints.options("config", branch: branch))
    }

    private func config(_ revision: String, _ store: Store) throws -> String {
        String(decoding: try store.data(revision, named: "config.json"), as: UTF8.self)
    }

    @Test("branches with different parts as codes merge to a model with both", arguments: both)
    func parts(form: QuantizedForm) throws {
        try withScratchDirectory { directory in
            let store = try store("hf/olmoe/model_blocks", in: directory)
            for branch in ["other", "both"] {
                try store.createBranch(branch, at: "main", Checkpoints.signature)
            }
            try store.quantize("main", QuantizedParts(experts: .q8), options())
            try store.quantize("other", QuantizedParts(dense: form), options())
            try store.quantize("both", QuantizedParts(experts: .q8, dense: form), options("both"))
            try edit("main", "\"rope_theta\" : ", "\"rope_theta\" : 1", store, in: directory)
            try edit("both", "\"rope_theta\" : ", "\"rope_theta\" : 1", store, in: directory)
            for policy in [MergePolicy.ours, .theirs, .none] {
                let merged = try store.merge(
                    ["other"], into: "main", policy: policy, dryRun: policy != .none,
                    Checkpoints.signature)
                #expect(merged.conflicts.isEmpty && merged.resolved == 0)
            }
            #expect(
                try store.model("main").logits([1, 2]) == store.model("both").logits([1, 2]))
        }
    }

    @Test("two forms of one part are a conflict that names the field, which a side settles")
    func forms() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/olmoe/model_blocks", in: directory)
            try store.createBranch("other", at: "main", Checkpoints.signature)
            try store.quantize("main", QuantizedParts(experts: .q8), options())
            try store.quantize("other", QuantizedParts(experts: .q4, dense: .q8), options())
            func merge(_ policy: MergePolicy) throws -> MergeResult {
                try store.merge(
                    ["other"], into: "main", policy: policy, dryRun: true, Checkpoints.signature)
            }
            let file = try merge(.none).conflicts.first { $0.path == "config.json" }
            #expect(file?.fields == ["quantization_config.experts"])
            #expect(try merge(.mean).conflicts.contains { $0.path == "config.json" })
            #expect(try merge(.theirs).conflicts.isEmpty)
        }
    }

    @Test("a revert of a quantised part leaves the parts that came later, and no others")
    func revertedParts() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/olmoe/model_blocks", in: directory)
            let before = try config("main", store)
            try store.quantize("main", QuantizedParts(experts: .q4), options())
            try store.quantize("main", QuantizedParts(dense: .q8), options())
            try edit("main", "\"rope_theta\" : ", "\"rope_theta\" : 1", store, in: directory)
            let back = try store.revert("main~2", branch: "main", Checkpoints.signature)
            #expect(back.conflicts.isEmpty)
            let config = try config("main", store)
            #expect(!config.contains("\"experts\"") && config.contains("\"dense\": \"q8\""))
            #expect(try store.model("main").logits([1, 2]).joined().allSatisfy(\.isFinite))
            let rest = try store.revert("main~2", branch: "main", Checkpoints.signature)
            #expect(rest.conflicts.isEmpty)
            #expect(
                try self.config("main", store)
                    == before.replacing("\"rope_theta\" : ", with: "\"rope_theta\" : 1"))
        }
    }

    @Test("branches of a quantised model merge expert by expert, as of any codes")
    func mergeOfCodes() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/olmoe/model_blocks", in: directory)
            try store.quantize("main", QuantizedParts(experts: .q4, dense: .q8), options())
            try change("one", store)
            try store.createBranch("two", at: "main", Checkpoints.signature)
            let expert = try store.expert("main", "1/5").data
            try store.commit(Checkpoints.options("two", branch: "two")) { patch in
                try patch.put(expert: 5, layer: 1, [expert[0] ^ 1] + expert.dropFirst())
            }
            let merged = try store.merge(["two"], into: "one", Checkpoints.signature)
            #expect(merged.conflicts.isEmpty)
            #expect(try store.expert("one", "1/5").data == store.expert("two", "1/5").data)
            #expect(try store.expert("one", "1/3").data != store.expert("two", "1/3").data)
            #expect(try store.model("one").logits([1, 2]).joined().allSatisfy(\.isFinite))
        }
    }
}
