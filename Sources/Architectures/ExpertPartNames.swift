/// What the parts of an expert are called whose meaning is known in models of any family.
///
/// Two spellings of one expert, separate and fused, have the same identity only where gate, up and down are known to
/// be rows in this order.
package enum ExpertPartNames {
    /// Gate, up and down.
    package static let triples = ExpertNames.triples.map { $0.map(stem) }
    /// Gate rows and then up rows in one, and down: of the transformers library, of Granite, of Megatron.
    package static let pairs = [
        ExpertNames.stacked, ["input_linear", "output_linear"], ["linear_fc1", "linear_fc2"],
    ]
    /// What holds the tensors that route, beside the experts.
    package static let routers: Set = [
        "gate", "router", "gating", "wg", "moe_gate", "moe_router", "gate_network", "routing",
    ]

    /// The name of a matrix without the word for it.
    package static func stem(_ part: String) -> String {
        part.hasSuffix(".weight") ? String(part.dropLast(".weight".count)) : part
    }
}
