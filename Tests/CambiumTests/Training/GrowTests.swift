import Checkpoints
import Elements
import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite(
    "an expert is added to models of other libraries, and dropped again")
struct GrowTests {
    private static let growing = [
        "olmoe", "mixtral", "qwen3_moe", "gpt_oss", "glm4_moe_lite", "qwen2_moe", "flex_olmo",
    ]
    private static let growth = GrowthOptions(threads: 2)

    private func model(_ architecture: String, _ form: String = "model") -> String {
        Growth.model(architecture, form)
    }

    private func store(_ checkpoint: String, in directory: String) throws -> Store {
        try Growth.store(checkpoint, in: directory)
    }

    /// With short texts, where it does not matter how well routes stay.
    private func growRoughly(_ store: Store, _ source: ExpertSource) throws -> GrowthResult {
        try store.addExpert(
            from: source, evidence: [Growth.new], keep: [Growth.shortOld],
            growth: Growth.roughly, Checkpoints.options("grow"))
    }

    /// Drops the expert that was added, and what was recorded of old text.
    private func shrink(_ store: Store) throws {
        _ = try store.dropExpert(nil, Checkpoints.options("drop"))
        _ = try store.dropEvidence(
            store.evidence("main").map(\.id), Checkpoints.options("drop evidence"))
    }

    @Test(
        "tokens of the new domain pick it, old routes stay, and dropped the model is the one before",
        arguments: zip(
            Self.growing,
            [
                "model", "model_fused", "model_bf16", "model", "model_fused", "model",
                "model_fused",
            ]))
    func grows(architecture: String, form: String) throws {
        try withScratchDirectory { directory in
            let store = try store(model(architecture, form), in: directory)
            let before = try store.list("main")
            let result = try store.addExpert(
                from: ExpertSource(model(architecture), expert: 1), evidence: [Growth.new],
                keep: [Growth.old], growth: Self.growth, Checkpoints.options("grow"))
            #expect(result.picked > 0.9 && result.unchanged >= 0.995, "\(result)")
            #expect(result.layers.map(\.layer) == before.layers.map(\.layer))
            let after = try store.list("main")
            let count = before.layers[0].pools[0].experts
            #expect(result.expert == count)
            #expect(after.layers.allSatisfy { $0.pools[0].experts == count + 1 })
            // Old rows, old experts and the trunk are what they were.
            #expect(after.trunk.map(\.id) == before.trunk.map(\.id))
            for layer in before.layers.map(\.layer) {
                let ids = try store.experts("main", in: "\(layer)").map(\.id)
                #expect(
                    try store.experts("main~1", in: "\(layer)").map(\.id) == Array(ids.dropLast()))
                #expect(ids.last == ids[1])
                for tensor in before.layers.first(where: { $0.layer == layer })?.pools[0]
                    .routerTensors ?? []
                {
                    let rows = try store.data("main", named: tensor.name)
                    #expect(rows.starts(with: try store.data("main~1", named: tensor.name)))
                }
            }
            let made = try store.model("main").generate(tokens: [200, 201, 202], count: 4)
            #expect(made.tokens.count == 4)
            let bits = try store.model("main").evaluate(Growth.new, limit: nil).bitsPerByte
            #expect(bits.isFinite && bits > 0)
            // What is exported is a checkpoint of one expert more.
            _ = try store.export("main", to: directory + "/out")
            let again = try store.commit(
                checkpoint: directory + "/out",
                CommitOptions(message: "again", branch: "again", signature: Checkpoints.signature))
            #expect(again.unchanged)
            // Dropped, the model is the one before, byte for byte.
            try shrink(store)
            #expect(try store.list("main").tree == before.tree)
            #expect(try store.verify().faults.isEmpty)
            _ = try store.dropExpert(1, Checkpoints.options("drop an old one"))
            #expect(try store.list("main").layers[0].pools[0].experts == count - 1)
            #expect(
                try store.model("main").generate(tokens: [1, 2, 3], count: 4).tokens.count == 4)
        }
    }

    @Test(
        "routers, stacks and states of other kinds take one more, and give it back",
        arguments: [
            "minimax_m2", "granitemoe", "phimoe", "ernie4_5_moe", "qwen3_5_moe", "gemma4",
            "glm4_moe",
            "kimi_k2", "dots1", "qwen3_next",
        ])
    func otherKinds(architecture: String) throws {
        try withScratchDirectory { directory in
            let store = try store(model(architecture), in: directory)
            let before = try store.list("main")
            let count = before.layers[0].pools[0].experts
            let result = try growRoughly(store, ExpertSource(model(architecture), expert: 1))
            #expect(result.expert == count)
            let layers = try store.list("main").layers
            #expect(layers.allSatisfy { $0.pools[0].experts == count + 1 })
            let logits = try store.model("main").logits([200, 201, 202])
            #expect(logits.joined().allSatisfy { $0.isFinite })
            _ = try store.export("main", to: directory + "/out")
            let again = try store.commit(
                checkpoint: directory + "/out",
                CommitOptions(message: "again", branch: "again", signature: Checkpoints.signature))
            #expect(again.unchanged)
            try shrink(store)
            #expect(try store.list("main").tree == before.tree)
        }
    }

    @Test("in shards the new names are listed, and go again")
    func shards() throws {
        try withScratchDirectory { directory in
            try Self.shard(model("olmoe"), into: directory + "/sharded")
            let store = try store(directory + "/sharded", in: directory)
            let before = try store.list("main").tree
            _ = try growRoughly(store, ExpertSource(directory + "/sharded", expert: 5))
            _ = try store.export("main", to: directory + "/out")
            let again = try store.commit(
                checkpoint: directory + "/out",
                CommitOptions(message: "again", branch: "again", signature: Checkpoints.signature))
            // All but the order in which a shard lists its tensors.
            #expect(again.newExperts == 0 && again.experts == 51)
            #expect(try store.list("again").trunk.map(\.id) == store.list("main").trunk.map(\.id))
            let index = try bytes(directory + "/out/model.safetensors.index.json")
            let json = try #require(JSONSerialization.jsonObject(with: index) as? [String: Any])
            let size = try #require((json["metadata"] as? [String: Any])?["total_size"] as? Int)
            #expect(size == (try store.list("main").bytes))
            try shrink(store)
            #expect(try store.list("main").tree == before)
        }
    }

    @Test("the result depends neither on threads nor on how texts are divided among files")
    func deterministic() throws {
        let rows = try [1, 3].map { threads in
            try withScratchDirectory { directory in
                let store = try store(model("olmoe"), in: directory)
                // Windows of 128 bytes, of which eight in a row have all uses.
                let old = Growth.text(97...104, 32 * 128, seed: 1)
                let half = 16 * 128
                _ = try store.addExpert(
                    from: ExpertSource(model("olmoe"), expert: 1), evidence: [Growth.new],
                    keep: threads == 1 ? [old] : [Array(old[..<half]), Array(old[half...])],
                    growth: GrowthOptions(unchanged: 0.9, threads: threads),
                    Checkpoints.options("grow"))
                return try Growth.rows(store, "main")
            }
        }
        #expect(rows[0] == rows[1] && !rows[0].isEmpty)
    }

    @Test("a dense checkpoint's feed-forward becomes an expert")
    func dense() throws {
        try withScratchDirectory { directory in
            let checkpoint = try Checkpoint(opening: model("olmoe"))
            var tensors: [(TensorEntry, [UInt8])] = []
            for tensor in checkpoint.tensors {
                guard let range = tensor.name.firstRange(of: ".experts.6.") else { continue }
                let name = tensor.name.replacingCharacters(in: range, with: ".")
                tensors.append((TensorEntry(name, tensor.shape), tensor.bytes.copy()))
            }
            try FileManager.default.createDirectory(
                atPath: directory + "/dense", withIntermediateDirectories: true)
            try Self.write(tensors, to: directory + "/dense/model.safetensors")
            try Data(#"{"model_type": "llama"}"#.utf8).write(
                to: URL(filePath: directory + "/dense/config.json"))
            let store = try store(model("olmoe"), in: directory)
            _ = try growRoughly(store, ExpertSource(directory + "/dense"))
            let ids = try store.experts("main", in: "1").map(\.id)
            #expect(ids.last == ids[6])
        }
    }

    @Test("what cannot be is refused with its code, and nothing is committed")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try store(model("olmoe"), in: directory)
            let head = try store.list("main").id
            func add(
                _ source: ExpertSource, new: [UInt8] = Growth.new,
                old: [UInt8] = Growth.shortOld,
                _ growth: GrowthOptions = Self.growth
            ) -> CambiumError.Code? {
                code {
                    _ = try store.addExpert(
                        from: source, evidence: [new], keep: [old], growth: growth,
                        Checkpoints.options("grow"))
                }
            }
            let good = ExpertSource(model("olmoe"), expert: 1)
            #expect(add(ExpertSource(model("olmoe"), expert: 16)) == .notFound)
            #expect(add(ExpertSource(directory + "/none", expert: 0)) == .notFound)
            #expect(add(ExpertSource(model("olmoe"), expert: -1)) == .notFound)
            #expect(add(ExpertSource(model("olmoe"))) == .usage)
            #expect(add(ExpertSource(model("mixtral"), expert: 0)) == .badShape)
            #expect(add(good, new: Array(Growth.new.prefix(100))) == .badInput)
            #expect(add(good, old: []) == .badInput)
            #expect(add(good, GrowthOptions(unchanged: 1.5)) == .usage)
            #expect(add(good, GrowthOptions(threads: 0)) == .usage)
            #expect(
                code { _ = try store.dropExpert(16, Checkpoints.options("drop")) } == .notFound)
            #expect(
                code { _ = try store.dropExpert(-1, Checkpoints.options("drop")) } == .notFound)
            #expect(
                code { _ = try store.dropExpert(nil, Checkpoints.options("drop", branch: "none")) }
                    != nil)
            #expect(try store.list("main").id == head)
        }
    }

    @Test(
        "groups of experts are refused", arguments: ["deepseek_v3", "deepseek_v2", "mistral4"])
    func groups(architecture: String) throws {
        try withScratchDirectory { directory in
            let grouped = try store(model(architecture), in: directory)
            for body in [
                {
                    _ = try self.growRoughly(
                        grouped, ExpertSource(self.model(architecture), expert: 0))
                },
                { _ = try grouped.dropExpert(nil, Checkpoints.options("drop")) },
            ] as [() throws -> Void] {
                #expect { try body() } throws: { "\($0)".contains("groups") }
            }
        }
    }

    @Test("routers of pairs of keys are refused")
    func otherRouters() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            #expect {
                _ = try self.growRoughly(store, ExpertSource(directory + "/base", expert: 0))
            } throws: {
                ($0 as? CambiumError)?.code == .unsupported
            }
        }
    }

    @Test("sigmoids with a correction grow when there is one group")
    func sigmoids() throws {
        try withScratchDirectory { directory in
            let folder = directory + "/one-group"
            try FileManager.default.copyItem(atPath: model("deepseek_v3"), toPath: folder)
            let config = folder + "/config.json"
            var json = try #require(
                JSONSerialization.jsonObject(with: bytes(config)) as? [String: Any])
            json["n_group"] = 1
            json["topk_group"] = 1
            try FileManager.default.removeItem(atPath: config)
            try JSONSerialization.data(withJSONObject: json).write(to: URL(filePath: config))
            let store = try store(folder, in: directory)
            let result = try store.addExpert(
                from: ExpertSource(folder, expert: 3), evidence: [Growth.new],
                keep: [Growth.text(97...104, 12_288, seed: 1)], growth: Self.growth,
                Checkpoints.options("grow"))
            #expect(result.picked > 0.9 && result.unchanged >= 0.995, "\(result)")
        }
    }

    @Test(
        "families whose experts may stand in groups grow when there is one",
        arguments: ["deepseek_v2", "mistral4"])
    func oneGroup(architecture: String) throws {
        try withScratchDirectory { directory in
            let folder = directory + "/one-group"
            try FileManager.default.copyItem(atPath: model(architecture), toPath: folder)
            let config = folder + "/config.json"
            var json = try #require(
                JSONSerialization.jsonObject(with: bytes(config)) as? [String: Any])
            let inner = json["text_config"] as? [String: Any]
            var fields = inner ?? json
            fields["n_group"] = 1
            fields["topk_group"] = 1
            if fields["topk_method"] != nil { fields["topk_method"] = "greedy" }
            if inner == nil { json = fields } else { json["text_config"] = fields }
            try FileManager.default.removeItem(atPath: config)
            try JSONSerialization.data(withJSONObject: json).write(to: URL(filePath: config))
            let store = try store(folder, in: directory)
            let before = try store.list("main")
            _ = try growRoughly(store, ExpertSource(folder, expert: 1))
            #expect(
                try store.model("main").logits([200, 201]).joined().allSatisfy { $0.isFinite })
            try shrink(store)
            #expect(try store.list("main").tree == before.tree)
        }
    }

    @Test("an expert of a revision is the same as that of its checkpoint, and paths come first")
    func fromRevision() throws {
        try withScratchDirectory { directory in
            let store = try store(model("olmoe"), in: directory)
            try store.createBranch("mine", at: "main", Checkpoints.signature)
            _ = try growRoughly(store, ExpertSource(model("olmoe"), expert: 1))
            let fromPath = try store.list("main").tree
            _ = try store.reset(to: "mine", branch: "main", Checkpoints.signature)
            _ = try growRoughly(store, ExpertSource(parsing: "mine:1"))
            #expect(try store.list("main").tree == fromPath)
            #expect(
                code { _ = try growRoughly(store, ExpertSource(parsing: "mine:99")) } == .notFound)
            #expect(code { _ = try growRoughly(store, ExpertSource("mine")) } == .usage)
            #expect(code { _ = try growRoughly(store, ExpertSource("nothing:1")) } == .notFound)
        }
    }

    @Test("a source is a path, with a number behind a colon")
    func sources() {
        #expect(ExpertSource(parsing: "a/b:7") == ExpertSource("a/b", expert: 7))
        #expect(ExpertSource(parsing: "a:b") == ExpertSource("a:b"))
        #expect(ExpertSource(parsing: "c:/x:0") == ExpertSource("c:/x", expert: 0))
        #expect(ExpertSource(parsing: "x:-1") == ExpertSource("x:-1"))
        #expect(ExpertSource(parsing: "a/b:7").text == "a/b:7")
    }

    // MARK: Files

    private static func write(_ tensors: [(TensorEntry, [UInt8])], to path: String) throws {
        try SafetensorsWriter.write(tensors.map(\.0), metadata: nil, to: path) {
            (position, sink: inout TensorSink) in
            let bytes = tensors[position].1
            try sink.append(bytes.raw)
        }
    }

    /// Writes a checkpoint as two shards with an index.
    private static func shard(_ source: String, into folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let checkpoint = try Checkpoint(opening: source)
        var map: [String: String] = [:]
        var total = 0
        for shard in 0..<2 {
            let name = "model-0000\(shard + 1)-of-00002.safetensors"
            let some = checkpoint.tensors.filter {
                ($0.name.contains("layers.1.") ? 1 : 0) == shard
            }
            for tensor in some {
                map[tensor.name] = name
                total += tensor.bytes.count
            }
            try write(
                some.map { (TensorEntry($0.name, $0.shape), $0.bytes.copy()) },
                to: folder + "/" + name)
        }
        let index: [String: Any] = ["metadata": ["total_size": total], "weight_map": map]
        try JSONSerialization.data(withJSONObject: index, options: [.prettyPrinted, .sortedKeys])
            .write(to: URL(filePath: folder + "/model.safetensors.index.json"))
        try FileManager.default.copyItem(
            atPath: source + "/config.json", toPath: folder + "/config.json")
    }
}
