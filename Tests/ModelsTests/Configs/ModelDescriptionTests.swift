import Architectures
import Elements
import Foundation
import Models
import Tensors
import Testing

@Suite("descriptions read from a config.json")
struct ModelDescriptionTests {
    private func fields(_ name: String) throws -> [String: Any] {
        let text = try #require(ArchitectureConfigs.all[name])
        return try #require(
            JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    private func describe(_ fields: [String: Any]) throws -> ModelDescription {
        try ModelDescription(json: [UInt8](JSONSerialization.data(withJSONObject: fields)))
    }

    /// The error that a config gives, or nil.
    private func error(_ fields: [String: Any]) throws -> CambiumError? {
        do {
            _ = try describe(fields)
            return nil
        } catch let error as CambiumError {
            return error
        }
    }

    @Test("every architecture is described, with its own parts")
    func parts() throws {
        #expect(ModelDescription.architectures == ArchitectureConfigs.names)
        for name in ArchitectureConfigs.names {
            let one = try describe(fields(name))
            #expect(one.vocabularySize == 256)
            let hasDense = ![
                "flex_olmo", "gpt_oss", "granitemoe", "minimax_m2", "mixtral", "olmoe", "phimoe",
                "qwen3_5_moe", "gemma4",
            ].contains(name)
            #expect(one.expertLayers == (hasDense ? [1, 2] : [0, 1, 2]), "\(name)")
            let windows: [Int?] =
                switch name {
                case "gpt_oss": [16, nil, 16]
                case "mixtral", "phimoe": [16, 16, 16]
                case "dots1": [nil, nil, 16]
                case "gemma4": [16, 16, nil]
                default: [nil, nil, nil]
                }
            #expect(one.layers.map(\.window) == windows, "\(name)")
            #expect(one.normsFollow == (name == "flex_olmo"))
        }
        #expect(try describe(fields("mixtral")).endTokens == [2, 3])
        #expect(try describe(fields("olmoe")).endTokens == [2])
    }

    @Test("spellings of different library versions mean the same")
    func spellings() throws {
        for name in ArchitectureConfigs.names {
            let expected = try describe(fields(name))
            var other = try fields(name)
            for key in ["num_experts", "num_local_experts", "n_routed_experts"] {
                guard let count = other.removeValue(forKey: key) else { continue }
                // Those that the library reads for the architecture; others must say the same.
                for spelling in try #require(Architecture.named(name)).countKeys {
                    var spelt = other
                    spelt[spelling] = count
                    #expect(try describe(spelt) == expected)
                    for foreign in ["num_experts", "n_routed_experts"] where foreign != spelling {
                        spelt[foreign] = count
                        #expect(try describe(spelt) == expected)
                        spelt[foreign] = 5
                        #expect(try error(spelt)?.message.contains("contradicts") == true)
                        spelt[foreign] = nil
                    }
                }
                other[key] = count
            }
            if var rope = other.removeValue(forKey: "rope_parameters") as? [String: Any] {
                other["rope_theta"] = rope.removeValue(forKey: "rope_theta")
                other["rope_scaling"] = rope
            } else {
                var rope = other.removeValue(forKey: "rope_scaling") as? [String: Any] ?? [:]
                rope["rope_theta"] = other.removeValue(forKey: "rope_theta")
                rope["rope_type"] = rope.removeValue(forKey: "type") ?? "default"
                other["rope_parameters"] = rope
            }
            #expect(try describe(other) == expected, "\(name)")
        }
    }

    @Test("a part of a head turns where a field says so, and in families that have it")
    func partialRotation() throws {
        #expect(try describe(fields("glm4_moe")).rotation.size == 8)
        #expect(try describe(fields("minimax_m2")).rotation.size == 8)
        #expect(try describe(fields("mistral4")).rotation.size == 8)
        var config = try fields("minimax_m2")
        config["rotary_dim"] = nil
        #expect(try describe(config).rotation.size == 16)
        config["partial_rotary_factor"] = 0.25
        #expect(try describe(config).rotation.size == 4)
        for (name, key, value) in [
            ("minimax_m2", "partial_rotary_factor", 0.25), ("glm4_moe", "partial_rotary_factor", 0),
            ("mistral4", "partial_rotary_factor", 0.5), ("dots1", "partial_rotary_factor", 0.5),
            ("glm4_moe", "partial_rotary_factor", 0.2),
        ] as [(String, String, Any)] {
            var config = try fields(name)
            config[key] = value
            let error = try error(config)
            #expect(error?.message.contains(key) == true, "\(name) \(value)")
        }
    }

    @Test("layers of the delta rule stand where the config says, inside a larger model's too")
    func delta() throws {
        for (name, isSplit) in [("qwen3_next", false), ("qwen3_5_moe", true)] {
            let one = try describe(fields(name))
            for (index, layer) in one.layers.enumerated() {
                guard case .delta(let delta) = layer.attention else {
                    #expect(index == 1, "\(name)")
                    continue
                }
                #expect(index != 1 && delta.isSplit == isSplit && delta.taps == 4, "\(name)")
                #expect(delta.keyHeads == 2 && delta.valueHeads == 4, "\(name)")
                #expect(delta.keySize == 16 && delta.valueSize == 8, "\(name)")
            }
            #expect(one.architecture == name && one.rotation.size == 4)
        }
        let whole = try fields("qwen3_5_moe")
        var text = try #require(whole["text_config"] as? [String: Any])
        #expect(try describe(text) == describe(whole))
        for (key, value, word) in [
            ("norm_topk_prob", false, "norm_topk_prob"), ("attn_output_gate", false, "gate"),
            ("mlp_only_layers", [0], "mlp_only_layers"), ("tie_word_embeddings", true, "tie"),
            ("model_type", "qwen3_next", "model_type"), ("decoder_sparse_step", 2, "step"),
        ] as [(String, Any, String)] {
            var (changed, inner) = (whole, text)
            inner[key] = value
            changed["text_config"] = inner
            #expect(try error(changed)?.message.contains(word) == true, "\(key)")
        }
        // A state of each text for each layer; 4096 x 4096 x 4096 would be 256 GiB.
        var (large, inner) = (whole, text)
        inner["linear_value_head_dim"] = 4096
        inner["linear_key_head_dim"] = 4096
        large["text_config"] = inner
        #expect(try error(large)?.message.contains("linear_key_head_dim") == true)
        // The whole model's end tokens come before the language model's.
        (large, inner) = (whole, text)
        inner["eos_token_id"] = 7
        large["text_config"] = inner
        #expect(try describe(large).endTokens == [7])
        large["eos_token_id"] = [3, 4]
        #expect(try describe(large).endTokens == [3, 4])
        text["hidden_size"] = "64"
        var changed = whole
        changed["text_config"] = text
        #expect(try error(changed)?.message.contains("text_config.hidden_size") == true)
        changed["text_config"] = 3
        #expect(try error(changed)?.message.contains("text_config") == true)
    }

    @Test("Gemma's layers of two kinds have heads and rotations of their own")
    func gemma() throws {
        let whole = try fields("gemma4")
        let one = try describe(whole)
        #expect(one.activation == .gelu && one.tiesEmbedding && one.multipliers.embedding == 8)
        #expect(one.multipliers.logitCap == 30)
        let heads = one.layers.map { layer -> [Int] in
            guard case .grouped(let own) = layer.attention else { return [] }
            return [own.headSize, own.kvHeads, own.keysAreValues ? 1 : 0]
        }
        #expect(heads == [[16, 2, 0], [16, 2, 0], [32, 1, 1]])
        let text = try #require(whole["text_config"] as? [String: Any])
        for (key, value) in [
            ("enable_moe_block", false), ("hidden_size_per_layer_input", 256),
            ("rope_scaling", ["type": "linear", "factor": 8]),
            ("num_kv_shared_layers", 2), ("use_bidirectional_attention", "all"),
            ("hidden_activation", "relu"), ("num_global_key_value_heads", 3),
            ("layer_types", ["full_attention", "full_attention", "sliding_attention"]),
        ] as [(String, Any)] {
            var (changed, inner) = (whole, text)
            inner[key] = value
            changed["text_config"] = inner
            let word = key == "num_global_key_value_heads" ? "heads of keys" : key
            #expect(try error(changed)?.message.contains(word) == true, "\(key)")
        }
    }

    @Test("Gemma's heads may be written layer by layer, as transformers 5.23 does")
    func gemmaLayers() throws {
        let whole = try fields("gemma4")
        let one = try describe(whole)
        func with(_ layers: Any, _ changes: [String: Any] = [:]) throws -> [String: Any] {
            var (changed, inner) = (whole, try #require(whole["text_config"] as? [String: Any]))
            inner["global_head_dim"] = nil
            inner["num_global_key_value_heads"] = nil
            inner["per_layer_config"] = layers
            changed["text_config"] = inner.merging(changes) { $1 }
            return changed
        }
        let own = ["head_dim": 32, "num_key_value_heads": 1]
        let same: [[String: Any]] = try [
            with(["2": own]), with(["2": own], ["global_head_dim": 32]),
            with(["2": own, "0": ["head_dim": 16]]),
        ]
        for config in same {
            let other = try describe(config)
            #expect(other == one)
        }
        // With none, all layers have the heads of those that slide.
        for nothing in [[String: Any](), NSNull()] as [Any] {
            guard case .grouped(let heads) = try describe(with(nothing)).layers[2].attention else {
                Issue.record("no heads")
                continue
            }
            #expect(heads.headSize == 16 && heads.kvHeads == 2)
        }
        for (layers, word) in [
            (["2": own, "1": own], "layer 1"), (["3": own], "\"3\""), (["02": own], "\"02\""),
            (["2": ["head_dim": 32, "sliding_window": 8]], "sliding_window"),
            (["2": ["head_dim": 7]], "7"), (["2": 5], "per_layer_config"),
            (["2": ["head_dim": "x"]], "head_dim"),
        ] as [([String: Any], String)] {
            #expect(try error(with(layers))?.message.contains(word) == true, "\(layers)")
        }
        let two = try with(["2": own], ["global_head_dim": 64])
        #expect(try error(two)?.message.contains("contradicts itself") == true)
    }

    @Test("a description allows as many picks as the kernels have room for")
    func mostPicks() { #expect(ModelDescription.largestTopK == Kernels.largestTopK) }

    @Test("YaRN keeps what turns often, divides what turns rarely, and raises the scores")
    func yarn() throws {
        let rotation = try describe(fields("gpt_oss")).frequencies
        var plain = try fields("gpt_oss")
        plain["rope_parameters"] = ["rope_theta": 150_000.0, "rope_type": "default"]
        let unscaled = try describe(plain).frequencies
        #expect(unscaled.factor == 1)
        #expect(abs(rotation.factor - 1.346_573_590_28) < 1e-9)
        #expect(rotation.values[0] == unscaled.values[0])
        let ratio = try #require(zip(rotation.values, unscaled.values).map { $0 / $1 }.last)
        #expect(abs(ratio - 1.0 / 32) < 1e-12)
        let latent = try describe(fields("deepseek_v3"))
        guard case .latent(let sizes) = latent.layers[0].attention else {
            Issue.record("no latent attention")
            return
        }
        // mscale / mscale_all_dim is 1; the scores take (0.1 ln 40 + 1)² instead.
        #expect(latent.frequencies.factor == 1)
        let raised = 1.368_887_945_41 * 1.368_887_945_41 / 24.0.squareRoot()
        #expect(abs(Double(sizes.scale(latent.rotation)) - raised) < 1e-7)
    }

    @Test("a config without a model type is refused", arguments: ArchitectureConfigs.names)
    func missing(name: String) throws {
        var less = try fields(name)
        less["model_type"] = nil
        #expect(try error(less)?.code == .badConfig)
        #expect(try #require(try error(less)).message.contains("model_type"))
    }

    @Test(
        "absurd values give an error or a description, never a trap",
        arguments: ArchitectureConfigs.names)
    func absurd(name: String) throws {
        let values: [Any] = [
            -1, 0, 1, 3, 7, 0.5, 65_537, 1 << 31, Int.max, Int.min, 1e300, -1e300, -0.0, true, "",
            "silu", [], [-1], [1e300], ["a"], [String: Any](), ["rope_type": "yarn"], NSNull(),
        ]
        let all = try fields(name)
        for key in all.keys {
            for value in values {
                var changed = all
                changed[key] = value
                let error = try error(changed)
                #expect(error == nil || error?.code == .badConfig, "\(key) \(value)")
                guard let intermediateSize = all[key] as? [String: Any] else { continue }
                for innerKey in intermediateSize.keys {
                    var part = intermediateSize
                    part[innerKey] = value
                    changed[key] = part
                    let error = try self.error(changed)
                    #expect(
                        error == nil || error?.code == .badConfig, "\(key).\(innerKey) \(value)")
                }
            }
        }
    }

    @Test("what is not run is refused by name")
    func refused() throws {
        var config = try fields("olmoe")
        config["model_type"] = "llama"
        #expect(try error(config)?.message.contains("\"llama\"") == true)
        config = try fields("olmoe")
        config["hidden_act"] = "gelu"
        #expect(try error(config)?.message.contains("\"gelu\"") == true)
        config = try fields("olmoe")
        config["rope_parameters"] = ["rope_theta": 10_000, "rope_type": "longrope"]
        #expect(try error(config)?.message.contains("\"longrope\"") == true)
        config = try fields("deepseek_v3")
        config["n_group"] = 5
        #expect(try error(config)?.message.contains("n_group") == true)
        for (name, key, value) in [
            ("kimi_k2", "scoring_func", "softmax"), ("minimax_m2", "scoring_func", "softmax"),
            ("minimax_m2", "attn_type_list", [1, 0, 1]), ("minimax_m2", "use_qk_norm", false),
            ("minimax_m2", "use_routing_bias", false), ("minimax_m2", "qk_norm_type", "per_head"),
            ("minimax_m2", "shared_intermediate_size", 8), ("minimax_m2", "sliding_window", 8),
            ("dots1", "scoring_func", "softmax"), ("granitemoe", "logits_scaling", 0),
            ("phimoe", "num_experts_per_tok", 4), ("ernie4_5_moe", "use_bias", true),
            ("mistral4", "n_group", 5), ("deepseek_v2", "topk_method", "noaux_tc"),
            ("deepseek_v2", "mlp_bias", true), ("deepseek_v2", "norm_topk_prob", true),
            ("qwen3_next", "linear_num_value_heads", 3), ("qwen3_next", "layer_types", ["full"]),
            ("deepseek_v2", "scoring_func", "sigmoid"), ("deepseek_v2", "moe_layer_freq", 2),
        ] as [(String, String, Any)] {
            config = try fields(name)
            config[key] = value
            let error = try error(config)
            #expect(error?.message.contains(key) == true, "\(name) \(key)")
        }
        config = try fields("qwen3_moe")
        config["num_experts"] = 8
        #expect(try error(config)?.message.contains("contradicts") == true)
    }

    @Test(
        "bytes that are no JSON object are refused",
        arguments: ["", "{", "[]", "3", "{\"hidden_size\": NaN}", "\u{0}", "{\"a\":1}}"])
    func noObject(text: String) throws {
        do {
            _ = try ModelDescription(json: Array(text.utf8))
            Issue.record("\(text) was taken")
        } catch let error as CambiumError {
            #expect(error.code == .badConfig)
        }
        let large = Array(repeating: UInt8(ascii: " "), count: 2 << 20)
        do {
            _ = try ModelDescription(json: large)
            Issue.record("a large file was taken")
        } catch let error as CambiumError {
            #expect(error.code == .badConfig)
        }
    }
}
