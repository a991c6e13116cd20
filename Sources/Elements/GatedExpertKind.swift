/// What experts with a gate compute, and how their tensors lie.
package enum GatedExpertKind: Sendable, Hashable {
    /// gate [inner, width], up [inner, width], down [width, inner]: down (SiLU(gate x) ⊙ up x) (Shazeer,
    /// GLU Variants Improve Transformer, 2002.05202).
    case rows
    /// Matrices that are read by columns, gate and up interleaved, with biases: gate-up [width,
    /// 2 inner], its bias [2 inner], down [inner, width], its bias [width]; the gate's input is cut at
    /// `limit`, up at ±`limit`, and the gate is g σ(alpha g), times up + 1 (gpt-oss, 2508.10925).
    case columns(alpha: Float, limit: Float)
}

/// What gates of feed-forwards go through.
package enum GateActivation: Sendable, Hashable {
    case silu
    /// GELU by its tanh.
    case gelu
}
