import Testing

@testable import Models

@Suite("Tensors that are fetched ahead")
struct TensorsAheadTests {
    @Test(
        "are those of a layer, whatever a family's names begin with",
        arguments: [
            ("model.layers.3.mlp.gate.weight", 3),
            ("model.language_model.layers.12.norm.weight", 12),
            ("language_model.model.layers.0.self_attn.q_proj.weight", 0),
            ("model.embed_tokens.weight", nil), ("model.layers.x.weight", nil),
            ("model.layers.3", nil),
            ("model.visual.layers.3.weight", nil), ("cohorts.a.model.layers.3.weight", nil),
        ] as [(String, Int?)])
    func layers(_ name: String, _ layer: Int?) {
        #expect(TensorsAhead.layer(of: name) == layer)
    }
}
