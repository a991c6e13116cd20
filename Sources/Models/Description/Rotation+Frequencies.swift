package import Architectures
package import Tensors

extension ModelDescription {
    /// By how much each pair of a head's elements turns.
    package var frequencies: RotationFrequencies { rotation.frequencies }

    /// Those of all kinds of layers, the model's own first.
    var rotations: [Rotation] {
        layers.reduce(into: [rotation]) { all, layer in
            guard case .grouped(let grouped) = layer.attention, let own = grouped.rotation,
                !all.contains(own)
            else { return }
            all.append(own)
        }
    }
}

extension ModelDescription.LatentAttention {
    /// What scores are multiplied with.
    package func scale(_ rotation: Rotation) -> Float {
        Float(rotation.scoreScale / Double(nopeHeadDim + ropeHeadDim).squareRoot())
    }
}

extension Rotation {
    /// What the scores of latent attention are multiplied with besides.
    fileprivate var scoreScale: Double {
        guard let yarn, let all = yarn.scaleOfAll, all != 0 else { return 1 }
        let scale = magnitude(yarn.factor, all)
        return scale * scale
    }

    /// By how much each pair turns.
    var frequencies: RotationFrequencies {
        let plain = RotationFrequencies(theta: theta, size: size)
        if let (pairs, divisor) = proportion {
            return RotationFrequencies(
                values: plain.values.enumerated().map { $0 < pairs ? $1 / divisor : 0 })
        }
        guard let yarn else { return plain }
        var low = pairIndex(turns: yarn.fast, yarn.original, size)
        var high = pairIndex(turns: yarn.slow, yarn.original, size)
        if yarn.truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
        (low, high) = (max(low, 0), min(high, Double(size - 1)))
        if low == high { high += 0.001 }
        let values = plain.values.enumerated().map { index, frequency in
            let ramp = min(max((Double(index) - low) / (high - low), 0), 1)
            return frequency / yarn.factor * ramp + frequency * (1 - ramp)
        }
        return RotationFrequencies(values: values, factor: attentionFactor(yarn))
    }

    private func attentionFactor(_ yarn: Yarn) -> Double {
        if let factor = yarn.attentionFactor { return factor }
        if let one = yarn.scale, let all = yarn.scaleOfAll, one != 0, all != 0 {
            return magnitude(yarn.factor, one) / magnitude(yarn.factor, all)
        }
        return magnitude(yarn.factor, 1)
    }

    private func magnitude(_ factor: Double, _ scale: Double) -> Double {
        factor <= 1 ? 1 : 0.1 * scale * RotationFrequencies.log(factor) + 1
    }

    /// The pair that turns so many times over the original context, not rounded.
    private func pairIndex(turns: Double, _ positions: Double, _ size: Int) -> Double {
        // With theta 1 all pairs turn alike.
        let base = 2 * max(RotationFrequencies.log(theta), .leastNormalMagnitude)
        let index = Double(size) * RotationFrequencies.log(positions / (turns * 2 * .pi)) / base
        return min(max(index, -1e9), 1e9)
    }
}
