import CheckpointSupport
import Foundation
import Models
import TestSupport
import Testing

@testable import Cambium

/// Models whose weights are published as codes and scales.
@Suite("models of codes and scales are kept, run and merged as they are")
struct CodedModelTests {
    private func store(_ checkpoint: String, in directory: String) throws -> Store {
        try Store.create(at: directory)
        let store = try Store(directory)
        _ = try store.commit(checkpoint: checkpoint, Checkpoints.options("import"))
        return store
    }

    @Test(
        "logits and greedy continuation are those of the weights multiplied out, run by PyTorch",
        arguments: CodedCheckpoint.allCases)
    func parity(form: CodedCheckpoint) throws {
        let golden = try RecordedLogits("coded-\(form.rawValue)")
        try withScratchDirectory { directory in
            let model = try store(
                GeneratedCheckpoints.path("coded/\(form.rawValue)"), in: directory
            ).model("main")
            let logits = try model.logits(golden.tokens).suffix(golden.logits.count)
            let difference = zip(logits.joined(), golden.logits.joined()).map { abs($0 - $1) }
            #expect(try #require(difference.max()) < 2e-4)
            let made = try model.generate(
                tokens: golden.prompt, count: golden.continued.count - golden.prompt.count)
            #expect(golden.prompt + made.tokens == golden.continued)
        }
    }

    @Test(
        "token by token, with threads and under a limit of memory: the bits of the whole at once",
        arguments: CodedCheckpoint.allCases)
    func invariance(form: CodedCheckpoint) throws {
        let golden = try RecordedLogits("coded-\(form.rawValue)")
        try withScratchDirectory { directory in
            let store = try store(
                GeneratedCheckpoints.path("coded/\(form.rawValue)"), in: directory)
            let model = try store.model("main")
            let whole = try model.logits(golden.tokens).map { $0.map(\.bitPattern) }
            #expect(
                try model.logits(golden.tokens, threads: 3).map { $0.map(\.bitPattern) } == whole)
            let session = Session(model.model.base)
            for (position, token) in golden.tokens.enumerated() {
                #expect(try session.append([token]).map(\.bitPattern) == whole[position])
            }
            let limited = try store.model("main", ModelOptions(memoryLimit: 8 << 30))
            #expect(try limited.logits(golden.tokens).map { $0.map(\.bitPattern) } == whole)
        }
    }

    @Test(
        "an export has the bytes that were published, and committed again nothing changes",
        arguments: CodedCheckpoint.allCases)
    func export(form: CodedCheckpoint) throws {
        try withScratchDirectory { directory in
            let path = GeneratedCheckpoints.path("coded/\(form.rawValue)")
            let store = try store(path, in: directory + "/S")
            _ = try store.export("main", to: directory + "/out")
            for file in ["model.safetensors", "config.json"] {
                #expect(
                    try Data(contentsOf: URL(filePath: "\(path)/\(file)"))
                        == Data(contentsOf: URL(filePath: "\(directory)/out/\(file)")))
            }
            let again = try store.commit(
                checkpoint: directory + "/out", Checkpoints.options("again"))
            #expect(again.unchanged)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test(
        "an expert's codes and scales are one expert: changed on two branches, they are one conflict",
        arguments: [CodedCheckpoint.fp8Blocks, .mxfp4, .int4])
    func merge(form: CodedCheckpoint) throws {
        try withScratchDirectory { directory in
            let store = try store(
                GeneratedCheckpoints.path("coded/\(form.rawValue)"), in: directory)
            let layer = try #require(store.list("main").layers.last)
            for (branch, expert, change) in [("a", 3, UInt8(1)), ("b", 5, 1), ("c", 3, 2)] {
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                let before = try store.expert("main", "\(layer.layer)/\(expert)").data
                try store.commit(Checkpoints.options(branch, branch: branch)) { patch in
                    try patch.put(
                        expert: expert, layer: layer.layer,
                        [before[0] ^ change] + before.dropFirst())
                }
            }
            #expect(try store.merge(["b"], into: "a", Checkpoints.signature).conflicts.isEmpty)
            #expect(try store.model("a").logits([1, 2, 3]).joined().allSatisfy(\.isFinite))
            let refused = try store.merge(["c"], into: "a", dryRun: true, Checkpoints.signature)
            #expect(refused.conflicts.count == 1)
            // What is averaged are numbers, and codes are none.
            for policy in [MergePolicy.mean, .solve] {
                let merged = try store.merge(
                    ["c"], into: "a", policy: policy, Checkpoints.signature)
                #expect(merged.conflicts.count == 1 && merged.resolved == 0, "\(policy)")
            }
            let settled = try store.merge(
                ["c"], into: "a", policy: .theirs, Checkpoints.signature)
            #expect(settled.conflicts.isEmpty)
        }
    }

    /// The codes and the scales of a dense matrix, by name.
    private static func matrix(of store: Store) throws -> [String] {
        let trunk = try store.list("main").trunk.map(\.name)
        guard let scales = trunk.first(where: { $0.contains(".weight_scale") }) else { return [] }
        let stem = scales.split(separator: ".").dropLast().joined(separator: ".") + ".weight"
        return trunk.filter { $0.hasPrefix(stem) && !$0.hasSuffix("shape") }.sorted()
    }

    private func change(_ names: [String], by bits: UInt8, on branch: String, _ store: Store) throws
    {
        try store.createBranch(branch, at: "main", Checkpoints.signature)
        try store.commit(Checkpoints.options(branch, branch: branch)) { patch in
            for name in names {
                let before = try store.data("main", named: name)
                try patch.put(tensor: name, [before[0] ^ bits] + before.dropFirst())
            }
        }
    }

    @Test(
        "codes of one side never come together with the scales of another",
        arguments: [CodedCheckpoint.fp8Blocks, .int4])
    func mergedMatrix(form: CodedCheckpoint) throws {
        try withScratchDirectory { directory in
            let store = try store(
                GeneratedCheckpoints.path("coded/\(form.rawValue)"), in: directory)
            let names = try Self.matrix(of: store)
            try #require(names.count == 2)
            try change([names[1]], by: 1, on: "a", store)
            try change([names[0]], by: 1, on: "b", store)
            try change(names, by: 2, on: "c", store)
            let head = try store.resolve("a")
            let error = #expect(throws: CambiumError.self) {
                try store.merge(["b"], into: "a", Checkpoints.signature)
            }
            #expect(error?.code == .incompatible && error?.message.contains(names[0]) == true)
            #expect(throws: CambiumError.self) {
                try store.merge(["c"], into: "a", policy: .ours, Checkpoints.signature)
            }
            #expect(try store.resolve("a") == head)
            // All of one side are its matrix.
            #expect(
                try store.merge(["c"], into: "a", policy: .theirs, Checkpoints.signature)
                    .conflicts.isEmpty)
            for name in names {
                #expect(try store.data("a", named: name) == store.data("c", named: name))
            }
            let reverted = try store.revert("a", branch: "a", Checkpoints.signature)
            #expect(reverted.conflicts.isEmpty)
            #expect(try store.data("a", named: names[0]) == store.data("main", named: names[0]))
        }
    }

    /// What is wrong with a model, and a part of what is said of it.
    struct Flaw: Sendable, CustomTestStringConvertible {
        let form: CodedCheckpoint
        let code: CambiumError.Code
        let word: String
        let change: @Sendable (inout ModelVariant) throws -> Void

        var testDescription: String { "\(form.rawValue): \(word)" }
    }

    private static let attention = "model.layers.1.self_attn.o_proj."
    private static let expert = "model.layers.2.mlp.experts."

    /// Every expert of a layer, so that the layer's are still alike.
    private static func experts(_ body: (Int) throws -> Void) rethrows {
        for expert in 0..<16 { try body(expert) }
    }

    static let flaws = [
        Flaw(form: .fp8Blocks, code: .missingTensor, word: attention + "weight_scale_inv") {
            $0.remove(attention + "weight_scale_inv")
        },
        Flaw(form: .fp8Blocks, code: .unusedTensor, word: attention + "weight_scale") {
            $0.add(attention + "weight_scale", [1])
        },
        Flaw(form: .fp8Blocks, code: .unusedTensor, word: "lm_head.weight_scale_inv") {
            $0.add("lm_head.weight_scale_inv", [8, 2])
        },
        Flaw(form: .fp8Blocks, code: .badTensor, word: attention + "weight_scale_inv is F32[2, 3]")
        {
            $0.remove(attention + "weight_scale_inv")
            $0.add(attention + "weight_scale_inv", [2, 3])
        },
        Flaw(form: .fp8Blocks, code: .missingTensor, word: "down_proj.weight_scale_inv") { model in
            experts { model.remove("\(expert)\($0).down_proj.weight_scale_inv") }
        },
        Flaw(form: .fp8Blocks, code: .unusedTensor, word: "up_proj.input_scale") { model in
            experts { model.add("\(expert)\($0).up_proj.input_scale", [1]) }
        },
        Flaw(form: .fp8Blocks, code: .badTensor, word: "gate_proj.weight_scale_inv of an expert") {
            model in
            experts {
                model.remove("\(expert)\($0).gate_proj.weight_scale_inv")
                model.add("\(expert)\($0).gate_proj.weight_scale_inv", [1, 2])
            }
        },
        Flaw(form: .fp8Blocks, code: .badTensor, word: "says that model.layers.0.self_attn.o_proj")
        {
            try $0.quantisation { $0["modules_to_not_convert"] = ["self_attn.o_proj"] }
        },
        Flaw(
            form: .fp8Blocks, code: .badTensor,
            word: "\(expert)5.up_proj.weight_scale_inv is F32[1]"
        ) {
            $0.remove(expert + "5.up_proj.weight_scale_inv")
            $0.add(expert + "5.up_proj.weight_scale_inv", [1])
        },
        Flaw(form: .gptq, code: .missingTensor, word: "\(expert)5.up_proj.qweight is F32[1]") {
            $0.remove(expert + "5.up_proj.qweight")
            $0.add(expert + "5.up_proj.qweight", [1])
        },
        Flaw(form: .fp8Blocks, code: .badTensor, word: "says that model.layers.2.mlp.experts has") {
            try $0.quantisation { $0["modules_to_not_convert"] = ["model.layers.2.mlp.experts"] }
        },
        Flaw(form: .int4, code: .badTensor, word: "experts.1.w3 has no codes") {
            try $0.quantisation { fields in
                let own = fields["ignore"] as? [String] ?? []
                fields["ignore"] = own + ["model.layers.1.block_sparse_moe.experts.1.w3"]
            }
        },
        Flaw(form: .mxfp4, code: .badTensor, word: "mlp.experts has no codes") {
            try $0.quantisation { $0["modules_to_not_convert"] = ["model.layers"] }
        },
        Flaw(form: .fp8Blocks, code: .badTensor, word: "weight_scale_inv is F32[1, 2]") {
            try $0.quantisation { $0["weight_block_size"] = [64, 64] }
        },
        Flaw(form: .fp8Blocks, code: .badTensor, word: "F8_E4M3") {
            $0.config["quantization_config"] = nil
        },
        Flaw(form: .int4, code: .badTensor, word: "say that they are") {
            try $0.copy(attention + "weight_shape", to: attention + "kept")
            $0.remove(attention + "weight_shape")
            try $0.copy(
                "model.layers.1.self_attn.k_proj.weight_shape", to: attention + "weight_shape")
            $0.remove(attention + "kept")
        },
        Flaw(form: .int4, code: .missingTensor, word: attention + "weight") {
            $0.remove(attention + "weight_packed")
        },
        Flaw(form: .awq, code: .missingTensor, word: attention + "qzeros") {
            $0.remove(attention + "qzeros")
        },
        Flaw(form: .gptq, code: .badTensor, word: attention + "g_idx") {
            $0.set(attention + "g_idx", 5, to: 1)
        },
        Flaw(form: .int4, code: .unusedTensor, word: attention + "weight_zero_point") {
            $0.add(attention + "weight_zero_point", [8, 2])
        },
    ]

    @Test("missing, further and misshapen scales are refused by name", arguments: flaws)
    func refused(flaw: Flaw) throws {
        try withScratchDirectory { directory in
            var model = try ModelVariant("coded/\(flaw.form.rawValue)")
            try flaw.change(&model)
            let store = try store(model.write(to: directory + "/model"), in: directory + "/S")
            let error = #expect(throws: CambiumError.self) { _ = try store.model("main") }
            #expect(error?.code == flaw.code)
            #expect(error?.message.contains(flaw.word) == true, "\(error?.message ?? "")")
        }
    }

    @Test(
        "an expert whose groups or shape are said to be others is refused when it is used",
        arguments: [
            (CodedCheckpoint.gptq, "mlp.experts.3.up_proj.g_idx"),
            (.int4, "block_sparse_moe.experts.3.w3.weight_shape"),
        ])
    func repetitions(form: CodedCheckpoint, name: String) throws {
        try withScratchDirectory { directory in
            let path = "coded/\(form.rawValue)"
            let tokens = (0..<24).map { 3 + 7 * $0 }
            var model = try ModelVariant(path)
            model.set("model.layers.1.\(name)", 4, to: 1)
            let store = try store(model.write(to: directory + "/model"), in: directory + "/S")
            let error = #expect(throws: CambiumError.self) {
                _ = try store.model("main").logits(tokens)
            }
            #expect(error?.code == .badTensor, "\(error!)")
            let word = String(name.split(separator: ".").suffix(2).joined(separator: "."))
            #expect(error?.message.contains("layer 1: \(word) of expert 3") == true)
        }
    }

    @Test("stacked codes without their scales are refused")
    func missingStacked() throws {
        try withScratchDirectory { directory in
            var model = try ModelVariant("coded/mxfp4")
            model.remove("model.layers.1.mlp.experts.down_proj_scales")
            let store = try store(model.write(to: directory + "/model"), in: directory + "/S")
            #expect(throws: CambiumError.self) { _ = try store.model("main") }
        }
    }
}
