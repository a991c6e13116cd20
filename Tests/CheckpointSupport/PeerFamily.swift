/// A small peer-lm base and two fine-tunes of it, each with its own choice of experts, some of them chosen by both.
enum PeerFamily {
    static let hidden = 32
    static let subKeys = 16
    static let layers = [1, 2]

    static var config: [String: Any] {
        [
            "architecture": "peer-lm", "vocab_size": 256, "hidden_size": hidden, "num_layers": 3,
            "num_heads": 2, "context_length": 64, "ffn_size": 48, "rms_norm_eps": 1e-5,
            "rope_theta": 10000, "peer_layers": layers,
            "peer": ["sub_keys": subKeys, "heads": 2, "top_k": 4, "key_size": 16],
        ]
    }

    static var base: [GeneratedTensor] {
        var tensors = [
            GeneratedTensor("lm_head.weight", [256, hidden], scale: 0.25),
            GeneratedTensor("model.embed_tokens.weight", [256, hidden], scale: 0.5),
            GeneratedTensor("model.norm.weight", [hidden], scale: 0.25, around: 1),
        ]
        for layer in 0..<3 {
            let name = "model.layers.\(layer)."
            func norm(_ part: String) {
                tensors.append(
                    GeneratedTensor("\(name)\(part).weight", [hidden], scale: 0.25, around: 1))
            }
            func matrix(_ part: String, _ shape: Int...) {
                tensors.append(GeneratedTensor(name + part, shape, scale: 0.25))
            }
            norm("input_layernorm")
            norm("post_attention_layernorm")
            for part in ["q", "k", "v", "o"] {
                matrix("self_attn.\(part)_proj.weight", hidden, hidden)
            }
            matrix("mlp.gate_proj.weight", 48, hidden)
            matrix("mlp.up_proj.weight", 48, hidden)
            matrix("mlp.down_proj.weight", hidden, 48)
            guard layers.contains(layer) else { continue }
            norm("peer_layernorm")
            matrix("peer.query.weight", 32, hidden)
            matrix("peer.sub_keys", 2, subKeys, 8)
            matrix("peer.down.weight", subKeys * subKeys, hidden)
            matrix("peer.up.weight", subKeys * subKeys, hidden)
        }
        return tensors
    }

    /// Of ``hashed``: 192 rows in front of the first layer, of which every fifth and the last are none.
    static var hashedConfig: [String: Any] {
        config.merging(["hash": ["layers": [0], "orders": [2, 3, 5], "table_size": 64]]) { $1 }
    }

    /// The base with hashed rows.
    static var hashed: [GeneratedTensor] {
        var rows = GeneratedTensor("model.layers.0.hash.rows", [192, hidden], scale: 0.5)
        for row in 0..<192 where row % 5 == 0 || row == 191 {
            for index in row * hidden..<(row + 1) * hidden { rows.values[index] = 0 }
        }
        return base + [rows]
    }

    /// The experts that a fine-tune trains in a layer; those below 40 of each layer are both branches'.
    static func selected(_ branch: String, layer: Int) -> [Int] {
        let start = branch == "swahili" ? 0 : 24
        return Array(start..<start + 40 + 8 * layer)
    }

    /// The base with other rows of the chosen experts, and other sub-keys.
    static func fineTune(_ branch: String) -> [GeneratedTensor] {
        base.map { tensor in
            var tensor = tensor
            guard
                let layer = layers.first(where: {
                    tensor.name.hasPrefix("model.layers.\($0).peer.")
                })
            else { return tensor }
            let other = GeneratedTensor("\(branch) \(tensor.name)", tensor.shape, scale: 0.125)
            if tensor.name.hasSuffix("sub_keys") {
                for index in tensor.values.indices { tensor.values[index] += other.values[index] }
            } else if !tensor.name.hasSuffix("query.weight") {
                for row in selected(branch, layer: layer) {
                    for index in row * hidden..<(row + 1) * hidden {
                        tensor.values[index] += other.values[index]
                    }
                }
            }
            return tensor
        }
    }
}
