internal import Elements

extension ModelDescription {
    /// A peer-lm model: attention as many heads of keys as of queries have, a dense feed-forward, and in some layers
    /// experts behind it.
    package init(_ config: PeerConfig) {
        let attention = Attention.grouped(
            GroupedAttention(
                heads: config.headCount, kvHeads: config.headCount, headSize: config.headSize,
                norm: .none, hasBias: false, outputHasBias: false, hasSinks: false, clip: nil))
        let layers = (0..<config.layerCount).map { index in
            var blocks = [
                Block(
                    norm: "post_attention_layernorm",
                    feedForward: .dense(intermediateSize: config.feedForwardSize))
            ]
            if config.linearLayers.contains(index), let sizes = config.linear {
                blocks.append(.experts(sizes))
            }
            if config.peerLayers.contains(index) {
                let solved = config.isSolved(index) ? config.solved : nil
                if let sizes = config.peer {
                    let neurons = solved.map {
                        ModelDescription.Neurons.digits(sizes, heads: $0.heads)
                    }
                    blocks.append(.neurons(neurons ?? .productKeys(sizes)))
                }
                if let sizes = config.tree {
                    blocks.append(.neurons(.tree(sizes, hasBiases: solved != nil)))
                }
            }
            return Layer(
                attention: attention, window: nil, blocks: blocks,
                rows: config.hash.flatMap { $0.layers.contains(index) ? $0 : nil })
        }
        self.init(
            architecture: Self.ownArchitecture, vocabularySize: PeerConfig.vocabularySize,
            hiddenSize: config.hiddenSize, contextLength: config.contextLength,
            normEpsilon: config.normEpsilon, normsFollow: false,
            rotation: Rotation(theta: config.ropeTheta, yarn: nil, size: config.headSize),
            layers: layers, tiesEmbedding: false, furtherLayers: 0..<0, endTokens: [],
            matrixForm: .packed, readsBytes: true, slides: true)
    }

    /// The same model with other experts: those of its layers leave, and these blocks come behind what is left.
    ///
    /// - Parameter blocks: By layer.
    /// - Throws: `.badConfig` for a layer that the model does not have, or that is left without a feed-forward.
    package func replacingExperts(_ blocks: [Int: Block]) throws -> ModelDescription {
        for layer in blocks.keys.sorted() where !layers.indices.contains(layer) {
            throw CambiumError(
                .badConfig,
                "config layers has \(layer); it must be 0 to \(layers.count - 1)")
        }
        var description = self
        for (index, layer) in layers.enumerated() {
            let kept = layer.blocks.filter { !$0.feedForward.hasExperts }
            let all = kept + (blocks[index].map { [$0] } ?? [])
            guard !all.isEmpty else {
                throw CambiumError(
                    .badConfig,
                    "layer \(index) would be left without a feed-forward when its experts are skipped"
                )
            }
            description.layers[index] = Layer(
                attention: layer.attention, window: layer.window, blocks: all,
                rows: layer.rows)
        }
        return description
    }

}

extension ModelDescription.Block {
    /// SwiGLU experts below a linear router, with a norm of their own.
    package static func experts(_ sizes: PeerConfig.Linear) -> ModelDescription.Block {
        ModelDescription.Block(
            norm: PeerNames.expertNorm,
            feedForward: .experts(
                ModelDescription.Experts(
                    count: sizes.experts, topK: sizes.topK, intermediateSize: sizes.width,
                    shared: nil,
                    kind: .rows, scoring: .softmaxOfPicked, routerHasBias: false)))
    }

    /// Neurons with a norm of their own.
    package static func neurons(_ sizes: ModelDescription.Neurons) -> ModelDescription.Block {
        ModelDescription.Block(norm: PeerNames.neuronNorm, feedForward: .neurons(sizes))
    }
}
