internal import Architectures
internal import Elements

/// Which tensors of a checkpoint are experts, which route to them, and which are neither.
package struct CheckpointLayout: Sendable, Hashable {
    /// The architecture's name: `peer-lm`, or a `model_type` of the transformers library.
    ///
    /// When it is not known, what the config calls itself, or "unknown".
    package let architecture: String
    /// Whether experts were told apart as the architecture names them.
    package let recognised: Bool
    /// A sentence for the user when ``recognised`` is false.
    package let note: String?
    /// What experts were told apart by where the architecture did not tell: `model.layers.{n}.mlp.experts.{e}.*`.
    package let patterns: [String]
    /// By layer, those of adapters behind the model's own; layers without experts are absent.
    package let pools: [CheckpointPool]
    /// The names of all tensors that belong to no pool and route to none, in the order given.
    package let trunk: [String]

    /// Recognises the layout from the config and the names and shapes of the tensors.
    ///
    /// Experts are those of the config's architecture. Where it is not known, or the tensors are not named and shaped
    /// as its are, experts are told by pattern (``PatternLayout``), and what has none is stored tensor by tensor.
    ///
    /// - Parameters:
    ///   - config: The bytes of `config.json`, if any.
    ///   - tensors: Of different names.
    /// - Throws: `.badConfig` for a config that is no JSON or contradicts itself, `.duplicateName` for equal keys in
    ///   it; for our own architecture alone also `.badConfig`, `.missingTensor` or `.unsupported` when config and
    ///   tensors contradict each other.
    /// - Complexity: Linear in the tensors.
    package init(config: [UInt8]?, tensors: [TensorEntry]) throws {
        let parsed: CheckpointConfig?
        if let config { parsed = try CheckpointConfig(parsing: config) } else { parsed = nil }
        let reason: String
        if let parsed, let architecture = parsed.architecture {
            do {
                pools = try Self.pools(of: architecture, parsed, tensors)
                trunk = Self.rest(of: tensors, beside: pools)
                self.architecture = architecture.name
                (recognised, note, patterns) = (true, nil, [])
                return
            } catch let error as CambiumError where architecture.name != Architecture.peerLM.name {
                reason =
                    "the experts are not as \(quoted(architecture.name)) has them: \(error.message)"
            }
        } else {
            reason = Self.unknown(name: parsed?.statedName, hasConfig: config != nil)
        }
        let found = PatternLayout(tensors)
        self.architecture = parsed?.architecture?.name ?? parsed?.statedName ?? "unknown"
        recognised = false
        (pools, patterns) = (found.pools, found.patterns)
        trunk = zip(tensors, found.isTaken).lazy.filter { !$1 }.map(\.0.name)
        note = Self.note(reason, found)
    }

    /// The experts of a known architecture.
    private static func pools(
        of architecture: Architecture, _ config: CheckpointConfig, _ tensors: [TensorEntry]
    ) throws -> [CheckpointPool] {
        let isOwn = architecture.name == Architecture.peerLM.name
        let pools =
            isOwn
            ? try PeerLayout(tensors).pools(config)
                + TransformersLayout(tensors, opaque: false).pools(config)
                + HashLayout(tensors).pools(config)
                + AdapterPools.pools(tensors)
            : try TransformersLayout(tensors, opaque: architecture.names.isOpaque).pools(config)
        let hasNone = isOwn ? try config.peerLayers() == [] : false
        guard !pools.isEmpty || hasNone else {
            throw CambiumError(
                .missingTensor,
                "config.json says \(architecture.name), but none of the \(tensors.count) "
                    + "tensors belongs to an expert, as \(architecture.names.example) would")
        }
        // A tensor of no bytes can have any number of rows; such experts could not be counted off.
        for pool in pools where pool.expertByteCount == 0 {
            throw CambiumError(
                .badConfig,
                "the \(pool.expertCount) experts of layer \(pool.layer) have no bytes: "
                    + "\(quoted(pool.tensors[0].template)) holds \(pool.parts) for each")
        }
        var places: Set<String> = []
        for pool in pools where !places.insert(pool.place).inserted {
            throw CambiumError(
                .unsupported,
                "layer \(pool.place) has hashed rows and other experts; a layer has experts of one kind, so put "
                    + "the rows in front of another")
        }
        for tensor in pools.lazy.flatMap(\.tensors) where !tensor.isUnambiguous {
            throw CambiumError(
                .unsupported,
                "\(quoted(tensor.template)) does not tell where the number of an expert is")
        }
        return pools
    }

    private static func rest(
        of tensors: [TensorEntry], beside pools: [CheckpointPool]
    ) -> [String] {
        var taken: Set<String> = []
        for pool in pools {
            taken.formUnion(pool.routerTensors)
            for tensor in pool.tensors {
                for ordinal in 0..<(tensor.stacked ? 1 : pool.expertCount) {
                    taken.insert(tensor.name(of: ordinal))
                }
            }
        }
        return tensors.lazy.map(\.name).filter { !taken.contains($0) }
    }

    /// Why the architecture does not tell which tensors are experts.
    private static func unknown(name: String?, hasConfig: Bool) -> String {
        if let name {
            let known = Architecture.all.map(\.name).joined(separator: ", ")
            return
                "config.json names the architecture \(quoted(name)), whose experts Cambium does not "
                + "know (it knows \(known))"
        }
        return hasConfig
            ? "config.json names no architecture"
            : "there is no config.json to tell the architecture (name the folder rather than the "
                + "file if it has one)"
    }

    /// What became of a model whose architecture did not tell which tensors are experts.
    private static func note(_ reason: String, _ found: PatternLayout) -> String {
        let stored =
            found.patterns.isEmpty
            ? "every tensor is stored whole, experts included"
            : "experts are told by the pattern of \(listed(found.patterns))"
        guard !found.irregular.isEmpty else { return "\(reason): \(stored)" }
        return "\(reason): \(stored). Without a regular pattern, so stored whole: "
            + listed(found.irregular, by: "; ")
    }

    private static func listed(_ all: [String], by separator: String = ", ") -> String {
        all.prefix(3).joined(separator: separator)
            + (all.count > 3 ? " and \(all.count - 3) more" : "")
    }
}

extension Checkpoint {
    /// See ``CheckpointLayout/init(config:tensors:)``.
    package func layout() throws -> CheckpointLayout {
        try CheckpointLayout(config: config, tensors: tensors.map(\.entry))
    }
}
