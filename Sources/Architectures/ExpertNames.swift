/// How a family names the experts of a layer and what routes to them, behind `model.layers.N.`.
///
/// *Separate*: `BLOCK.experts.E.PART`, one for each expert and part. *Stacked* ("fused"):
/// `BLOCK.experts.gate_up_proj` [E, 2I, H], gate rows first, and `BLOCK.experts.down_proj` [E, H, I].
package struct ExpertNames: Sendable, Hashable {
    /// The block of experts that have tensors of their own.
    package let block: String
    /// The block of stacked experts.
    package let stackedBlock: String
    /// Of a separate expert: gate, up, down.
    package let parts: [String]
    /// The tensors that route, the weight first, behind the block.
    package let router: [String]
    /// Whether the tensors are stacked by columns, gate and up by turns, and so kept as they are.
    package let isOpaque: Bool
    /// A tensor of an expert, for messages.
    package let example: String

    /// Gate, up and down of a dense feed-forward, and of most families' experts.
    package static let gated = ["gate_proj.weight", "up_proj.weight", "down_proj.weight"]
    /// Gate and up, and down, of stacked experts.
    package static let stacked = ["gate_up_proj", "down_proj"]
    /// The same where they are no part of `experts` but beside the router (Granite).
    package static let stackedBeside = ["input_linear.weight", "output_linear.weight"]
    /// What stands between a block and its experts.
    package static let experts = "experts."

    /// - Parameters:
    ///   - example: Of a tensor behind `experts.`.
    ///   - exampleLayer: Whose.
    init(
        block: String = "mlp", stackedBlock: String? = nil,
        parts: [String] = ExpertNames.gated,
        router: [String] = ["gate.weight"], isOpaque: Bool = false,
        example: String = "0.gate_proj.weight", exampleLayer: Int = 1
    ) {
        self.block = block
        self.stackedBlock = stackedBlock ?? block
        self.parts = parts
        self.router = router
        self.isOpaque = isOpaque
        let inner = Self.stackedBeside.contains(example) ? "" : Self.experts
        self.example = "model.layers.\(exampleLayer).\(Self.prefix(block))\(inner)\(example)"
    }

    private init(block: String, parts: [String], example: String) {
        self.block = block
        stackedBlock = block
        self.parts = parts
        router = []
        isOpaque = false
        self.example = example
    }

    /// Experts of single neurons, two stacked tables of rows.
    static let neurons = ExpertNames(
        block: "peer", parts: ["down.weight", "up.weight"],
        example: "model.layers.1." + PeerNames.down)
}

extension ExpertNames {
    /// The blocks of all families that have gated experts, each with its dot.
    ///
    /// Last the one without a name, where experts stand in the layer itself.
    package static let blocks: [String] = {
        let all = Architecture.united { family in
            family.names.isGated
                ? [family.names.block, family.names.stackedBlock].map(prefix) : []
        }
        return all.filter { !$0.isEmpty } + all.filter(\.isEmpty)
    }()

    private static func prefix(_ block: String) -> String { block.isEmpty ? "" : block + "." }

    /// Gate, up and down of all families.
    package static let triples: [[String]] = Architecture.all.map(\.names).filter(\.isGated)
        .map(\.parts).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }

    /// The tensors that route in any family, behind the block, in the order in which a pool lists them.
    package static let routers =
        ["gate.weight", "gate.bias"] + corrections
        + Architecture.united(\.names.router).filter {
            !$0.hasPrefix("gate.") && !corrections.contains($0)
        } + scales

    /// Of a router that is codes (``BlockForm/q8``), behind the block.
    private static let scales = routerWeights.map { $0 + "_scale" }

    /// Of those the weights, with one row for each expert.
    package static let routerWeights = Architecture.united { Array($0.names.router.prefix(1)) }

    /// The weights of all families' routers, behind the layer.
    package static let routersInLayer = blocks.flatMap { block in
        routerWeights.map { block + $0 }
    }

    /// What steers picks, behind the block, as files and the newest versions of the library spell it.
    package static let corrections = [
        "gate.e_score_correction_bias", "e_score_correction_bias",
        "moe_statics.e_score_correction_bias", "gate.moe_statics.e_score_correction_bias",
    ]

    /// Whether experts have a gate and stand below a linear router.
    private var isGated: Bool { !router.isEmpty }
}

extension Architecture {
    /// What the names of a language model's tensors begin with, alone or inside a larger model, as the newest versions of
    /// the library and those before spell it.
    package static let prefixes = ["model.", "model.language_model.", "language_model.model."]
}
