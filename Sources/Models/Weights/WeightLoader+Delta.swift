internal import Architectures
internal import Tensors

/// The gated delta rule of a layer.
extension WeightLoader {
    mutating func delta(
        _ sizes: ModelDescription.DeltaAttention, _ name: String
    ) throws -> LanguageModel.Delta {
        let hidden = description.hiddenSize
        let shape = DeltaShape(
            keyHeads: sizes.keyHeads, valueHeads: sizes.valueHeads, keySize: sizes.keySize,
            valueSize: sizes.valueSize)
        let (heads, columns) = (sizes.valueHeads, 2 * shape.keyWidth + shape.valueWidth)
        let inputs: LanguageModel.Delta.Inputs =
            try sizes.isSplit
            ? .split(
                all: matrix("\(name).in_proj_qkv.weight", columns, hidden),
                gate: matrix("\(name).in_proj_z.weight", shape.valueWidth, hidden),
                rate: matrix("\(name).in_proj_b.weight", heads, hidden),
                decay: matrix("\(name).in_proj_a.weight", heads, hidden))
            : .byKeyHeads(
                all: matrix("\(name).in_proj_qkvz.weight", columns + shape.valueWidth, hidden),
                pairs: matrix("\(name).in_proj_ba.weight", 2 * heads, hidden))
        // [columns, 1, taps] in the file; by taps where it is run.
        let stored = try reader.values("\(name).conv1d.weight", [columns, 1, sizes.taps])
        let convolution = (0..<sizes.taps * columns).map {
            stored[$0 % columns * sizes.taps + $0 / columns]
        }
        // A norm by the sum of squares is one by their mean, divided; queries are divided once more.
        let part = 1 / Float(sizes.keySize).squareRoot()
        return LanguageModel.Delta(
            shape: shape, taps: sizes.taps, inputs: inputs, convolution: convolution,
            stepBias: try reader.vector("\(name).dt_bias", heads),
            rates: try reader.vector("\(name).A_log", heads).map { Kernels.exp(Double($0)) },
            queryScale: [Float](repeating: part * part, count: sizes.keySize),
            keyScale: [Float](repeating: part, count: sizes.keySize),
            norm: try reader.vector("\(name).norm.weight", sizes.valueSize),
            output: try matrix("\(name).out_proj.weight", hidden, shape.valueWidth))
    }
}
