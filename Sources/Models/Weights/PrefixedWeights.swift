internal import Architectures
internal import Objects
internal import Snapshots

/// Weights of a language model, asked for as if it stood alone, wherever it is in a larger model.
struct PrefixedWeights<Source: WeightSource>: WeightSource {
    private static var alone: String { Architecture.prefixes[0] }
    private static var head: String { "lm_head." }
    /// As floats, and as codes of 4 bits.
    private static var embeddings: [String] {
        ["embed_tokens.weight", "embed_tokens.weight_packed"]
    }

    private static var parts: [String] { ["layers.", "norm.", "embed_tokens."].map { alone + $0 } }

    private let source: Source
    /// What the names of the language model's tensors begin with.
    let prefix: String

    init(_ source: Source) {
        self.source = source
        prefix =
            Architecture.prefixes.first { prefix in
                Self.embeddings.contains { (try? source.tensor(prefix + $0)) != nil }
            } ?? Self.alone
    }

    var releasesMap: Bool { source.releasesMap }

    /// The names as they are asked for; what is beside the language model has none of its beginnings.
    var inventory: WeightInventory? {
        guard let all = source.inventory, prefix != Self.alone else { return source.inventory }
        return WeightInventory(
            tensors: Set(
                all.tensors.map { name in
                    if name.hasPrefix(prefix) { return Self.alone + name.dropFirst(prefix.count) }
                    // What is named as if the model stood alone is asked for by nobody, and is to be refused.
                    if Self.parts.contains(where: name.hasPrefix) { return Self.alone + name }
                    for start in ["language_model.", Self.alone] where name.hasPrefix(start) {
                        return String(name.dropFirst(start.count))
                    }
                    return name
                }), pools: all.pools)
    }

    /// A tensor's name in the source.
    func storedName(_ name: String) -> String {
        guard prefix != Self.alone else { return name }
        if name.hasPrefix(Self.alone) { return prefix + name.dropFirst(Self.alone.count) }
        // Beside `language_model.model.` is `language_model.lm_head.`.
        return name.hasPrefix(Self.head) && prefix.hasPrefix("language_model.")
            ? "language_model." + name : name
    }

    func tensor(_ name: String) throws -> Weights { try source.tensor(storedName(name)) }

    func isSame(_ one: String, _ other: String) throws -> Bool {
        try source.isSame(storedName(one), storedName(other))
    }

    func id(of tensor: String) -> ObjectID? { source.id(of: storedName(tensor)) }

    func id(ofExperts layer: Int) -> ObjectID? { source.id(ofExperts: layer) }

    func experts(layer: Int) throws -> any ExpertTable { try source.experts(layer: layer) }

    func expertNames(layer: Int) throws -> [String]? { try source.expertNames(layer: layer) }

    func irregularExperts(layer: Int) -> String? { source.irregularExperts(layer: layer) }

    func experts(layer: Int, of pool: String) throws -> any ExpertTable {
        try source.experts(layer: layer, of: pool)
    }

    func rows(layer: Int) throws -> [any ExpertTable] { try source.rows(layer: layer) }
}
