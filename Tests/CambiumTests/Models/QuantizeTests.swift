import CheckpointSupport
import Foundation
import TestSupport
import Testing

@testable import Cambium

/// Models whose weights became blocks of codes.
@Suite("quantised models run, and their history tells what they were")
struct QuantizeTests {
    static let families = Checkpoints.architectures
    static let both = QuantizedForm.allCases

    func store(_ model: String, in directory: String) throws -> Store {
        try Growth.store(Checkpoints.path(model), in: directory)
    }

    func options(_ branch: String? = nil) -> CommitOptions {
        Checkpoints.options("quantise", branch: branch)
    }

    private static let tokens = [3, 200, 7, 91, 15, 3, 64]

    func refusal(_ body: () throws -> Void) -> CambiumError? {
        #expect(throws: CambiumError.self) { try body() }
    }

    // MARK: Numbers

    @Test(
        "logits have the bits of the same weights as floats, rounded by a plain reference",
        arguments: families, both)
    func logits(family: String, form: QuantizedForm) throws {
        try withScratchDirectory { directory in
            let name = "hf/\(family)/model_blocks"
            let store = try store(name, in: directory)
            let other: QuantizedForm = form == .q8 ? .q4 : .q8
            let result = try store.quantize(
                "main", QuantizedParts(experts: form, dense: other), options())
            var plain = try ModelVariant(name)
            let isByColumns = family == "gpt_oss"
            let odd = try PlainBlocks.round(
                &plain, [.expert: form, .dense: other], isByColumns: isByColumns)
            #expect(Set(result.left.map { String($0.prefix { $0 != ":" }) }) == Set(odd))
            let layers = try store.list("main").layers
            #expect(result.experts == layers.reduce(0) { $0 + $1.pools[0].experts })
            #expect(result.matrices > 3 && result.bytesAfter < result.bytesBefore / 2)
            try Store.create(at: directory + "/P")
            let reference = try Store(directory + "/P")
            _ = try reference.commit(
                checkpoint: plain.write(to: directory + "/plain"), Checkpoints.options("plain"))
            let expected = try reference.model("main").logits(Self.tokens)
            let own = try store.model("main")
            let found = try own.logits(Self.tokens)
            if isByColumns {
                // As floats these are added up in another order.
                let differences = zip(found.joined(), expected.joined()).map { abs($0 - $1) }
                #expect(try #require(differences.max()) < 1e-4)
            } else {
                #expect(
                    found.map { $0.map(\.bitPattern) } == expected.map { $0.map(\.bitPattern) })
            }
            #expect(
                try own.logits(Self.tokens, threads: 3).map { $0.map(\.bitPattern) }
                    == found.map { $0.map(\.bitPattern) })
            let limited = try store.model("main", ModelOptions(memoryLimit: 8 << 30))
            #expect(
                try limited.logits(Self.tokens).map { $0.map(\.bitPattern) }
                    == found.map { $0.map(\.bitPattern) })
        }
    }

    @Test("8 bits are near to the exact model, nearer than 4", arguments: families)
    func near(family: String) throws {
        try withScratchDirectory { directory in
            let store = try store("hf/\(family)/model_bf16_blocks", in: directory)
            let exact = try store.model("main").logits(Self.tokens)
            var errors: [Float] = []
            for form in Self.both {
                try store.quantize(
                    "main", QuantizedParts(experts: form), options(form.rawValue))
                let logits = try store.model(form.rawValue).logits(Self.tokens)
                // Of random weights some tokens pick other experts: the median says more than the mean.
                let tokens = zip(logits, exact).map { own, exact in
                    let squares = zip(own, exact).map { ($0 - $1) * ($0 - $1) }.reduce(0, +)
                    return (squares / exact.map { $0 * $0 }.reduce(0, +)).squareRoot()
                }
                errors.append(tokens.sorted()[tokens.count / 2])
            }
            #expect(errors[0] < 0.02 && errors[0] < errors[1], "\(errors)")
        }
    }

    @Test(
        "experts of tensors of their own, and of one for all, become the same codes",
        arguments: families)
    func spellings(family: String) throws {
        try withScratchDirectory { directory in
            var data: [[UInt8]] = []
            for form in ["model_blocks", "model_fused_blocks"] {
                let folder = directory + "/\(form)"
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true)
                let store = try store("hf/\(family)/\(form)", in: folder)
                try store.quantize("main", QuantizedParts(experts: .q4), options())
                data.append(try store.expert("main", "2/5").data)
                #expect(try store.model("main").logits([1]).joined().allSatisfy(\.isFinite))
            }
            #expect(data[0] == data[1])
        }
    }

    @Test("routers and embeddings become codes only when they are named", arguments: families)
    func further(family: String) throws {
        try withScratchDirectory { directory in
            let name = "hf/\(family)/model_blocks"
            let store = try store(name, in: directory)
            let parts = QuantizedParts(routers: .q8, embeddings: .q4)
            let result = try store.quantize("main", parts, options())
            #expect(result.left.isEmpty && result.experts == 0)
            #expect(result.forms == ["routers": .q8, "embeddings": .q4])
            var plain = try ModelVariant(name)
            _ = try PlainBlocks.round(
                &plain, [.router: .q8, .embedding: .q4], isByColumns: false)
            try Store.create(at: directory + "/P")
            let reference = try Store(directory + "/P")
            _ = try reference.commit(
                checkpoint: plain.write(to: directory + "/plain"), Checkpoints.options("plain"))
            #expect(
                try store.model("main").logits(Self.tokens).map { $0.map(\.bitPattern) }
                    == reference.model("main").logits(Self.tokens).map { $0.map(\.bitPattern) })
            try again(store, "main", directory)
        }
    }

    // MARK: Store

    /// What an export gives is the model, here and in another store.
    private func again(_ store: Store, _ branch: String, _ directory: String) throws {
        _ = try store.export(branch, to: directory + "/out")
        let same = try store.commit(
            checkpoint: directory + "/out", Checkpoints.options("again", branch: branch))
        #expect(same.unchanged)
        try Store.create(at: directory + "/O")
        let other = try Store(directory + "/O")
        let imported = try other.commit(
            checkpoint: directory + "/out", Checkpoints.options("import"))
        #expect(try imported.tree == store.show(branch).tree)
        #expect(try store.verify().faults.isEmpty)
    }

    @Test(
        "an export is safetensors that import to equal hashes",
        arguments: families.enumerated().map { ($1, $0 % 2 == 0 ? QuantizedForm.q8 : .q4) })
    func export(family: String, form: QuantizedForm) throws {
        try withScratchDirectory { directory in
            let store = try store("hf/\(family)/model_fused_blocks", in: directory)
            try store.quantize("main", QuantizedParts(experts: form, dense: form), options())
            try again(store, "main", directory)
            let config = try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(filePath: directory + "/out/config.json")))
            let entry = try #require(
                (config as? [String: Any])?["quantization_config"] as? [String: Any])
            #expect(entry["quant_method"] as? String == "cambium")
            #expect(entry["experts"] as? String == form.rawValue)
        }
    }

    @Test("history, diff, revert, restore, shared and gc know a quantised model")
    func history() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/olmoe/model_blocks", in: directory)
            let exact = try store.show("main")
            let first = try store.quantize("main", QuantizedParts(experts: .q4), options("small"))
            let second = try store.quantize("small", QuantizedParts(dense: .q8), options())
            #expect(second.commit.branch == "small" && second.from == first.commit.id)
            #expect(second.forms == ["experts": .q4, "dense": .q8])
            let commit = try store.show("small~1")
            #expect(commit.metadata["quantize.from"] == exact.id)
            #expect(commit.metadata["quantize.forms"] == "experts q4")
            let shared = try store.shared(["small", "main"])
            #expect(
                shared.models[0].quantized == [
                    SharedContents.Quantized(from: first.commit.id, forms: "dense q8"),
                    SharedContents.Quantized(from: exact.id, forms: "experts q4"),
                ] && shared.models[1].quantized.isEmpty)
            let difference = try store.diff(from: "main", to: "small")
            #expect(difference.pools.count == 3 && difference.pools[0].changed.count == 16)
            _ = try store.changes(from: "main", to: "small")
            #expect(
                try store.revert("small", branch: "small", Checkpoints.signature).conflicts.isEmpty)
            #expect(try store.show("small").tree == store.show(first.commit.id).tree)
            let back = try store.revert(
                first.commit.id, branch: "small", Checkpoints.signature)
            #expect(back.conflicts.isEmpty)
            #expect(try store.show("small").tree == exact.tree)
            _ = try store.reset(to: "main", branch: "small", Checkpoints.signature)
            #expect(try store.collect(prune: true, grace: 0).pruned)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    // MARK: What is left and what is refused

    @Test("what 32 does not divide stays as it is, and is named; nothing at all is an error")
    func left() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/qwen3_moe/model", in: directory)
            let head = try store.resolve("main")
            let error = refusal {
                try store.quantize("main", QuantizedParts(experts: .q8), options())
            }
            #expect(error?.code == .unsupported && "\(error!)".contains("48 inputs"))
            #expect(try store.resolve("main") == head)
            let result = try store.quantize(
                "main", QuantizedParts(experts: .q8, dense: .q8), options())
            #expect(result.experts == 0 && result.forms == ["dense": .q8])
            #expect(result.left.count == 2 && result.left[0].contains("layer 1"))
            #expect(
                try store.show("main").metadata["quantize.left"]?.contains("layer 2") == true)
        }
    }

    @Test(
        "weights that are codes already are refused by their method",
        arguments: [CodedCheckpoint.mxfp4, .fp8Blocks, .int4Experts, .gptq])
    func coded(form: CodedCheckpoint) throws {
        try withScratchDirectory { directory in
            let store = try store("coded/\(form.rawValue)", in: directory)
            let head = try store.resolve("main")
            for parts in [QuantizedParts(experts: .q8), QuantizedParts(dense: .q4)] {
                let error = refusal { try store.quantize("main", parts, options()) }
                #expect(error?.code == .unsupported && "\(error!)".contains("codes ("))
            }
            #expect(try store.resolve("main") == head)
        }
    }

    @Test("what is quantised twice, neurons, NaN, no part, and a branch elsewhere are refused")
    func refused() throws {
        try withScratchDirectory { directory in
            let folders = try ["a", "b", "c"].map { name in
                let folder = "\(directory)/\(name)"
                try FileManager.default.createDirectory(
                    atPath: folder, withIntermediateDirectories: true)
                return folder
            }
            let store = try store("hf/mixtral/model_blocks", in: folders[0])
            #expect(
                refusal { try store.quantize("main", QuantizedParts(), options()) }?.code == .usage)
            let router = refusal {
                try store.quantize("main", QuantizedParts(routers: .q4), options())
            }
            #expect(router?.code == .usage)
            try store.quantize("main", QuantizedParts(experts: .q8), options())
            let twice = refusal {
                try store.quantize("main", QuantizedParts(experts: .q4), options())
            }
            #expect(twice?.code == .unsupported && "\(twice!)".contains("q8 already"))
            let moved = refusal {
                try store.quantize("main~1", QuantizedParts(dense: .q4), options("main"))
            }
            #expect(moved?.code == .branchMoved)
            let peer = try self.store("peer-lm/base", in: folders[1])
            let neurons = refusal {
                try peer.quantize("main", QuantizedParts(experts: .q8), options())
            }
            #expect(neurons?.code == .unsupported && "\(neurons!)".contains("peer-lm"))
            var model = try ModelVariant("hf/mixtral/model_blocks")
            let name = "model.layers.1.block_sparse_moe.experts.2.w2.weight"
            try model.replace(name, [.nan] + model.floats(name).values.dropFirst())
            let odd = try Growth.store(model.write(to: directory + "/nan"), in: folders[2])
            let head = try odd.resolve("main")
            let error = refusal {
                try odd.quantize("main", QuantizedParts(experts: .q8), options())
            }
            #expect(error?.code == .unsupported && "\(error!)".contains("expert 1/2"))
            #expect(try odd.resolve("main") == head && odd.verify().faults.isEmpty)
        }
    }

    @Test("a write that fails leaves the store as it was")
    func failing() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/mixtral/model_blocks", in: directory)
            let head = try store.resolve("main")
            func quantise(_ call: Int) throws -> Int {
                try failingCall(call, in: directory + "/S") {
                    try store.quantize("main", QuantizedParts(experts: .q8), options("small"))
                }.calls
            }
            for call in 1...3 {
                #expect(throws: CambiumError.self) { _ = try quantise(call) }
                #expect(try store.resolve("main") == head)
                #expect(throws: CambiumError.self) { _ = try store.resolve("small") }
            }
            let again = try Store(directory + "/S")
            #expect(try again.verify().faults.isEmpty)
            try again.quantize("main", QuantizedParts(experts: .q8), options("small"))
            #expect(try again.resolve("small") != head)
        }
    }

    @Test("a text is measured before and after, or the result says nothing of it")
    func measured() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/olmoe/model_blocks", in: directory)
            let text = Growth.text(97...104, 1_024, seed: 4)
            let result = try store.quantize(
                "main", QuantizedParts(experts: .q4), text: text, options(), threads: 2)
            let bits = try ["main~1", "main"].map {
                try store.model($0).evaluate(text, threads: 2).bitsPerByte
            }
            #expect(result.bitsPerByte == bits && bits[0] != bits[1])
            let head = try store.resolve("main")
            let short = refusal {
                try store.quantize("main", QuantizedParts(dense: .q8), text: [1, 2], options())
            }
            #expect(short?.code == .badInput)
            #expect(try store.resolve("main") == head)
        }
    }

    @Test("what is measured is what becomes codes; a branch that moves meanwhile is refused")
    func moved() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/qwen3_moe/model", in: directory)
            let text = Growth.text(97...104, 1_024, seed: 4)
            var (steps, head) = (0, "")
            func measure(_ parts: QuantizedParts) -> CambiumError? {
                refusal {
                    try store.quantize("main", parts, text: text, options()) { _ in
                        steps += 1
                        guard head.isEmpty else { return }
                        let name = "model.norm.weight"
                        let bytes = try store.data("main", named: name)
                        try store.commit(Checkpoints.options("moves", branch: "main")) { patch in
                            try patch.put(tensor: name, [bytes[0] ^ 1] + bytes.dropFirst())
                        }
                        head = try store.resolve("main")
                    }
                }
            }
            // 48 inputs: nothing to measure.
            #expect(measure(QuantizedParts(experts: .q8))?.code == .unsupported && steps == 0)
            #expect(measure(QuantizedParts(dense: .q8))?.code == .branchMoved && steps > 0)
            #expect(try store.resolve("main") == head)
            try store.quantize("main", QuantizedParts(dense: .q8), options())
            steps = 0
            #expect(measure(QuantizedParts(dense: .q4))?.code == .unsupported && steps == 0)
        }
    }

    @Test("an expert is added to a quantised model, and solved merges are refused by name")
    func growth() throws {
        try withScratchDirectory { directory in
            let store = try store("hf/olmoe/model_blocks", in: directory)
            try store.quantize("main", QuantizedParts(experts: .q8, dense: .q8), options())
            let head = try store.resolve("main")
            try store.addExpert(
                from: ExpertSource(parsing: "main:3"), evidence: [Growth.new],
                keep: [Growth.shortOld], growth: Growth.roughly, options())
            #expect(try store.model("main").logits([1, 2]).joined().allSatisfy(\.isFinite))
            try store.dropExpert(nil, options())
            #expect(try store.show("main").tree != "" && store.resolve("main") != head)
            // Floats go to the model that the codes were made from.
            let path = Checkpoints.path("hf/olmoe/model_blocks")
            func add(_ branch: String, _ from: String) throws {
                try store.addExpert(
                    from: ExpertSource(parsing: from), evidence: [Growth.new],
                    keep: [Growth.shortOld], growth: Growth.roughly, options(branch))
            }
            let floats = refusal { try add("main", path + ":3") }
            #expect(floats?.code == .badShape && "\(floats!)".contains("cambium quantize"))
            try store.createBranch("exact", at: "\(head)~1", Checkpoints.signature)
            let codes = refusal { try add("exact", "main:3") }
            #expect(codes?.code == .badShape && "\(codes!)".contains("not quantised"))
            try add("exact", path + ":3")
            try store.quantize("exact", QuantizedParts(experts: .q8, dense: .q8), options("exact"))
            #expect(try store.model("exact").logits([1, 2]).joined().allSatisfy(\.isFinite))
            try store.quantize("main", QuantizedParts(routers: .q8), options("routers"))
            let error = refusal {
                try store.addExpert(
                    from: ExpertSource(parsing: "main:3"), evidence: [Growth.new],
                    keep: [Growth.shortOld], growth: Growth.roughly, options("routers"))
            }
            #expect(error != nil && "\(error!)".contains("router"))
        }
    }
}
