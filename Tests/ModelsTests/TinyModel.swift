import Architectures
import Elements
import Models

/// A small random peer-lm model in memory, for tests on any machine, open to tampering.
struct TinyModel: WeightSource {
    static let json = """
        {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": 16, "num_layers": 3,
         "num_heads": 2, "context_length": 20, "ffn_size": 24, "rms_norm_eps": 1e-5,
         "rope_theta": 10000, "peer_layers": [0, 2],
         "peer": {"sub_keys": 5, "heads": 2, "top_k": 3, "key_size": 8}}
        """

    var tensors: [String: (shape: TensorShape, values: [Float])] = [:]
    /// Tensors of I8: dimensions and values.
    var integers: [String: (dimensions: [Int], values: [Int8])] = [:]
    var experts: [Int: (shape: TensorShape, values: [Float])] = [:]

    /// - Parameter type: How trunk and experts are stored: F32 or BF16.
    init(seed: UInt64 = 1, type: ElementType = .f32) {
        var generator = SplitMix64(seed: seed)
        func values(_ count: Int, _ scale: Float, around centre: Float = 0) -> [Float] {
            (0..<count).map { _ in
                let value = centre + scale * Float(2 * generator.nextUnit() - 1)
                return type == .f32 ? value : Float(bitPattern: value.bitPattern & 0xffff_0000)
            }
        }
        func add(_ name: String, _ dimensions: [Int], scale: Float, around centre: Float = 0) {
            tensors[name] = (
                TensorShape(type, dimensions),
                values(dimensions.reduce(1, *), scale, around: centre)
            )
        }
        add("model.embed_tokens.weight", [256, 16], scale: 1)
        for layer in 0..<3 {
            let name = "model.layers.\(layer)"
            for norm in ["input_layernorm", "post_attention_layernorm"] {
                add("\(name).\(norm).weight", [16], scale: 0.3, around: 1)
            }
            for projection in ["q_proj", "k_proj", "v_proj", "o_proj"] {
                add("\(name).self_attn.\(projection).weight", [16, 16], scale: 0.5)
            }
            add("\(name).mlp.gate_proj.weight", [24, 16], scale: 0.5)
            add("\(name).mlp.up_proj.weight", [24, 16], scale: 0.5)
            add("\(name).mlp.down_proj.weight", [16, 24], scale: 0.5)
        }
        for layer in [0, 2] {
            let name = "model.layers.\(layer)"
            add("\(name).peer_layernorm.weight", [16], scale: 0.3, around: 1)
            add("\(name).peer.query.weight", [16, 16], scale: 0.5)
            add("\(name).peer.sub_keys", [2, 5, 4], scale: 1)
            experts[layer] = (TensorShape(type, [2, 16]), values(25 * 32, 0.7))
        }
        add("model.norm.weight", [16], scale: 0.3, around: 1)
        add("lm_head.weight", [256, 16], scale: 0.8)
    }

    func tensor(_ name: String) throws -> Weights {
        if let tensor = integers[name] {
            let bytes = tensor.values.map { UInt8(bitPattern: $0) }
            return Weights(
                shape: TensorShape(.i8, tensor.dimensions), bytes: HeapBytes(bytes).mapped)
        }
        guard let tensor = tensors[name] else {
            throw CambiumError(.missingTensor, "tensor \(name) is missing")
        }
        let bytes = Self.encode(tensor.values, tensor.shape.type)
        return Weights(shape: tensor.shape, bytes: HeapBytes(bytes).mapped)
    }

    func experts(layer: Int) throws -> any ExpertTable {
        guard let table = experts[layer] else {
            throw CambiumError(.missingTensor, "layer \(layer) has no experts")
        }
        return MemoryExperts(Self.encode(table.values, table.shape.type), shape: table.shape)
    }

    static func config() throws -> PeerConfig {
        try PeerConfig(json: Array(json.utf8))
    }

    func model() throws -> LanguageModel {
        try LanguageModel(config: Self.config(), source: self)
    }

    private static func encode(_ values: [Float], _ type: ElementType) -> [UInt8] {
        values.flatMap { value in
            (type == .bf16 ? 2..<4 : 0..<4).map { byte in
                UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * byte))
            }
        }
    }
}

/// A repeatable text.
func noiseText(_ count: Int, seed: UInt64 = 9) -> [UInt8] {
    var generator = SplitMix64(seed: seed)
    return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
}
