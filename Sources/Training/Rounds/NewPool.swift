internal import Architectures
internal import Elements
internal import Models

/// Experts that a new adapter gets, with a router of their own, in place of the base's while it is active.
package enum NewPool: Sendable {
    /// Neurons in each of the base's layers of neurons, with its heads, picks and keys; a square number.
    case neurons(Int)
    /// SwiGLU experts of an inner width in every layer, of which a token uses the best `topK`.
    case swiglu(Int, width: Int, topK: Int)

    /// - Throws: `usage` for sizes that cannot be.
    func sizes(_ config: PeerConfig) throws -> AdapterExperts {
        // Numbers of weights: training takes four times as much memory and more.
        let most = (1 << 29) / config.hiddenSize / max(config.layerCount, 1)
        do {
            switch self {
            case .neurons(let count):
                guard let peer = config.peer else {
                    throw CambiumError(
                        .badConfig,
                        "the base has no layers of neurons that say how new ones are picked; give SwiGLU "
                            + "experts")
                }
                let side = Int(Double(max(count, 0)).squareRoot().rounded())
                guard (1...max(1, most / 2)).contains(count), side * side == count,
                    side >= peer.topK
                else {
                    throw CambiumError(
                        .badConfig,
                        "\(count) neurons; pairs of keys pick them, so give a square number from "
                            + "\(peer.topK * peer.topK) to \(most / 2)")
                }
                return .neurons(
                    try PeerConfig.Peer(
                        subKeys: side, heads: peer.heads, topK: peer.topK, keySize: peer.keySize),
                    layers: config.peerLayers)
            case .swiglu(let count, let width, let topK):
                let sizes = try PeerConfig.Linear(experts: count, topK: topK, width: width)
                guard width <= most / 3 / count else {
                    throw CambiumError(
                        .badConfig,
                        "\(count) experts of width \(width); for this model \(most / 3 / width) of that width "
                            + "can be trained in memory")
                }
                return .swiglu(sizes, layers: Array(0..<config.layerCount))
            }
        } catch let error as CambiumError where error.code == .badConfig {
            throw CambiumError(.usage, error.message, cause: error)
        }
    }
}
