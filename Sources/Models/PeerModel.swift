package import Architectures
internal import Routing
internal import Tensors

/// A peer-lm model: trunk and router are laid out in memory once, for products in fixed order, and
/// experts are read where they are mapped when a token picks them.
///
/// The value is immutable and may be shared between threads; each ``Session`` runs on one.
package struct PeerModel: Sendable {
    /// One decoder block: attention, MLP, then experts, each with its own norm and residual.
    struct Layer: Sendable {
        /// [hidden].
        let attentionNorm: [Float]
        /// Each [hidden, hidden].
        let query, key, value, output: PackedMatrix
        /// [hidden].
        let feedForwardNorm: [Float]
        /// Each [feedForward, hidden].
        let gate, up: PackedMatrix
        /// [hidden, feedForward].
        let down: PackedMatrix
        let experts: Experts?
    }

    /// The experts of a layer and what picks them.
    struct Experts: Sendable {
        /// [hidden].
        let norm: [Float]
        let router: any Router
        let table: any ExpertTable
        /// What SwiGLU experts look like; nil for neurons.
        let form: GatedExpertForm?
        /// Which of the model's layers with experts this is, from 0.
        let slot: Int
    }

    package let config: PeerConfig
    /// [256, hidden].
    let embedding: Matrix
    let layers: [Layer]
    /// [hidden].
    let finalNorm: [Float]
    /// [256, hidden].
    let head: PackedMatrix
    let rotation: RotationTables

    /// The bytes of one expert as stored; 0 when no layer has experts.
    package var expertBytes: Int {
        layers.lazy.compactMap(\.experts).first?.table.expertBytes ?? 0
    }
}
