package import Architectures
internal import Routing
internal import Tensors

/// A decoder-only model of any architecture that a ``ModelDescription`` describes.
///
/// Experts are read where they are mapped, and so are matrices of rows; packed ones are laid out in memory once.
/// The value is immutable and may be shared between threads; each ``Session`` runs on one.
package struct LanguageModel: Sendable {
    struct Layer: Sendable {
        /// [hidden].
        let attentionNorm: [Float]
        let attention: Attention
        /// What is added in front of it; nil for nothing.
        let rows: Rows?
        /// One after the other.
        let blocks: [Block]
    }

    /// A feed-forward with its norm; a residual goes around both.
    struct Block: Sendable {
        /// [hidden].
        let norm: [Float]
        let feedForward: FeedForward
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

        var shape: AttentionShape {
            switch self {
            case .grouped(let grouped): grouped.shape
            case .latent(let latent): latent.shape
            }
        }
    }

    struct Grouped: Sendable {
        let shape: AttentionShape
        let query, key, value, output: Linear
        /// Over a head or over all of them, as long as the norm is; empty for none.
        let queryNorm, keyNorm: [Float]
        let clip: Float?
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
    }

    /// Rows that a hash of the last tokens finds.
    struct Rows: Sendable {
        let router: HashRouter
        /// Added one after the other: the base's, then an adapter's.
        let tables: [(table: any ExpertTable, form: RowForm)]
        /// As of ``Experts``.
        let slot: Int
    }

    struct Experts: Sendable {
        let router: any Router
        let table: any ExpertTable
        /// What gated experts look like; nil for neurons.
        let form: GatedExpertForm?
        /// What every token uses besides.
        let shared: Shared?
        /// Which of the model's ``slots`` this is.
        let slot: Int
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

    package let description: ModelDescription
    /// By how much each pair of a head's elements turns.
    let frequencies: RotationFrequencies
    /// What came with the model and is not needed to run it.
    package let unused: [UnusedWeights]
    /// Whether a limit of memory is held, so that what runs at the same time should need the same experts.
    let holdsLimit: Bool
    /// [vocabulary, hidden].
    let embedding: RowMatrix
    let layers: [Layer]
    /// [hidden].
    let finalNorm: [Float]
    /// [vocabulary, hidden].
    let head: any Projection
    /// In the order of the layers.
    let slots: [Slot]

    /// Whether hashed experts are in front of some layer.
    package var hasRows: Bool { layers.contains { $0.rows != nil } }
}

extension LanguageModel.Layer {
    /// The part with experts, and its norm; nil when there is none.
    var experts: (norm: [Float], experts: LanguageModel.Experts)? {
        for block in blocks {
            if case .experts(let experts) = block.feedForward { return (block.norm, experts) }
        }
        return nil
    }
}
