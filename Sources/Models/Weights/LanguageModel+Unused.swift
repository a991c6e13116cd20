internal import Architectures
internal import Elements

extension UnusedWeights {
    /// What a model leaves over, where its use is known.
    ///
    /// - Throws: `.unusedTensor` for all else; `.badConfig` for a head that the config takes for the embedding and
    ///   that is another matrix.
    static func known(
        _ source: NotedWeights<some WeightSource>, _ description: ModelDescription
    ) throws -> [UnusedWeights] {
        let rest = source.rest.withoutAdapters
        var (tensors, pools) = (rest.tensors, rest.pools)
        var found: [UnusedWeights] = []
        let head = "lm_head.weight"
        if description.tiesEmbedding, tensors.remove(head) != nil {
            // Version 5 of the transformers library runs the head of the file then, those before the embedding.
            guard try source.isSame(head, "model.embed_tokens.weight") else {
                throw CambiumError(
                    .badConfig,
                    "config tie_word_embeddings is true, but the model has a \(head) of its own that is not "
                        + "its embedding; set the field to false to run with it, or leave the tensor out"
                )
            }
            found.append(
                UnusedWeights(name: head, tensors: 1, experts: 0, reason: "it is the embedding"))
        }
        let frequencies = tensors.filter(isFrequencies)
        if !frequencies.isEmpty {
            tensors.subtract(frequencies)
            found.append(
                UnusedWeights(
                    name: "*" + Self.frequencies, tensors: frequencies.count, experts: 0,
                    reason: "rotations are computed from the config"))
        }
        for layer in description.furtherLayers {
            let prefix = "model.layers.\(layer)."
            // What only such a layer has.
            guard tensors.contains(prefix + "eh_proj.weight") else { continue }
            let own = tensors.filter { $0.hasPrefix(prefix) }
            let experts = pools.filter { $0.layer == layer }
            tensors.subtract(own)
            pools.subtract(experts)
            found.append(
                UnusedWeights(
                    name: prefix + "*", tensors: own.count,
                    experts: experts.reduce(0) { $0 + $1.count },
                    reason: "the layer predicts tokens further ahead (multi-token prediction)"))
        }
        // Those of ERNIE, and of Qwen inside a larger model, are beside the layers.
        let ahead = tensors.filter { $0.hasPrefix("model.mtp_") || $0.hasPrefix("mtp.") }
        if !ahead.isEmpty {
            tensors.subtract(ahead)
            found.append(
                UnusedWeights(
                    name: ahead.contains { $0.hasPrefix("mtp.") } ? "mtp.*" : "model.mtp_*",
                    tensors: ahead.count, experts: 0,
                    reason: "it predicts tokens further ahead (multi-token prediction)"))
        }
        // What is beside the decoder, such as a head for another task, changes nothing of it.
        let beside = tensors.filter { !$0.hasPrefix("model.") && !$0.hasPrefix("lm_head.") }
        tensors.subtract(beside)
        for name in beside.sorted() {
            found.append(
                UnusedWeights(
                    name: name, tensors: 1, experts: 0, reason: "it is no part of the decoder"))
        }
        try WeightInventory(tensors: tensors, pools: pools).refuse(description.architecture)
        return found
    }

    private static let frequencies = "rotary_emb.inv_freq"

    /// Whether a name is that of the buffers that old versions of the library saved.
    private static func isFrequencies(_ name: String) -> Bool {
        guard name.hasPrefix("model."), name.hasSuffix("." + frequencies) else { return false }
        let inner = name.dropFirst("model.".count).dropLast(frequencies.count + 1)
        if inner.isEmpty { return true }
        let parts = inner.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == "layers" && Int(parts[1]) != nil
            && parts[2] == "self_attn"
    }
}
