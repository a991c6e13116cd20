internal import Elements

/// Turns activations into small integers, feature by feature, so that their sums are exact.
///
/// φ = round(x scale), to the nearest, ties to even, limited to ±`limit`. The scales are fixed when
/// the base snapshot is made; evidence names its quantiser, and only evidence of one quantiser adds.
package struct Quantiser: Sendable, Hashable {
    /// The largest magnitude of a feature.
    package static let limit: Float = 2047

    /// [width], positive.
    package let scales: [Float]

    package var width: Int { scales.count }

    /// The canonical bytes (docs/format.md, "Evidence"); the id of a quantiser is theirs.
    package var encoded: [UInt8] {
        var bytes = Array("CQNT".utf8) + [1]
        appendNumber(UInt64(width), to: &bytes)
        bytes += scales.littleEndianBytes
        return bytes
    }

    /// - Throws: ``CambiumError`` without scales, or with one that is not a positive number.
    package init(scales: [Float]) throws {
        guard !scales.isEmpty, scales.count <= 1 << 16 else {
            throw CambiumError(
                .badInput, "a quantiser of \(scales.count) features; give 1 to 65536")
        }
        for (index, scale) in scales.enumerated() where !(scale > 0 && scale.isFinite) {
            throw CambiumError(
                .badInput, "the scale of feature \(index) is \(scale); give a positive number")
        }
        self.scales = scales
    }

    /// Scales by which a feature's root mean square over some activations becomes `target`.
    ///
    /// A feature that is always 0 gets the scale 1.
    ///
    /// - Parameter x: [tokens, `width`], at least one token.
    /// - Throws: ``CambiumError`` when an activation is not a finite number.
    package init(
        fitting x: Span<Float>, width: Int, target: Double = 256
    ) throws {
        precondition(width > 0 && x.count > 0 && x.count % width == 0, "\(x.count) by \(width)")
        let tokens = x.count / width
        var scales: [Float] = []
        for feature in 0..<width {
            var sum = 0.0
            for token in 0..<tokens {
                let value = Double(x[token * width + feature])
                sum += value * value
            }
            guard sum.isFinite else {
                throw CambiumError(
                    .badInput, "feature \(feature) of the activations is not finite")
            }
            let scale = Float(target / (sum / Double(tokens)).squareRoot())
            scales.append(scale > 0 && scale.isFinite ? scale : 1)
        }
        try self.init(scales: scales)
    }

    /// Scales for what a root-mean-square norm with some weights gives: a feature's is `target` / |weight|.
    ///
    /// Before its weights, such a norm's output has a mean square of 1 over the features of each token; so
    /// features come out at about `target`, and no text is needed to tell: every branch of one trunk has
    /// one quantiser. A weight of 0, or one so small that its scale is not finite, gets the scale 1.
    package init(normWeights: [Float], target: Float = 128) throws {
        try self.init(
            scales: normWeights.map { weight in
                let scale = target / weight.magnitude
                return scale > 0 && scale.isFinite ? scale : 1
            })
    }

    /// The features of some activations.
    ///
    /// - Parameter x: [tokens, `width`].
    /// - Returns: [tokens, `width`].
    /// - Throws: ``CambiumError`` when an activation is NaN; infinities are limited.
    package func features(_ x: Span<Float>) throws -> [Int16] {
        precondition(x.count % width == 0, "\(x.count) activations by \(width)")
        var features = [Int16](repeating: 0, count: x.count)
        var feature = 0
        for index in 0..<x.count {
            let scaled = x[index] * scales[feature]
            guard !scaled.isNaN else {
                throw CambiumError(
                    .badInput,
                    "feature \(feature) of token \(index / width) is not a number; the model "
                        + "computes NaN on this text")
            }
            let limited = min(max(scaled, -Self.limit), Self.limit)
            features[index] = Int16(limited.rounded(.toNearestOrEven))
            feature += 1
            if feature == width { feature = 0 }
        }
        return features
    }
}
