internal import Architectures
internal import Elements
internal import Tensors

/// A base's weights with the deltas of one adapter added: what the model runs on while the adapter is active.
///
/// Each weight is base + delta in 32-bit floats, one rounding; a low-rank delta is b a, summed in ascending
/// rank by fused products from 0, as in training. Sums take memory of their own, 4 bytes a weight; tensors
/// that the adapter does not change stay where they are.
package struct AdapterWeights<Base: WeightSource>: WeightSource {
    private let base: Base
    private let name: String
    private let description: AdapterDescription

    package init(_ base: Base, adapter name: String, _ description: AdapterDescription) {
        self.base = base
        self.name = name
        self.description = description
    }

    package var releasesMap: Bool { base.releasesMap }

    /// What the adapter changes, by the base's names: whatever of it nobody reads is no delta of this model.
    package var inventory: WeightInventory? {
        guard let all = base.inventory else { return nil }
        let prefix = AdapterTensorName.prefix(of: name)
        // Names of adapters may have dots.
        let longer = all.tensors.compactMap { AdapterTensorName.adapter(describedBy: $0) }
            .filter { $0.hasPrefix(name + ".") }.map { AdapterTensorName.prefix(of: $0) }
        let own = all.tensors.filter { tensor in
            tensor.hasPrefix(prefix) && tensor != AdapterTensorName.description(of: name)
                && !longer.contains { tensor.hasPrefix($0) }
        }.map { tensor in
            let plain = String(tensor.dropFirst(prefix.count))
            let isFactor =
                description.kind == .lora && (plain.hasSuffix(".a") || plain.hasSuffix(".b"))
            return isFactor ? String(plain.dropLast(2)) : plain
        }
        return WeightInventory(tensors: Set(own), pools: [])
    }

    package func experts(layer: Int) throws -> any ExpertTable {
        if description.replacedLayers.contains(layer) {
            return try base.experts(layer: layer, of: name)
        }
        return description.experts == nil
            ? try base.experts(layer: layer) : try base.experts(layer: layer, of: name)
    }

    package func rows(layer: Int) throws -> [any ExpertTable] {
        if description.replacedLayers.contains(layer) {
            return [try base.experts(layer: layer, of: name)]
        }
        let own = description.rows.contains(layer)
        return try base.rows(layer: layer)
            + (own ? [base.experts(layer: layer, of: name)] : [])
    }

    package func tensor(_ tensor: String) throws -> Weights {
        let own = AdapterTensorName.prefix(of: name) + tensor
        // The router of the adapter's own experts is its own too, no delta.
        if description.experts != nil, AdapterExperts.isRouter(tensor) {
            return try base.tensor(own)
        }
        if description.kind == .alternative {
            return try find(own) ?? base.tensor(tensor)
        }
        let whole = try base.tensor(tensor)
        switch description.kind {
        case .alternative: return whole
        case .dense, .small:
            guard let found = try find(own) else { return whole }
            guard found.shape.dimensions == whole.shape.dimensions else {
                throw CambiumError(
                    .badTensor,
                    "tensor \(own) is \(found.shape); the base's is \(whole.shape)")
            }
            return try sum(tensor, whole, try floats(own, found))
        case .lora:
            let (a, b) = (try find(own + ".a"), try find(own + ".b"))
            if a == nil, b == nil { return whole }
            guard let a, let b else {
                throw CambiumError(
                    .missingTensor,
                    "\(own) has one of its two factors, .a and .b; both are needed")
            }
            let rank = a.shape.dimensions.first ?? 0
            guard whole.shape.dimensions.count == 2, rank > 0,
                a.shape.dimensions == [rank, whole.shape.dimensions[1]],
                b.shape.dimensions == [whole.shape.dimensions[0], rank]
            else {
                throw CambiumError(
                    .badTensor,
                    "the factors of \(own) are \(a.shape) and \(b.shape); the base's tensor is "
                        + "\(whole.shape)")
            }
            let delta = product(
                try floats(own + ".b", b), try floats(own + ".a", a), rank: rank,
                columns: whole.shape.dimensions[1])
            return try sum(tensor, whole, delta)
        }
    }

    /// A tensor of the adapter; nil when it has none of the name.
    private func find(_ name: String) throws -> Weights? {
        do {
            return try base.tensor(name)
        } catch let error as CambiumError {
            guard error.code == .missingTensor else { throw error }
            return nil
        }
    }

    private func floats(_ name: String, _ weights: Weights) throws -> [Float] {
        guard [.f32, .f16, .bf16].contains(weights.shape.type),
            weights.bytes.count == weights.shape.byteCount
        else {
            throw CambiumError(
                .badTensor, "tensor \(name) is \(weights.shape); give F32, F16 or BF16")
        }
        var values = FloatBuffer(count: weights.shape.dimensions.reduce(1, *))
        var span = values.mutableSpan(0..<values.count)
        convertToFloat(weights.bytes.bytes, type: weights.shape.type, into: &span)
        return values.array(0..<values.count)
    }

    /// b a: b is [rows, rank], a [rank, columns].
    private func product(_ b: [Float], _ a: [Float], rank: Int, columns: Int) -> [Float] {
        var result: [Float] = []
        result.reserveCapacity(b.count / rank * columns)
        for row in 0..<b.count / rank {
            var sum = [Float](repeating: 0, count: columns)
            for index in 0..<rank {
                var target = sum.mutableSpan
                Kernels.axpy(
                    b[row * rank + index],
                    a.span.extracting(index * columns..<(index + 1) * columns), into: &target)
            }
            result += sum
        }
        return result
    }

    private func sum(
        _ name: String, _ whole: Weights, _ delta: [Float]
    ) throws -> Weights {
        let values = try floats(name, whole)
        let bytes = MappedBytes(count: 4 * values.count) { bytes in
            for index in values.indices {
                bytes.storeBytes(
                    of: (values[index] + delta[index]).bitPattern.littleEndian,
                    toByteOffset: 4 * index, as: UInt32.self)
            }
        }
        return Weights(
            shape: TensorShape(.f32, whole.shape.dimensions), bytes: bytes)
    }
}
