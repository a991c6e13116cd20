import Foundation

/// A peer-lm model of one PEER layer with 16 experts, small enough to be made by a test.
struct TinyCheckpoint {
    /// For experts that differ from the base: what to add to their numbers.
    var edits: [Int: Float] = [:]
    /// Replaces numbers of one expert, for example by NaN.
    var values: [Int: Float] = [:]

    /// The tensors' names and shapes, for hidden size 8, two attention heads and 4 × 4 sub-keys.
    private static let shapes: [(String, [Int])] = [
        ("lm_head.weight", [256, 8]),
        ("model.embed_tokens.weight", [256, 8]),
        ("model.layers.0.input_layernorm.weight", [8]),
        ("model.layers.0.mlp.down_proj.weight", [8, 16]),
        ("model.layers.0.mlp.gate_proj.weight", [16, 8]),
        ("model.layers.0.mlp.up_proj.weight", [16, 8]),
        ("model.layers.0.peer.down.weight", [16, 8]),
        ("model.layers.0.peer.query.weight", [8, 8]),
        ("model.layers.0.peer.sub_keys", [2, 4, 4]),
        ("model.layers.0.peer.up.weight", [16, 8]),
        ("model.layers.0.peer_layernorm.weight", [8]),
        ("model.layers.0.post_attention_layernorm.weight", [8]),
        ("model.layers.0.self_attn.k_proj.weight", [8, 8]),
        ("model.layers.0.self_attn.o_proj.weight", [8, 8]),
        ("model.layers.0.self_attn.q_proj.weight", [8, 8]),
        ("model.layers.0.self_attn.v_proj.weight", [8, 8]),
        ("model.norm.weight", [8]),
    ]

    private static let config = """
        {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 8, "num_layers": 1, \
        "num_heads": 2, "context_length": 16, "ffn_size": 16, "rms_norm_eps": 1e-05, \
        "rope_theta": 10000, "peer_layers": [0], "peer": {"sub_keys": 4, "heads": 1, "top_k": 2, \
        "key_size": 8}}
        """

    /// Writes model.safetensors and config.json into a new folder.
    func write(to folder: String) throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        try safetensors.write(to: URL(fileURLWithPath: "\(folder)/model.safetensors"))
        try Data(Self.config.utf8).write(to: URL(fileURLWithPath: "\(folder)/config.json"))
    }

    /// A header of JSON behind its length, then the numbers of all tensors.
    private var safetensors: Data {
        var entries: [String] = []
        var data = Data()
        for (number, (name, shape)) in Self.shapes.enumerated() {
            let start = data.count
            for value in numbers(name, shape, seed: UInt64(number + 1)) {
                for byte in 0..<4 {
                    data.append(UInt8(truncatingIfNeeded: value.bitPattern >> (8 * byte)))
                }
            }
            let dimensions = shape.map(String.init).joined(separator: ",")
            entries.append(
                "\"\(name)\":{\"dtype\":\"F32\",\"shape\":[\(dimensions)],"
                    + "\"data_offsets\":[\(start),\(data.count)]}")
        }
        var header = "{\(entries.joined(separator: ","))}"
        while header.utf8.count % 8 != 0 { header += " " }
        let length = UInt64(header.utf8.count)
        let prefix = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        return Data(prefix) + Data(header.utf8) + data
    }

    /// Repeatable numbers in -0.5 ..< 0.5; norms are 1.
    private func numbers(_ name: String, _ shape: [Int], seed: UInt64) -> [Float] {
        let count = shape.reduce(1, *)
        if name.hasSuffix("norm.weight") { return Array(repeating: 1, count: count) }
        var state = seed &* 0x9E37_79B9_7F4A_7C15
        return (0..<count).map { index in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = Float(state >> 40) / Float(1 << 24) - 0.5
            guard name.hasSuffix("down.weight") || name.hasSuffix("up.weight") else { return value }
            return values[index / 8] ?? value + (edits[index / 8] ?? 0)
        }
    }
}
