internal import Architectures
internal import Elements

/// Which tensors of a checkpoint are experts, which route to them, and which are neither.
package struct CheckpointLayout: Sendable, Hashable {
    /// The architecture's name: `peer-lm`, or a `model_type` of the transformers library.
    ///
    /// When it is not known, what the config calls itself, or "unknown".
    package let architecture: String
    /// Whether the architecture is one whose experts can be told apart.
    package let recognised: Bool
    /// A sentence for the user when ``recognised`` is false.
    package let note: String?
    /// By layer, those of adapters behind the model's own; layers without experts are absent.
    package let pools: [CheckpointPool]
    /// The names of all tensors that belong to no pool and route to none, in the order given.
    package let trunk: [String]

    /// Recognises the layout from the config and the names and shapes of the tensors.
    ///
    /// - Parameters:
    ///   - config: The bytes of `config.json`, if any.
    ///   - tensors: Of different names.
    /// - Throws: `.badConfig` when config and tensors contradict each other, `.missingTensor` when a
    ///   known architecture lacks one of its tensors, `.unsupported`, or `.duplicateName` for equal
    ///   keys in the config.
    package init(config: [UInt8]?, tensors: [TensorEntry]) throws {
        let parsed: CheckpointConfig?
        if let config { parsed = try CheckpointConfig(parsing: config) } else { parsed = nil }
        guard let parsed, let architecture = parsed.architecture else {
            self.architecture = parsed?.statedName ?? "unknown"
            self.recognised = false
            self.note = Self.note(name: parsed?.statedName, hasConfig: config != nil)
            self.pools = []
            self.trunk = tensors.map(\.name)
            return
        }
        let isOwn = architecture.name == Architecture.peerLM.name
        let pools =
            isOwn
            ? try PeerLayout(tensors).pools(parsed)
                + TransformersLayout(tensors, opaque: false).pools(parsed)
                + AdapterPools.pools(tensors)
            : try TransformersLayout(tensors, opaque: architecture.names.isOpaque).pools(parsed)
        let hasNone = isOwn ? try parsed.peerLayers() == [] : false
        guard !pools.isEmpty || hasNone else {
            throw CambiumError(
                .missingTensor,
                "config.json says \(architecture.name), but none of the \(tensors.count) "
                    + "tensors belongs to an expert, as \(architecture.names.example) would")
        }
        var taken: Set<String> = []
        for pool in pools {
            // A tensor of no bytes can have any number of rows; such experts could not be counted off.
            guard pool.expertByteCount > 0 else {
                throw CambiumError(
                    .badConfig,
                    "the \(pool.expertCount) experts of layer \(pool.layer) have no bytes: "
                        + "\(quoted(pool.tensors[0].template)) holds \(pool.parts) for each")
            }
            taken.formUnion(pool.routerTensors)
            for tensor in pool.tensors {
                for ordinal in 0..<(tensor.stacked ? 1 : pool.expertCount) {
                    taken.insert(tensor.name(of: ordinal))
                }
            }
        }
        self.architecture = architecture.name
        self.recognised = true
        self.note = nil
        self.pools = pools
        self.trunk = tensors.lazy.map(\.name).filter { !taken.contains($0) }
    }

    /// Why experts could not be told apart.
    private static func note(name: String?, hasConfig: Bool) -> String {
        if let name {
            let known = Architecture.all.map(\.name).joined(separator: ", ")
            return
                "config.json names the architecture \(quoted(name)), whose experts Cambium cannot "
                + "tell apart (it knows \(known)): every tensor is stored whole"
        }
        if hasConfig {
            return
                "config.json names no architecture: every tensor is stored whole, experts included"
        }
        return "there is no config.json to tell the architecture (name the folder rather than the "
            + "file if it has one): every tensor is stored whole, experts included"
    }
}

extension Checkpoint {
    /// See ``CheckpointLayout/init(config:tensors:)``.
    package func layout() throws -> CheckpointLayout {
        try CheckpointLayout(config: config, tensors: tensors.map(\.entry))
    }
}
