internal import Elements

/// One family of models: what its config.json means, and how its tensors are named.
///
/// Each has a file of its own, named as the family is; ``all`` lists them. Import, export, the engine, growth and
/// merging read names and sizes here, so that a family which is a mapping of what the engine runs is one file.
package struct Architecture: Sendable {
    /// As `model_type` spells it (`architecture`, of our own).
    package let name: String
    /// What the transformers library's classes begin with, such as `Olmoe` in `OlmoeForCausalLM`; nil without.
    package let classPrefix: String?
    /// Further spellings of `model_type`, of the language model alone.
    package let otherNames: [String]
    /// Whether a config may hold that of the language model in `text_config`.
    let isNested: Bool
    /// Whether `per_layer_config` is read by the family's own part.
    let readsLayerConfig: Bool
    /// The field that names what gates go through, and whether GELU may be it.
    let activation: (field: String, allowsGELU: Bool)
    /// The config's spellings of the number of experts in a layer, the first of which has the default; empty when
    /// no field counts them, so that experts are neither added nor taken out one by one.
    package let countKeys: [String]
    package let names: ExpertNames
    /// What fields are when they are left out, as the configuration class of the library has them.
    let defaults: [String: JSONValue]
    /// Nil for a config in a form of its own.
    let parts: Read?

    /// Reads what the family has of its own in a config.json.
    typealias Read = @Sendable (ConfigFields) throws -> ModelDescription.Parts

    init(
        name: String, classPrefix: String? = nil, otherNames: [String] = [], isNested: Bool = false,
        readsLayerConfig: Bool = false,
        activation: (field: String, allowsGELU: Bool) = ("hidden_act", false),
        countKeys: [String] = [],
        names: ExpertNames = ExpertNames(), defaults: [String: JSONValue] = [:],
        parts: Read? = nil
    ) {
        self.name = name
        self.classPrefix = classPrefix
        self.otherNames = otherNames
        self.isNested = isNested
        self.readsLayerConfig = readsLayerConfig
        self.activation = activation
        self.countKeys = countKeys
        self.names = names
        self.defaults = defaults
        self.parts = parts
    }
}

extension Architecture {
    /// Every family.
    package static let all = [
        peerLM,
        olmoe,
        mixtral,
        qwen3MoE,
        deepseekV3,
        gptOSS,
        glm4MoELite,
        qwen2MoE,
        flexOlmo,
        glm4MoE,
        kimiK2,
        miniMaxM2,
        dots1,
        graniteMoE,
        phiMoE,
        ernie45MoE,
        mistral4,
        deepseekV2,
        qwen3Next,
        qwen35MoE,
        gemma4,
    ]

    /// The family of a name, or nil.
    package static func named(_ name: String) -> Architecture? {
        all.first { $0.name == name || $0.otherNames.contains(name) }
    }

    /// The family of an element of config.json's `architectures`, such as `OlmoeForCausalLM`.
    package static func ofClass(_ name: String) -> Architecture? {
        all.first { family in family.classPrefix.map { name == $0 + "ForCausalLM" } ?? false }
    }

    /// The spellings of the number of experts in all families: versions of one library differ.
    package static let allCountKeys = united(\.countKeys)

    /// What holds the config of a language model in that of a larger one.
    package static let textConfig = "text_config"

    /// What is named alike in all: the elements of a list of each, without repetition.
    static func united(_ list: (Architecture) -> [String]) -> [String] {
        all.flatMap(list).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
