import Testing

@testable import Cambium

/// The numbers of Q8_0 and Q4_0, computed plainly, and checkpoints that have them as floats.
enum PlainBlocks {
    /// Floats that went through blocks of 32 of a form and back.
    static func rounded(_ values: [Float], _ form: QuantizedForm) -> [Float] {
        stride(from: 0, to: values.count, by: 32).flatMap { start in
            let block = Array(values[start..<start + 32])
            let size = block.map(abs).max() ?? 0
            let farthest = block.first { abs($0) == size } ?? 0
            let scale = form == .q8 ? size / 127 : farthest / -8
            let factor: Float = scale == 0 ? 0 : 1 / scale
            let stored = Float(Float16(scale))
            return block.map { value in
                form == .q8
                    ? (value * factor).rounded() * stored
                    : (min((value * factor + 8.5).rounded(.towardZero), 15) - 8) * stored
            }
        }
    }

    /// What a tensor of a generated checkpoint is to a model.
    enum Part: Hashable { case expert, dense, router, embedding, other }

    static func part(_ name: String, _ shape: [Int]) -> Part {
        if name.hasSuffix("_bias") || shape.count < 2 || shape[0] == 1 { return .other }
        if name.contains(".experts.") { return .expert }
        if name.hasSuffix(".input_linear.weight") || name.hasSuffix(".output_linear.weight") {
            return .expert
        }
        if name.hasSuffix("embed_tokens.weight") { return .embedding }
        let routers = [
            ".gate.weight", ".router.weight", ".router.layer.weight", ".router.proj.weight",
        ]
        if routers.contains(where: name.hasSuffix) { return .router }
        return name.hasSuffix(".weight") && shape.count == 2 ? .dense : .other
    }

    /// Rounds weights of some parts.
    ///
    /// - Parameter isByColumns: Whether experts are inputs by outputs.
    /// - Returns: The names of the matrices with inputs that 32 does not divide.
    static func round(
        _ model: inout ModelVariant, _ forms: [Part: QuantizedForm], isByColumns: Bool
    ) throws -> [String] {
        var odd: [String] = []
        for name in model.names {
            let (shape, values) = try model.floats(name)
            let part = part(name, shape)
            guard let form = forms[part] else { continue }
            let columns = isByColumns && part == .expert ? shape[1] : shape[shape.count - 1]
            guard columns % 32 == 0 else {
                odd.append(name)
                continue
            }
            guard isByColumns, part == .expert else {
                try model.replace(name, rounded(values, form))
                continue
            }
            let (inputs, outputs) = (shape[1], shape[2])
            func place(_ index: Int) -> Int {
                let (expert, rest) = index.quotientAndRemainder(dividingBy: inputs * outputs)
                return expert * inputs * outputs + rest % inputs * outputs + rest / inputs
            }
            let across = rounded(values.indices.map { values[place($0)] }, form)
            var back = values
            for index in across.indices { back[place(index)] = across[index] }
            try model.replace(name, back)
        }
        return odd
    }
}
