package import Elements

/// What a decoder-only language model is made of: the sizes and variants of each layer, whatever
/// architecture's config.json they were read from.
///
/// A value of this type has been validated: a model can be built from it without overflow, and every
/// division that it asks for is even.
package struct ModelDescription: Sendable, Hashable {
    /// Attention with a norm and a residual around, then blocks.
    package struct Layer: Sendable, Hashable {
        package let attention: Attention
        /// Positions that a query sees, its own the last; nil for all before it.
        package let window: Int?
        /// One after the other; at most one has experts.
        package let blocks: [Block]
        /// What a hash of the last tokens finds and is added in front of the layer; nil for nothing.
        package var rows: PeerConfig.Hash? = nil
    }

    /// A feed-forward with a norm and a residual around.
    package struct Block: Sendable, Hashable {
        /// Of the norm's tensor, behind the layer's name.
        package let norm: String
        package let feedForward: FeedForward
    }

    package enum Attention: Sendable, Hashable {
        case grouped(GroupedAttention)
        case latent(LatentAttention)
    }

    /// Query heads that share heads of keys and values (2305.13245).
    package struct GroupedAttention: Sendable, Hashable {
        /// What queries and keys are normalised over before they turn.
        package enum Norm: Sendable, Hashable {
            case none
            /// All heads together.
            case projection
            /// Each head alone.
            case head
        }

        package let heads: Int
        package let kvHeads: Int
        package let headSize: Int
        package let norm: Norm
        /// Whether queries, keys and values have biases.
        package let hasBias: Bool
        package let outputHasBias: Bool
        /// Whether each head has a score that the softmax takes in and that reads nothing.
        package let hasSinks: Bool
        /// Queries, keys and values are cut at plus and minus this.
        package let clip: Float?
    }

    /// Keys and values that are made from one small vector for each token (multi-head latent attention,
    /// 2405.04434).
    package struct LatentAttention: Sendable, Hashable {
        package let heads: Int
        /// Elements of the vector that queries are made from; nil when the hidden state is.
        package let queryRank: Int?
        /// Elements of the vector that keys and values are made from.
        package let rank: Int
        /// Elements of a head's query and key that do not turn.
        package let nopeHeadDim: Int
        /// Elements that turn; keys of all heads share them.
        package let ropeHeadDim: Int
        package let valueSize: Int
        /// Whether pairs that turn are adjacent rather than half a head apart.
        package let isInterleaved: Bool
        /// Whether the projections from the hidden state and to it have biases.
        package let hasBias: Bool
    }

    package enum FeedForward: Sendable, Hashable {
        /// SwiGLU of this many elements.
        case dense(intermediateSize: Int)
        /// Gated experts below a linear router.
        case experts(Experts)
        case neurons(Neurons)
    }

    /// Experts of one hidden element each, by what picks them.
    package enum Neurons: Sendable, Hashable {
        /// Product keys (PEER, 2407.04153).
        case productKeys(PeerConfig.Peer)
        /// Read-outs of the two digits of an expert's number, in the place of product keys.
        case digits(PeerConfig.Peer, heads: Int)
        /// - Parameter hasBiases: Whether each key has one.
        case tree(PeerConfig.Tree, hasBiases: Bool)

        package var count: Int {
            switch self {
            case .productKeys(let sizes), .digits(let sizes, _): sizes.expertCount
            case .tree(let sizes, _): sizes.expertCount
            }
        }
    }

    /// How matrices lie in memory; the two add up a row's products in different orders, so that a model keeps to its own.
    package enum MatrixForm: Sendable, Hashable {
        /// Read where they are stored.
        case rows
        /// Laid out once as panels of 32-bit floats.
        case packed
    }

    /// Experts that every token uses, as one SwiGLU.
    package struct Shared: Sendable, Hashable {
        /// Of the tensors, behind the layer's `mlp.`.
        package let name: String
        package let intermediateSize: Int
        /// Of the row whose product's sigmoid the output is multiplied with; nil for none.
        package let gate: String?

        init(name: String = "shared_experts", intermediateSize: Int, gate: String? = nil) {
            self.name = name
            self.intermediateSize = intermediateSize
            self.gate = gate
        }
    }

    /// Experts that a router picks, and those that every token uses.
    package struct Experts: Sendable, Hashable {
        /// How the router's scores decide, without what is stored as tensors.
        package enum Scoring: Sendable, Hashable {
            case softmaxOfPicked
            case softmaxOfAll(normalised: Bool)
            case sigmoid(groups: Int, pickedGroups: Int, normalised: Bool, scale: Float)
        }

        package let count: Int
        /// Picks of a token.
        package let topK: Int
        /// Elements between an expert's two steps.
        package let intermediateSize: Int
        /// What every token uses besides; nil for nothing.
        package let shared: Shared?
        package let kind: GatedExpertKind
        package let scoring: Scoring
        package let routerHasBias: Bool
    }

    /// The most experts that a token can pick of a layer: what the kernels have room for.
    package static let largestTopK = 128

    /// As config.json names it, for messages.
    package let architecture: String
    package let vocabularySize: Int
    package let hiddenSize: Int
    /// Positions that the model was made for.
    package let contextLength: Int
    package let normEpsilon: Float
    /// Whether norms are of what attention and feed-forwards give, x + norm(f(x)), and not of what they read,
    /// x + f(norm(x)).
    package let normsFollow: Bool
    package let rotation: Rotation
    package internal(set) var layers: [Layer]
    /// Whether the head is the embedding.
    package let tiesEmbedding: Bool
    /// Numbers of layers behind `layers` that a checkpoint may have and that no text is continued with: they predict
    /// tokens further ahead.
    package let furtherLayers: Range<Int>
    /// Tokens that end a text; empty when the config does not say.
    package let endTokens: [Int]

    package let matrixForm: MatrixForm
    /// How weights are kept that are no floats; nil where all are.
    package internal(set) var coded: CodedWeights? = nil
    /// Whether tokens are bytes.
    package let readsBytes: Bool
    /// Whether a text that outgrows the context goes on from its last half; if not, it ends there.
    package let slides: Bool

    /// The tensor of attention's norm, behind the layer's name.
    package var attentionNorm: String {
        normsFollow ? "post_attention_layernorm" : "input_layernorm"
    }

    /// The numbers of the layers that have experts, ascending.
    package var expertLayers: [Int] {
        layers.indices.filter {
            layers[$0].rows != nil || layers[$0].blocks.contains { $0.feedForward.hasExperts }
        }
    }
}

extension ModelDescription.Layer {
    /// Its gated experts; nil without.
    package var experts: ModelDescription.Experts? {
        for block in blocks {
            if case .experts(let experts) = block.feedForward { return experts }
        }
        return nil
    }
}

extension ModelDescription.FeedForward {
    var hasExperts: Bool { if case .dense = self { false } else { true } }
}
