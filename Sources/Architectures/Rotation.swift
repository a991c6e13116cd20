internal import Elements

/// How positions turn queries and keys, as a config.json says it.
package struct Rotation: Sendable, Hashable {
    /// At least 1.
    package let theta: Double
    package let yarn: Yarn?
    /// Elements of a head that turn, even.
    package let size: Int
    /// Pairs of them that turn in fact, the first ones, and what their frequencies are divided by; nil for all.
    package var proportion: (pairs: Int, divisor: Double)? {
        pairs.map { ($0, divisor) }
    }
    private let pairs: Int?
    private let divisor: Double

    /// YaRN (2309.00071): frequencies that turn rarely over the context that the model was trained on are
    /// divided by a factor, those that turn often are kept, and those between are blended.
    package struct Yarn: Sendable, Hashable {
        package let factor: Double
        /// Turns over the original context, of the pairs that are kept and more, and those of the pairs that are
        /// divided and fewer.
        package let fast, slow: Double
        /// Positions of the context that the model was trained on.
        package let original: Double
        /// Whether the pairs between which is blended are rounded to whole ones.
        package let truncates: Bool
        /// What cosines and sines are multiplied with, when the config says so.
        package let attentionFactor: Double?
        package let scale: Double?
        package let scaleOfAll: Double?
    }

    private static let thetas = 1.0...1e12

    init(theta: Double, yarn: Yarn?, size: Int) {
        self.theta = theta
        self.yarn = yarn
        self.size = size
        (pairs, divisor) = (nil, 1)
    }

    /// Reads the object of one kind of layers.
    ///
    /// - Parameter size: Of a head.
    /// - Throws: `.badConfig`, as ``init(_:size:turning:)``.
    init(ofKind own: ConfigFields, size: Int) throws {
        theta = try own.number("rope_theta", in: Self.thetas)
        yarn = nil
        self.size = size
        let kind = try own.text("rope_type", "type") ?? "default"
        let part = try own.number("partial_rotary_factor", in: 0...1, otherwise: 1)
        switch kind {
        case "default" where part == 1: (pairs, divisor) = (nil, 1)
        case "proportional":
            pairs = Int((part * Double(size) / 2).rounded(.down))
            divisor = try own.number("factor", in: 1...1e6, otherwise: 1)
        case "default":
            throw own.contradiction(
                "rope_type", kind, "partial_rotary_factor", part)
        default:
            throw CambiumError(
                .badConfig,
                "config rope_type of one kind of layers is \(kind.debugDescription); \"default\" and "
                    + "\"proportional\" are run")
        }
    }

    /// Reads `rope_parameters`, or `rope_theta` and `rope_scaling` as older versions wrote them.
    ///
    /// Of a config with both, version 5 of the library reads `rope_scaling`, and versions before it do not know
    /// the other: both must say the same.
    ///
    /// - Parameters:
    ///   - size: Of a head.
    ///   - turning: Elements that turn, the first ones, where no `partial_rotary_factor` says it; nil where all must.
    /// - Throws: `.badConfig` for a field out of range, for fields that contradict each other, and for a kind
    ///   that is not run.
    init(_ fields: ConfigFields, size: Int, turning: Int? = nil) throws {
        let older = try Self.object("rope_scaling", fields)
        let modern = try Self.object("rope_parameters", fields)
        guard let older else {
            try self.init(modern, fields, size, turning)
            return
        }
        try self.init(older, fields, size, turning)
        guard fields.states("rope_parameters"), let modern else { return }
        guard try self == Rotation(modern, fields, size, turning) else {
            throw CambiumError(
                .badConfig,
                "config has both rope_scaling and rope_parameters, which say different things; leave out the "
                    + "one that the model was not trained with")
        }
    }

    /// An object with members; the library takes an empty one for none.
    private static func object(
        _ name: String, _ fields: ConfigFields
    ) throws -> ConfigFields? {
        guard let found = try fields.object(name), !found.isEmpty else { return nil }
        if let inner = found.objects.first {
            throw CambiumError(
                .badConfig,
                "config \(name).\(inner) gives layers of one kind a rotation of their own; one rotation for "
                    + "all layers is run")
        }
        return found
    }

    private init(
        _ own: ConfigFields?, _ fields: ConfigFields, _ size: Int, _ turning: Int?
    ) throws {
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
        self.size = try Self.turning(own, fields, size, turning)
        (pairs, divisor) = (nil, 1)
        let kind = try own?.text("rope_type", "type") ?? "default"
        switch kind {
        case "default": yarn = nil
        case "yarn":
            guard let own else { preconditionFailure("a kind without its object") }
            yarn = try Self.yarn(own, fields)
        default:
            throw CambiumError(
                .badConfig,
                "config rope_type is \(kind.debugDescription); \"default\" and \"yarn\" are run")
        }
    }

    /// How many elements of a head turn.
    private static func turning(
        _ own: ConfigFields?, _ fields: ConfigFields, _ size: Int, _ usual: Int?
    ) throws -> Int {
        let name = "partial_rotary_factor"
        let outer = try fields.number(
            name, in: 0...1, otherwise: Double(usual ?? size) / Double(size))
        let factor = try own?.number(name, in: 0...1, otherwise: outer) ?? outer
        guard usual != nil else {
            for factor in [factor, outer] where factor != 1 {
                throw CambiumError(
                    .badConfig, "config \(name) is \(factor); whole heads are turned")
            }
            return size
        }
        if fields.states(name), factor != outer {
            throw fields.contradiction(name, outer, "that inside its object", factor)
        }
        let turning = Int(Double(size) * factor)
        guard turning >= 2, turning % 2 == 0 else {
            throw CambiumError(
                .badConfig,
                "config \(name) is \(factor), so that \(turning) of a head's \(size) elements turn; an even "
                    + "number of 2 or more is run")
        }
        return turning
    }

    private static func yarn(
        _ scaling: ConfigFields, _ fields: ConfigFields
    ) throws -> Yarn {
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
}
