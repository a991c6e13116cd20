import Checkpoints
import Elements
import Testing

typealias Shapes = [String: [Int]]

/// The layout of F32 tensors.
func layout(_ config: String?, _ shapes: Shapes) throws -> CheckpointLayout {
    try CheckpointLayout(
        config: config.map { Array($0.utf8) },
        tensors: shapes.sorted { $0.key < $1.key }.map {
            TensorEntry($0.key, TensorShape(.f32, $0.value))
        })
}

/// The code and the message with which F32 tensors are refused.
func refusal(_ config: String?, _ shapes: Shapes) throws -> (CambiumError.Code, String) {
    let error = #expect(throws: CambiumError.self) { try layout(config, shapes) }
    let found = try #require(error)
    return (found.code, found.message)
}

/// Why F32 tensors are not recognised as their config's architecture would have them.
func misfit(_ config: String, _ shapes: Shapes) throws -> String {
    let layout = try layout(config, shapes)
    #expect(!layout.recognised)
    return try #require(layout.note)
}

/// Tensors of one layer with small experts, by architecture.
enum SmallLayer {
    static let olmoe = #"{"model_type":"olmoe","num_experts":2}"#
    static let peerConfig = #"{"architecture":"peer-lm","peer_layers":[1],"peer":{"sub_keys":3}}"#
    static let mlp = "model.layers.0.mlp"

    /// A layer of separate experts with I = 3, H = 4, its router and a norm.
    static func separate(_ experts: Int = 2, layer: Int = 0) -> Shapes {
        let mlp = "model.layers.\(layer).mlp"
        var shapes = ["\(mlp).gate.weight": [experts, 4], "model.norm.weight": [4]]
        for expert in 0..<experts {
            shapes["\(mlp).experts.\(expert).gate_proj.weight"] = [3, 4]
            shapes["\(mlp).experts.\(expert).up_proj.weight"] = [3, 4]
            shapes["\(mlp).experts.\(expert).down_proj.weight"] = [4, 3]
        }
        return shapes
    }

    /// The same layer with its experts stacked.
    static func stacked(_ experts: Int = 2, layer: Int = 0) -> Shapes {
        let mlp = "model.layers.\(layer).mlp"
        return [
            "\(mlp).gate.weight": [experts, 4], "\(mlp).experts.gate_up_proj": [experts, 6, 4],
            "\(mlp).experts.down_proj": [experts, 4, 3],
        ]
    }

    /// A PEER layer whose two sub-key sets have `subKeys` rows.
    static func peer(
        _ experts: Int = 9, subKeys: Int = 3, hidden: Int = 4, layer: Int = 1
    ) -> Shapes {
        let peer = "model.layers.\(layer).peer"
        return [
            "\(peer).down.weight": [experts, hidden], "\(peer).up.weight": [experts, hidden],
            "\(peer).query.weight": [8, hidden], "\(peer).sub_keys": [2, subKeys, 2],
        ]
    }
}
