import Foundation
import TestSupport

/// A peer-lm checkpoint of a few kilobytes, written by hand: 16 experts of width 8 in layer 0.
struct TinyCheckpoint {
    var tensors: [(name: String, shape: [Int], values: [Float])] = []
    var config: [String: Any] = [
        "architecture": "peer-lm", "vocab_size": 256, "hidden_size": 8, "num_layers": 1,
        "num_heads": 1, "context_length": 16, "ffn_size": 8, "rms_norm_eps": 1e-5,
        "rope_theta": 10000, "peer_layers": [0],
        "peer": ["sub_keys": 4, "heads": 1, "top_k": 2, "key_size": 8],
    ]

    init(seed: UInt64 = 1) {
        var generator = SeededGenerator(seed: seed)
        func add(_ name: String, _ shape: Int...) {
            let count = shape.reduce(1, *)
            tensors.append(
                (name, shape, (0..<count).map { _ in .random(in: -1...1, using: &generator) }))
        }
        add("model.embed_tokens.weight", 256, 8)
        let block = "model.layers.0."
        add(block + "input_layernorm.weight", 8)
        for name in ["q", "k", "v", "o"] { add("\(block)self_attn.\(name)_proj.weight", 8, 8) }
        add(block + "post_attention_layernorm.weight", 8)
        for name in ["gate", "up", "down"] { add("\(block)mlp.\(name)_proj.weight", 8, 8) }
        add(block + "peer_layernorm.weight", 8)
        add(block + "peer.query.weight", 8, 8)
        add(block + "peer.sub_keys", 2, 4, 4)
        add(block + "peer.down.weight", 16, 8)
        add(block + "peer.up.weight", 16, 8)
        add("model.norm.weight", 8)
        add("lm_head.weight", 256, 8)
    }

    /// Sets all values of one expert.
    mutating func setExpert(_ ordinal: Int, to value: Float) {
        for index in tensors.indices
        where tensors[index].name.hasSuffix("peer.down.weight")
            || tensors[index].name.hasSuffix("peer.up.weight")
        {
            for column in 0..<8 { tensors[index].values[ordinal * 8 + column] = value }
        }
    }

    /// The bytes of the safetensors file.
    var file: Data {
        var header: [String: Any] = [:]
        var data = Data()
        for tensor in tensors {
            let start = data.count
            for value in tensor.values {
                data.append(contentsOf: littleEndian(value.bitPattern))
            }
            header[tensor.name] = [
                "dtype": "F32", "shape": tensor.shape, "data_offsets": [start, data.count],
            ]
        }
        let json =
            (try? JSONSerialization.data(withJSONObject: header, options: .sortedKeys)) ?? Data()
        var result = Data()
        result.append(contentsOf: littleEndian(UInt64(json.count)))
        return result + json + data
    }

    /// Writes the folder and returns its path.
    func write(to path: String) throws -> String {
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        try file.write(to: URL(filePath: path + "/model.safetensors"))
        try JSONSerialization.data(withJSONObject: config, options: .sortedKeys)
            .write(to: URL(filePath: path + "/config.json"))
        return path
    }
}

func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
    (0..<(Number.bitWidth / 8)).map { UInt8(truncatingIfNeeded: number >> Number(8 * $0)) }
}
