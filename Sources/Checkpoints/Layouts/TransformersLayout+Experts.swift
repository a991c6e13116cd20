internal import Architectures
internal import Elements
internal import Objects

/// The experts of one layer, before they are given a router.
struct FoundExperts {
    let kind: ObjectKind
    let count: Int
    let tensors: [PoolTensor]
}

extension TransformersLayout.Layer {
    // MARK: Separate

    /// The experts of a layer that has a tensor for each of them.
    func separateExperts(expected: Int?, opaque: Bool) throws -> FoundExperts {
        let parts = separate.keys.sorted(by: Self.precedes)
        let count = try separateCount(parts, expected: expected)
        var shapes: [String: TensorShape] = [:]
        for part in parts { shapes[part] = try commonShape(of: part) }
        let triple = ExpertNames.triples.first { Set($0).isSuperset(of: parts) }
        guard !opaque, let triple else {
            var tensors: [PoolTensor] = []
            for part in parts { tensors.append(try separateTensor(part, shapes)) }
            return FoundExperts(kind: .tensors, count: count, tensors: tensors)
        }
        var tensors: [PoolTensor] = []
        for part in triple { tensors.append(try separateTensor(part, shapes)) }
        let dimensions = tensors.map(\.sliceDimensions)
        guard dimensions[0].count == 2, dimensions[1] == dimensions[0],
            dimensions[2] == dimensions[0].reversed()
        else {
            throw CambiumError(
                .badConfig,
                "the experts under \(block)experts have gate, up and down \(tensors[0].parts), "
                    + "\(tensors[1].parts), \(tensors[2].parts); [I, H], [I, H], [H, I] are expected"
            )
        }
        return FoundExperts(kind: .swiglu, count: count, tensors: tensors)
    }

    /// How many experts there are, when every part has 0, 1, … without a gap.
    private func separateCount(_ parts: [String], expected: Int?) throws -> Int {
        // Counted rather than allotted: one hostile name may hold a huge ordinal.
        var lengths: [Int] = []
        for part in parts {
            let ordinals = separate[part, default: []].map(\.expert).sorted()
            for (position, ordinal) in ordinals.enumerated() where ordinal != position {
                throw missing(part, position, "expert \(ordinal) has it")
            }
            lengths.append(ordinals.count)
        }
        let count = lengths.max() ?? 0
        for (part, length) in zip(parts, lengths) where length < count {
            throw missing(part, length, "there are \(count) experts by their other tensors")
        }
        if let expected, count < expected {
            throw missing(parts[0], count, "config.json says that there are \(expected) experts")
        }
        return count
    }

    private func missing(_ part: String, _ expert: Int, _ reason: String) -> CambiumError {
        CambiumError(
            .missingTensor, "tensor \(block)experts.\(expert).\(part) is missing, but \(reason)")
    }

    private func commonShape(of part: String) throws -> TensorShape? {
        let tensors = separate[part, default: []]
        for tensor in tensors where tensor.shape != tensors[0].shape {
            throw CambiumError(
                .badConfig,
                "tensor \(block)experts.\(tensor.expert).\(part) is \(tensor.shape), but that of "
                    + "expert \(tensors[0].expert) is \(tensors[0].shape); all experts of a layer "
                    + "have one shape and dtype")
        }
        return tensors.first?.shape
    }

    private func separateTensor(
        _ part: String, _ shapes: [String: TensorShape]
    ) throws -> PoolTensor {
        guard let shape = shapes[part] else {
            throw missing(part, 0, "gate, up and down are needed")
        }
        return try PoolTensor(
            template: "\(block)experts.\(PoolTensor.placeholder).\(part)", stacked: false,
            slice: shape)
    }

    // MARK: Stacked

    /// Gate and up in one, and down.
    private var pair: [String] {
        stackedPrefix.isEmpty ? ExpertNames.stackedBeside : ExpertNames.stacked
    }

    /// The experts of a layer that has them stacked along dimension 0.
    func stackedExperts(expected: Int?, opaque: Bool) throws -> FoundExperts {
        let names = stacked.keys.sorted(by: Self.precedes)
        let first = names.first.flatMap { stacked[$0] }
        guard let first, let count = expected ?? first.dimensions.first, count > 0 else {
            throw CambiumError(
                .missingTensor, "\(block) has a router but no experts under \(block)experts")
        }
        for name in names where stacked[name]?.dimensions.first != count {
            throw CambiumError(
                .badConfig,
                "tensor \(block)\(stackedPrefix)\(name) is \(stacked[name]?.description ?? "missing"), but "
                    + "dimension 0 is expected to be the number of experts, \(count)")
        }
        let needed = neededNames(names, opaque: opaque)
        for name in needed where stacked[name] == nil {
            throw CambiumError(
                .missingTensor,
                "tensor \(block)\(stackedPrefix)\(name) is missing; the layer has \(names) under "
                    + "\(block)experts")
        }
        if !opaque, Set(names) == Set(pair) { return try stackedSwiGLU(count) }
        var tensors: [PoolTensor] = []
        for name in names {
            guard let slice = slice(name) else { continue }
            let template = "\(block)\(stackedPrefix)\(name)"
            tensors.append(try PoolTensor(template: template, stacked: true, slice: slice))
        }
        return FoundExperts(kind: .tensors, count: count, tensors: tensors)
    }

    /// What a stacked layer must have, given what it has.
    private func neededNames(_ names: [String], opaque: Bool) -> [String] {
        let isQuantised = names.contains { $0.hasSuffix("_blocks") || $0.hasSuffix("_scales") }
        let endings = (isQuantised ? ["_blocks", "_scales"] : [""]) + (opaque ? ["_bias"] : [])
        return pair.flatMap { name in endings.map { name + $0 } }
    }

    private func stackedSwiGLU(_ count: Int) throws -> FoundExperts {
        guard let gateUp = slice(pair[0]), let down = slice(pair[1]),
            gateUp.dimensions.count == 2, down.dimensions.count == 2,
            gateUp.dimensions[0] % 2 == 0, gateUp.dimensions[0] / 2 == down.dimensions[1],
            gateUp.dimensions[1] == down.dimensions[0]
        else {
            throw CambiumError(
                .badConfig,
                "\(block)experts has \(pair[0]) \(stacked[pair[0]]?.description ?? "-") and "
                    + "\(pair[1]) \(stacked[pair[1]]?.description ?? "-"); [experts, 2I, H] and "
                    + "[experts, H, I] are expected")
        }
        let half = TensorShape(gateUp.type, [down.dimensions[1], gateUp.dimensions[1]])
        let prefix = block + stackedPrefix
        return FoundExperts(
            kind: .swiglu, count: count,
            tensors: [
                try PoolTensor(
                    template: prefix + pair[0], stacked: true, slice: gateUp,
                    parts: [half, half]),
                try PoolTensor(
                    template: prefix + pair[1], stacked: true, slice: down),
            ])
    }

    /// The dtype and the dimensions of one expert's slice.
    private func slice(_ name: String) -> TensorShape? {
        stacked[name].map { TensorShape($0.type, Array($0.dimensions.dropFirst())) }
    }

    // MARK: Order

    /// The order of an expert's tensors: gate and up before down, each by name.
    static func precedes(_ left: String, _ right: String) -> Bool {
        let (leftRank, rightRank) = (rank(left), rank(right))
        return leftRank == rightRank ? isBefore(left, right) : leftRank < rightRank
    }

    /// Gate and up in one, gate, up, and down, as the families name them.
    private static let stems =
        [ExpertNames.stacked[0], ExpertNames.stackedBeside[0]]
        + (0..<3).flatMap { part in
            ExpertNames.triples.map { String($0[part].prefix { $0 != "." }) }
        }

    private static func rank(_ part: String) -> Int {
        stems.firstIndex { part.hasPrefix($0) } ?? stems.count
    }
}
