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
        package internal(set) var blocks: [Block]
        /// What a hash of the last tokens finds and is added in front of the layer; nil for nothing.
        package var rows: PeerConfig.Hash? = nil
        /// Of a further norm, of what attention gives, behind the layer's name; nil for none.
        package var normAfter: String? = nil
    }

    /// A feed-forward with a norm and a residual around.
    package struct Block: Sendable, Hashable {
        /// Of the norm's tensor, behind the layer's name.
        package let norm: String
        package internal(set) var feedForward: FeedForward
        /// Of a further norm, of what the feed-forward gives; nil for none.
        package var normAfter: String? = nil
        /// Of the one number that the states behind the block are multiplied with; nil for none.
        package var scale: String? = nil
    }

    package enum Attention: Sendable, Hashable {
        case grouped(GroupedAttention)
        case latent(LatentAttention)
        case delta(DeltaAttention)
    }

    /// The gated delta rule behind a short convolution, in the place of attention (Gated DeltaNet, 2412.06464).
    package struct DeltaAttention: Sendable, Hashable {
        /// Of queries and keys.
        package let keyHeads: Int
        /// A multiple of `keyHeads`.
        package let valueHeads: Int
        package let keySize: Int
        package let valueSize: Int
        /// Positions that the convolution reads, the present one among them.
        package let taps: Int
        /// Whether gates, rates and decays have projections of their own; else they are by heads of keys in two.
        package let isSplit: Bool
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
        /// What scores are multiplied with; nil for 1 / √headSize.
        package var scale: Float? = nil
        /// Whether pairs that turn are adjacent rather than half of what turns apart.
        package var isInterleaved = false
        /// Whether the projection of queries also makes, behind each head, what the sigmoid of is multiplied with the head's
        /// output.
        package var isGated = false
        /// By how much heads of this layer turn; nil for as those of the model.
        package var rotation: Rotation? = nil
        /// Whether values are normalised by head, without weights.
        package var normalisesValues = false
        /// Whether values are what the projection of keys gives.
        package var keysAreValues = false
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
        /// How much larger scores of later positions are; nil for not at all.
        package var growth: QueryGrowth? = nil
    }

    /// Queries grow with their position p: by 1 + rate · ln(1 + ⌊p / step⌋).
    package struct QueryGrowth: Sendable, Hashable {
        package let rate: Double
        package let step: Double
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
        /// Norms of its own of the block's states and of what it gives, behind the layer's name; nil for what the
        /// experts read, and for none.
        package var norm: String? = nil
        package var normAfter: String? = nil

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
            /// - Parameter hasCorrection: Whether a tensor steers the picks.
            case grouped(ExpertGrouping, hasCorrection: Bool)
            /// Two picks, each weighed by a softmax over the scores that are near it (SparseMixer, 2409.12136).
            case sparseMixer(jitter: Float)
        }

        package internal(set) var count: Int
        /// Picks of a token.
        package let topK: Int
        /// Elements between an expert's two steps.
        package let intermediateSize: Int
        /// What every token uses besides; nil for nothing.
        package let shared: Shared?
        package let kind: GatedExpertKind
        package let scoring: Scoring
        package let routerHasBias: Bool
        /// Of a norm of what the experts give, behind the layer's name; nil for none.
        package var normAfter: String? = nil
        /// Whether the router reads the block's states by a norm of its own, and tensors scale what it reads and its weights.
        package var routerIsScaled = false
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

    /// What gates of feed-forwards go through.
    package internal(set) var activation = GateActivation.silu
    /// What all norms of hidden states compute.
    package internal(set) var normForm = NormForm.weighed
    package internal(set) var multipliers = Multipliers()
    /// Whether a bias is added to the logits.
    package internal(set) var headHasBias = false

    package let matrixForm: MatrixForm
    /// How weights are kept that are no floats.
    package internal(set) var coded = CodedParts()
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
