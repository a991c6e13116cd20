import Foundation

/// The ways in which generated checkpoints keep weights as codes and scales, each as published models do, with the
/// numbers of the float forms rounded to codes.
///
/// What belongs to no form is BF16. `tools/golden/coded.py` reads them with code of its own.
package enum CodedCheckpoint: String, CaseIterable, Sendable {
    /// Blocks of E4M3 with scales of F32, as DeepSeek-V3.
    case fp8Blocks = "fp8-blocks"
    /// The same with scales of BF16, as Qwen3-MoE.
    case fp8Qwen = "fp8-qwen"
    /// A scale for each matrix (compressed-tensors).
    case fp8Tensor = "fp8-tensor"
    /// A scale for each row (compressed-tensors).
    case fp8Channel = "fp8-channel"
    /// gpt-oss's stacked experts.
    case mxfp4
    /// Groups of 32 columns (compressed-tensors).
    case int4
    /// Groups of 16 columns, of experts alone, which patterns tell, as Kimi-K2.
    case int4Experts = "int4-experts"
    /// With zero points, outputs of an input in a word.
    case awq
    /// With zero points, inputs of an output in a word.
    case gptq

    package var family: TransformersFamily {
        switch self {
        case .fp8Blocks: .deepseekV3
        case .fp8Qwen, .fp8Channel, .gptq: .qwen3MoE
        case .fp8Tensor, .int4Experts: .olmoe
        case .mxfp4: .gptOSS
        case .int4, .awq: .mixtral
        }
    }

    /// Elements of a row that share a scale; of blocks rows too.
    var group: Int { self == .int4Experts || self == .gptq ? 16 : 32 }

    /// Behind a matrix's name.
    private var suffixes: (codes: String, scales: String) {
        switch self {
        case .fp8Blocks, .fp8Qwen: ("weight", "weight_scale_inv")
        case .fp8Tensor, .fp8Channel: ("weight", "weight_scale")
        case .mxfp4: ("blocks", "scales")
        case .int4, .int4Experts: ("weight_packed", "weight_scale")
        case .awq, .gptq: ("qweight", "scales")
        }
    }

    // MARK: config.json

    var config: [String: Any] {
        var fields = family.config(bf16: true)
        // Whole blocks of 32.
        if self == .mxfp4 { fields["intermediate_size"] = 64 }
        fields["quantization_config"] = quantisation
        return fields
    }

    private var quantisation: [String: Any] {
        let heads = ["lm_head"]
        switch self {
        case .fp8Blocks, .fp8Qwen:
            return [
                "quant_method": "fp8", "activation_scheme": "dynamic", "fmt": "e4m3",
                "weight_block_size": [group, group],
                "modules_to_not_convert": self == .fp8Qwen
                    ? heads + (0..<3).map { "model.layers.\($0).mlp.gate" } : [String](),
            ]
        case .mxfp4:
            return [
                "quant_method": "mxfp4",
                "modules_to_not_convert": [
                    "model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens",
                    "lm_head",
                ],
            ]
        case .awq:
            return [
                "quant_method": "awq", "bits": 4, "group_size": group, "version": "gemm",
                "zero_point": true, "modules_to_not_convert": ["gate"],
            ]
        case .gptq:
            return [
                "quant_method": "gptq", "bits": 4, "group_size": group, "desc_act": false,
                "sym": false, "checkpoint_format": "gptq",
            ]
        case .fp8Tensor, .fp8Channel:
            return compressed(
                [
                    "num_bits": 8, "type": "float", "symmetric": true, "dynamic": false,
                    "strategy": self == .fp8Tensor ? "tensor" : "channel", "group_size": NSNull(),
                    "actorder": NSNull(),
                ],
                inputs: [
                    "num_bits": 8, "type": "float", "symmetric": true, "dynamic": true,
                    "strategy": "token",
                ], format: "float-quantized", ignore: heads + ["re:.*mlp.gate$"])
        case .int4, .int4Experts:
            return compressed(
                [
                    "num_bits": 4, "type": "int", "symmetric": true, "dynamic": false,
                    "strategy": "group", "group_size": group, "actorder": NSNull(),
                ], inputs: NSNull(), format: "pack-quantized",
                ignore: heads + (self == .int4 ? ["re:.*gate$"] : ["re:.*self_attn.*"]))
        }
    }

    private func compressed(
        _ weights: [String: Any], inputs: Any, format: String, ignore: [String]
    ) -> [String: Any] {
        [
            "quant_method": "compressed-tensors", "format": format, "ignore": ignore,
            "quantization_status": "compressed", "kv_cache_scheme": NSNull(),
            "config_groups": [
                "group_0": [
                    "targets": ["Linear"], "weights": weights, "input_activations": inputs,
                    "output_activations": NSNull(),
                ] as [String: Any]
            ],
        ]
    }

    // MARK: Tensors

    var tensors: [CheckpointFile.Entry] {
        family.tensors(fused: false).flatMap { tensor in
            if self == .mxfp4, tensor.name.contains(".experts.") { return experts(tensor) }
            guard isCoded(tensor) else { return [CheckpointFile.Entry(tensor, bf16: true)] }
            let module = tensor.name.dropLast(".weight".count)
            if self == .awq || self == .gptq { return byColumns(tensor, String(module)) }
            return coded(tensor.values, tensor.shape[0], tensor.shape[1]).entries(
                "\(module).\(suffixes.codes)", "\(module).\(suffixes.scales)")
                + (codes == .int4
                    ? [
                        CheckpointFile.Entry(
                            "\(module).weight_shape", "I64", [2],
                            CheckpointFile.bytes(tensor.shape.map { Int64($0) }))
                    ] : [])
        }
    }

    private func isCoded(_ tensor: GeneratedTensor) -> Bool {
        guard self != .mxfp4, tensor.shape.count == 2, tensor.name.hasPrefix("model.layers."),
            !tensor.name.hasSuffix("mlp.gate.weight"), !tensor.name.hasSuffix("moe.gate.weight")
        else { return false }
        return self != .int4Experts || tensor.name.contains(".experts.")
    }

    /// gpt-oss's experts, of which those that are floats are by columns, and one width of which here is another.
    private func experts(_ tensor: GeneratedTensor) -> [CheckpointFile.Entry] {
        let (experts, hidden, inner) = (family.experts, TransformersFamily.hidden, 64)
        let rows = tensor.name.contains("gate_up") ? 2 * inner : hidden
        if tensor.name.hasSuffix("_bias") {
            let bias = GeneratedTensor(tensor.name, [experts, rows], scale: 0.25)
            return [CheckpointFile.Entry(bias, bf16: true)]
        }
        let columns = tensor.name.contains("gate_up") ? hidden : inner
        let values = GeneratedTensor(tensor.name, [experts * rows, columns], scale: 0.25).values
        let all = coded(values, experts * rows, columns)
        return [
            CheckpointFile.Entry(
                tensor.name + "_blocks", "U8", [experts, rows, columns / 32, 16], all.codes),
            CheckpointFile.Entry(
                tensor.name + "_scales", "U8", [experts, rows, columns / 32], all.scales),
        ]
    }

    // MARK: Codes

    private enum Codes { case e4m3, e2m1, int4 }

    private var codes: Codes {
        switch self {
        case .fp8Blocks, .fp8Qwen, .fp8Tensor, .fp8Channel: .e4m3
        case .mxfp4: .e2m1
        case .int4, .int4Experts, .awq, .gptq: .int4
        }
    }

    private struct Coded {
        let type: String, shape: [Int], codes: Data
        let scaleType: String, scaleShape: [Int], scales: Data

        func entries(_ codesName: String, _ scalesName: String) -> [CheckpointFile.Entry] {
            [
                CheckpointFile.Entry(codesName, type, shape, codes),
                CheckpointFile.Entry(scalesName, scaleType, scaleShape, scales),
            ]
        }
    }

    private func coded(_ values: [Float], _ rows: Int, _ columns: Int) -> Coded {
        let blockRows =
            switch self {
            case .fp8Blocks, .fp8Qwen: group
            case .fp8Tensor: rows
            default: 1
            }
        let blockColumns = self == .fp8Tensor || self == .fp8Channel ? columns : group
        let (down, across) = (
            (rows + blockRows - 1) / blockRows, (columns + blockColumns - 1) / blockColumns
        )
        var largest = [Float](repeating: 0, count: down * across)
        for index in values.indices {
            let place = index / columns / blockRows * across + index % columns / blockColumns
            largest[place] = max(largest[place], abs(values[index]))
        }
        let scales = largest.map(scale)
        let numbers = values.indices.map { index in
            let place = index / columns / blockRows * across + index % columns / blockColumns
            return code(values[index] / scales[place])
        }
        let nibbles = {
            Data(
                stride(from: 0, to: numbers.count, by: 2).map { numbers[$0] | numbers[$0 + 1] << 4 }
            )
        }
        let half = scales.map(GeneratedTensor.bf16)
        switch codes {
        case .e2m1:
            return Coded(
                type: "U8", shape: [], codes: nibbles(), scaleType: "U8", scaleShape: [],
                scales: Data(scales.map { UInt8($0.bitPattern >> 23) }))
        case .int4:
            return Coded(
                type: "I32", shape: [rows, columns / 8], codes: nibbles(), scaleType: "BF16",
                scaleShape: [down, across], scales: CheckpointFile.bytes(half))
        case .e4m3:
            let isNarrow = self == .fp8Qwen || self == .fp8Channel
            return Coded(
                type: "F8_E4M3", shape: [rows, columns], codes: Data(numbers),
                scaleType: isNarrow ? "BF16" : "F32",
                scaleShape: self == .fp8Tensor ? [1] : [down, across],
                scales: isNarrow
                    ? CheckpointFile.bytes(half)
                    : CheckpointFile.bytes(scales.map(\.bitPattern)))
        }
    }

    /// What the largest number of a block is divided by, as it is stored.
    private func scale(_ largest: Float) -> Float {
        switch codes {
        // A power of 2, so that the largest code is the one of its power.
        case .e2m1: Float(sign: .plus, exponent: largest.exponent - 2, significand: 1)
        case .int4: Float(bitPattern: UInt32(GeneratedTensor.bf16(largest / 7)) << 16)
        case .e4m3:
            self == .fp8Blocks || self == .fp8Tensor
                ? largest / 448
                : Float(bitPattern: UInt32(GeneratedTensor.bf16(largest / 440)) << 16)
        }
    }

    private func code(_ value: Float) -> UInt8 {
        switch codes {
        case .int4: UInt8(max(-8, min(7, value.rounded(.toNearestOrEven))) + 8)
        case .e2m1:
            Self.nearest(abs(value), [0, 0.5, 1, 1.5, 2, 3, 4, 6]) | (value < 0 ? 8 : 0)
        case .e4m3: Self.nearest(abs(value), Self.sizes) | (value < 0 ? 0x80 : 0)
        }
    }

    /// The numbers of E4M3 from 0 to 448, in the order of their codes.
    private static let sizes: [Float] = (0..<127).map { code in
        let (exponent, fraction) = (code / 8, Float(code % 8))
        return exponent == 0
            ? fraction / 512
            : Float(sign: .plus, exponent: exponent - 7, significand: 1 + fraction / 8)
    }

    private static func nearest(_ value: Float, _ sizes: [Float]) -> UInt8 {
        var (low, high) = (0, sizes.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if sizes[middle] < value { low = middle + 1 } else { high = middle }
        }
        if low > 0, value - sizes[low - 1] < sizes[low] - value { low -= 1 }
        return UInt8(low)
    }
}
