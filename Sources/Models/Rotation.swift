internal import Tensors

/// How positions turn queries and keys, as a config.json says it.
struct Rotation: Equatable {
    private let theta: Double
    private let yarn: Yarn?

    /// YaRN (2309.00071): frequencies that turn rarely over the context that the model was trained on are
    /// divided by a factor, those that turn often are kept, and those between are blended.
    private struct Yarn: Equatable {
        let factor: Double
        let fast: Double
        let slow: Double
        let original: Double
        let truncates: Bool
        /// What cosines and sines are multiplied with, when the config says so.
        let attentionFactor: Double?
        let scale: Double?
        let scaleOfAll: Double?
    }

    private static let thetas = 1.0...1e12

    /// Reads `rope_parameters`, or `rope_theta` and `rope_scaling` as older versions wrote them.
    ///
    /// Of a config with both, version 5 of the library reads `rope_scaling`, and versions before it do not know
    /// the other: both must say the same.
    ///
    /// - Throws: `.badConfig` for a field out of range, for fields that contradict each other, and for a kind
    ///   that is not run.
    init(_ fields: ConfigFields) throws(ModelError) {
        let older = try Self.object("rope_scaling", fields)
        let modern = try Self.object("rope_parameters", fields)
        guard let older else {
            try self.init(modern, fields)
            return
        }
        try self.init(older, fields)
        guard fields.states("rope_parameters"), let modern else { return }
        guard try self == Rotation(modern, fields) else {
            throw ModelError(
                .badConfig,
                "config has both rope_scaling and rope_parameters, which say different things; leave out the "
                    + "one that the model was not trained with")
        }
    }

    /// An object with members; the library takes an empty one for none.
    private static func object(
        _ name: String, _ fields: ConfigFields
    ) throws(ModelError) -> ConfigFields? {
        guard let found = try fields.object(name), !found.isEmpty else { return nil }
        if let inner = found.objects.first {
            throw ModelError(
                .badConfig,
                "config \(name).\(inner) gives layers of one kind a rotation of their own; one rotation for "
                    + "all layers is run")
        }
        return found
    }

    private init(_ own: ConfigFields?, _ fields: ConfigFields) throws(ModelError) {
        if let own, own.has("rope_theta") {
            theta = try own.number("rope_theta", in: Self.thetas)
            if fields.states("rope_theta"), fields.has("rope_theta") {
                let outer = try fields.number("rope_theta", in: Self.thetas)
                guard outer == theta else {
                    throw fields.contradiction("rope_theta", outer, "that inside its object", theta)
                }
            }
        } else {
            theta = try fields.number("rope_theta", in: Self.thetas)
        }
        for place in [own, fields] {
            let partial = try place?.number("partial_rotary_factor", in: 0...1, otherwise: 1) ?? 1
            guard partial == 1 else {
                throw ModelError(
                    .badConfig,
                    "config partial_rotary_factor is \(partial); whole heads are turned")
            }
        }
        let kind = try own?.text("rope_type", "type") ?? "default"
        switch kind {
        case "default": yarn = nil
        case "yarn":
            guard let own else { preconditionFailure("a kind without its object") }
            yarn = try Self.yarn(own, fields)
        default:
            throw ModelError(
                .badConfig,
                "config rope_type is \(kind.debugDescription); \"default\" and \"yarn\" are run")
        }
    }

    private static func yarn(
        _ scaling: ConfigFields, _ fields: ConfigFields
    ) throws(ModelError) -> Yarn {
        let positions = 1.0...1e12
        let name = "original_max_position_embeddings"
        // Beside the object it counts, as Phi-3 has it; else inside, else the context is the original one.
        let outer = fields.has(name) ? try fields.number(name, in: positions) : nil
        let context = try fields.number("max_position_embeddings", in: positions)
        let original = try scaling.number(name, in: positions, otherwise: outer ?? context)
        if let outer, outer != original {
            throw fields.contradiction(name, outer, "that inside its object", original)
        }
        return Yarn(
            factor: try scaling.number("factor", in: 1...1e6),
            fast: try scaling.number("beta_fast", in: 1e-3...1e6, otherwise: 32),
            slow: try scaling.number("beta_slow", in: 1e-3...1e6, otherwise: 1),
            original: original, truncates: try scaling.flag("truncate", otherwise: true),
            attentionFactor: scaling.has("attention_factor")
                ? try scaling.number("attention_factor", in: 1e-3...1e3) : nil,
            scale: scaling.has("mscale") ? try scaling.number("mscale", in: 0...1e3) : nil,
            scaleOfAll: scaling.has("mscale_all_dim")
                ? try scaling.number("mscale_all_dim", in: 0...1e3) : nil)
    }

    /// What the scores of latent attention are multiplied with besides.
    var scoreScale: Double {
        guard let yarn, let all = yarn.scaleOfAll, all != 0 else { return 1 }
        let scale = magnitude(yarn.factor, all)
        return scale * scale
    }

    /// - Parameter size: Elements of a head that turn, even.
    func frequencies(size: Int) -> RotationFrequencies {
        let plain = RotationFrequencies(theta: theta, size: size)
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
