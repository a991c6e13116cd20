package import Architectures
internal import Routing
internal import Tensors

/// A decoder-only model of any architecture that a ``ModelDescription`` describes.
///
/// Experts are read where they are mapped, and so are matrices of rows; packed ones are laid out in memory once.
/// The value is immutable and may be shared between threads; each ``Session`` runs on one.
package struct LanguageModel: Sendable {
    /// What a norm multiplies with and adds.
    struct Norm: Sendable {
        /// [elements that the norm is of].
        let weight: [Float]
        /// Of a norm that takes the mean away: as long; empty for one that does not.
        let bias: [Float]

        init(_ weight: [Float], bias: [Float] = []) {
            self.weight = weight
            self.bias = bias
        }

        /// About how large each element is behind the norm.
        var scales: [Float] {
            guard !bias.isEmpty else { return weight }
            return zip(weight, bias).map { ($0 * $0 + $1 * $1).squareRoot() }
        }
    }

    struct Layer: Sendable {
        let attentionNorm: Norm
        /// Of what attention gives, beside the other; nil for none.
        var attentionNormAfter: Norm? = nil
        let attention: Attention
        /// What is added in front of it; nil for nothing.
        let rows: Rows?
        /// One after the other.
        let blocks: [Block]
        /// Of attention with its norms.
        var content = PartContent.alone
    }

    /// A feed-forward with its norm; a residual goes around both.
    struct Block: Sendable {
        let norm: Norm
        let feedForward: FeedForward
        /// Of what the feed-forward gives, beside the other; nil for none.
        var normAfter: Norm? = nil
        /// What the states behind the block are multiplied with.
        var scale: Float = 1
        /// Where experts may be of several models: without them.
        var content = PartContent.alone

        /// The same with other experts.
        func replacing(_ experts: Experts) -> Block {
            Block(norm: norm, feedForward: .experts(experts), normAfter: normAfter, scale: scale)
        }
    }

    /// y = W x + b.
    struct Linear: Sendable {
        /// [outputs, inputs].
        let matrix: any Projection
        /// [outputs]; empty for none.
        let bias: [Float]
    }

    enum Attention: Sendable {
        case grouped(Grouped)
        case latent(Latent)
        case delta(Delta)
    }

    /// The gated delta rule.
    struct Delta: Sendable {
        enum Inputs: Sendable {
            /// Queries, keys and values in one; gates; rates; decays.
            case split(
                all: any Projection, gate: any Projection, rate: any Projection,
                decay: any Projection)
            /// Of each head of keys query, key, values and gates; and rates and decays.
            case byKeyHeads(all: any Projection, pairs: any Projection)
        }

        let shape: DeltaShape
        let taps: Int
        let inputs: Inputs
        /// [taps, columns], that of the latest position last.
        let convolution: [Float]
        /// [valueHeads].
        let stepBias: [Float]
        /// [valueHeads], in double: what the softplus of a step is multiplied with.
        let rates: [Double]
        /// [keySize]: what norms of queries and keys multiply with.
        let queryScale, keyScale: [Float]
        /// [valueSize].
        let norm: [Float]
        let output: any Projection

        /// Queries, keys and values of a token.
        var columns: Int { 2 * shape.keyWidth + shape.valueWidth }
    }

    struct Grouped: Sendable {
        let shape: AttentionShape
        let query, key, value, output: Linear
        /// Over a head or over all of them, as long as the norm is; empty for none.
        let queryNorm, keyNorm: [Float]
        let clip: Float?
        /// Elements of a head that turn, the first ones.
        let turning: Int
        let isInterleaved: Bool
        /// Over a head of values; empty for none.
        let valueNorm: [Float]
        /// Which of the model's frequencies.
        let rotation: Int
        /// Whether each head of `query` is followed by its gate.
        let isGated: Bool
    }

    /// Attention in the space of the latent vector: queries are brought there instead of keys out of it, so
    /// that the cache holds one latent vector for each token (2405.04434, section 2.1.2, "absorbed").
    struct Latent: Sendable {
        /// One head of keys [latent | turning] and values [latent].
        let shape: AttentionShape
        let sizes: ModelDescription.LatentAttention
        /// Before `query`; nil when that takes the hidden state.
        let queryDown: Linear?
        /// [queryRank]; empty without `queryDown`.
        let queryNorm: [Float]
        /// [heads * (plain + turning), queryRank].
        let query: Linear
        /// [rank + turning, hidden].
        let compress: Linear
        /// [rank].
        let latentNorm: [Float]
        /// [heads * (plain + value), rank].
        let expand: RowMatrix
        let output: Linear

        /// The rows of `expand` that make keys.
        var keyRows: HeadRows {
            HeadRows(
                count: sizes.heads, first: 0, step: sizes.nopeHeadDim + sizes.valueSize,
                rows: sizes.nopeHeadDim)
        }

        /// Those that make values.
        var valueRows: HeadRows {
            HeadRows(
                count: sizes.heads, first: sizes.nopeHeadDim,
                step: sizes.nopeHeadDim + sizes.valueSize,
                rows: sizes.valueSize)
        }
    }

    enum FeedForward: Sendable {
        case dense(Dense)
        case experts(Experts)
    }

    /// SwiGLU.
    struct Dense: Sendable {
        /// Each [inner, hidden].
        let gate, up: any Projection
        /// [hidden, inner].
        let down: any Projection
    }

    /// What every token uses beside the experts that are picked.
    struct Shared: Sendable {
        let dense: Dense
        /// [1, hidden].
        ///
        /// The sigmoid of its product multiplies what `dense` gives. Nil for none.
        let gate: (any Projection)?
        /// Of the block's states, for what it reads, and of what it gives; nil for what the experts read, and for none.
        var norm: Norm? = nil
        var normAfter: Norm? = nil
    }

    /// Rows that a hash of the last tokens finds.
    struct Rows: Sendable {
        let router: HashRouter
        /// Added one after the other: the base's, then an adapter's.
        let tables: [(table: any ExpertTable, form: RowForm)]
        /// As of ``Experts``.
        let slot: Int
        var content = PartContent.alone
    }

    struct Experts: Sendable {
        let router: any Router
        let table: any ExpertTable
        /// What gated experts look like; nil for neurons.
        let form: GatedExpertForm?
        /// What every token uses besides.
        let shared: Shared?
        /// Of the block's states, for what the router reads; nil for what the experts read.
        var routerNorm: Norm? = nil
        /// Of what the experts give; nil for none.
        var normAfter: Norm? = nil
        /// Which of the model's ``slots`` this is.
        let slot: Int
        /// Of the experts.
        var content = PartContent.alone

        /// The same with another router and experts.
        func replacing(router: any Router, table: any ExpertTable) -> Experts {
            Experts(
                router: router, table: table, form: form, shared: shared, routerNorm: routerNorm,
                normAfter: normAfter, slot: slot)
        }
    }

    /// Experts that tokens pick among.
    struct Slot: Sendable {
        /// Of the layer.
        let number: Int
        let heads: Int
        /// Picks of each head.
        let topK: Int
        /// More than one where each pick is of all of them.
        let tables: [any ExpertTable]

        /// Bytes of what a pick is of.
        var expertBytes: Int { tables.reduce(0) { $0 + $1.expertBytes } }
        /// What tokens can pick among.
        var count: Int { tables.first?.count ?? 0 }
    }

    /// Equal in copies of one model.
    final class Identity: Sendable {}

    package let description: ModelDescription
    let identity = Identity()
    /// By how much each pair of a head's elements turns, by kind of layer.
    let frequencies: [RotationFrequencies]
    /// What is read of it besides experts, vectors and convolutions; empty of packed matrices.
    package let matrices: [ModelMatrix]
    /// What came with the model and is not needed to run it.
    package let unused: [UnusedWeights]
    /// Whether a limit of memory is held, so that what runs at the same time should need the same experts.
    let holdsLimit: Bool
    /// [vocabulary, hidden].
    let embedding: RowMatrix
    let layers: [Layer]
    let finalNorm: Norm
    /// [vocabulary, hidden].
    let head: any Projection
    /// [vocabulary]; empty for none.
    let headBias: [Float]
    /// Of the last norm and the head.
    let headContent: PartContent
    /// In the order of the layers.
    let slots: [Slot]

    /// Whether hashed experts are in front of some layer.
    package var hasRows: Bool { layers.contains { $0.rows != nil } }
}

extension LanguageModel.Layer {
    /// The part with experts, and the norm of what its router reads; nil when there is none.
    var experts: (norm: LanguageModel.Norm, experts: LanguageModel.Experts)? {
        for block in blocks {
            if case .experts(let experts) = block.feedForward {
                return (experts.routerNorm ?? block.norm, experts)
            }
        }
        return nil
    }
}
