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
            let hasDense = ["deepseek_v3", "glm4_moe_lite", "qwen2_moe", "qwen3_moe"].contains(name)
            #expect(one.expertLayers == (hasDense ? [1, 2] : [0, 1, 2]), "\(name)")
            let windows: [Int?] =
                switch name {
                case "gpt_oss": [16, nil, 16]
                case "mixtral": [16, 16, 16]
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
                let own =
                    try #require(Architecture.named(name)).countKeys.contains("n_routed_experts")
                    ? "n_routed_experts" : "num_experts"
                for spelling in [own, "num_local_experts"] {
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
