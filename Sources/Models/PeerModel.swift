package import Elements
internal import Routing
internal import Tensors

/// A peer-lm model over weights that stay where they are mapped: trunk and router tensors of type
/// F32 are used in place, and experts are read only when a token picks them.
///
/// The value is immutable and may be shared between threads; each ``Session`` runs on one.
package struct PeerModel: Sendable {
    /// One decoder block: attention, MLP, then experts, each with its own norm and residual.
    struct Layer: Sendable {
        /// [hidden].
        let attentionNorm: [Float]
        /// Each [hidden, hidden].
        let query, key, value, output: Matrix
        /// [hidden].
        let feedForwardNorm: [Float]
        /// Each [feedForward, hidden].
        let gate, up: Matrix
        /// [hidden, feedForward].
        let down: Matrix
        let peer: Peer?
    }

    /// The experts of a layer and what picks them.
    struct Peer: Sendable {
        /// [hidden].
        let norm: [Float]
        let router: ProductKeyRouter
        let experts: any ExpertTable
        /// Which of the model's PEER layers this is, from 0.
        let slot: Int
    }

    package let config: PeerConfig
    /// [256, hidden].
    let embedding: Matrix
    let layers: [Layer]
    /// [hidden].
    let finalNorm: [Float]
    /// [256, hidden].
    let head: Matrix
    let rotation: RotationTables

    /// What an expert is, as stored; nil when no layer has experts.
    package var expertShape: TensorShape? {
        layers.lazy.compactMap(\.peer).first?.experts.shape
    }

    /// The bytes of one expert as stored; 0 when no layer has experts.
    package var expertBytes: Int { expertShape?.byteCount ?? 0 }
}
