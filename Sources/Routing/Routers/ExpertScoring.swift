internal import Tensors

/// How a linear router's scores decide who is picked, and with what weights.
package enum ExpertScoring: Sendable, Hashable {
    /// The highest scores; weights are their softmax (gpt-oss, 2508.10925).
    case softmaxOfPicked
    /// The highest probabilities of the softmax over all experts, which are the weights, divided by their
    /// sum when `normalised` (Mixtral, 2401.04088; OLMoE, 2409.02060; Qwen3, 2505.09388).
    case softmaxOfAll(normalised: Bool)
    /// Sigmoids or shares inside the best groups; see ``GroupedScoring``.
    case grouped(GroupedScoring)
    /// The two highest scores. Each is weighed by its share of a softmax over itself and those below it that are at most
    /// twice `jitter` of the greater magnitude away (SparseMixer, 2409.12136, as it is run).
    case sparseMixer(jitter: Float)
}

/// What SparseMixer weighs the two picks of a token with.
///
/// - Parameters:
///   - scores: [experts], of one token.
///   - first: The expert of the highest.
///   - second: That of the highest of all others.
func sparseMixerWeights(
    _ scores: Span<Float>, first: Int, second: Int, jitter: Float
) -> (Float, Float) {
    /// The share of the highest, without the experts that are too far from it.
    func share(of highest: Int, without other: Int?) -> Float {
        let top = scores[highest]
        var near: [Float] = []
        var place = 0
        for index in scores.indices where index != other {
            if index == highest { place = near.count }
            let score = scores[index]
            let scale = max(score.magnitude, top)
            // 0 / 0 is not too far.
            if !((top - score) / scale > 2 * jitter) { near.append(score - top) }
        }
        let count = near.count
        var span = near.mutableSpan
        Kernels.softmax(&span, width: count)
        return span[place]
    }
    return (share(of: first, without: nil), share(of: second, without: first))
}
