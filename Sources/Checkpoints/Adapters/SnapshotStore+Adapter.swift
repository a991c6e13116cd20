package import Elements
internal import Objects
package import Snapshots
internal import Tensors

/// What of an adapter is committed.
package enum AdapterForm: Sendable {
    /// Its own tensors and config: an export gives them back as they came.
    case asItIs
    /// The model that it makes of its base: the weights with its products added.
    case baked
}

extension SnapshotStore {
    /// Commits an adapter of peft on a branch, which begins at the adapter's base where it does not exist.
    ///
    /// - Parameters:
    ///   - folder: See ``PeftAdapter``.
    ///   - base: The model that the adapter belongs to; kept in the commit's metadata, `adapter.base`.
    ///   - form: Baked, the branch must be at a model with the base's weights, which the products are added to.
    /// - Throws: The codes of a bad adapter; `not-found` for weights that the model does not have, `unsupported` for
    ///   weights that are no floats of 16 or 32 bits; as a commit of a checkpoint, or of a patch. Then nothing is
    ///   committed.
    package func commit(
        adapter folder: String, of base: String, _ form: AdapterForm, _ request: CommitRequest,
        progress: ProgressReporter
    ) throws -> CommittedModel {
        let adapter = try PeftAdapter(opening: folder)
        let id = try resolve(base)
        var request = request
        request.start = id
        request.note.metadata["adapter.base"] = id.hex
        switch form {
        case .asItIs:
            return try commit(adapter.checkpoint, request, keeping: .nothing, progress: progress)
        case .baked:
            let model = try CheckpointReader(map(CommitTarget(request, self).model().parent), self)
            return try commit(
                patch: adapter.weights(in: model, progress), request, progress: progress
            ) { _ in }
        }
    }
}

extension PeftAdapter {
    /// The weights of a model with the adapter's products added, and those that it has whole.
    ///
    /// As peft merges: the product is rounded to the weight's dtype, then added, then the sum is rounded.
    fileprivate func weights(
        in model: CheckpointReader, _ progress: ProgressReporter
    ) throws -> [(entry: TensorEntry, bytes: MappedBytes)] {
        let content = try content()
        var weights = content.whole.map { (TensorEntry($0.name, $0.tensor.shape), $0.tensor.bytes) }
        for (number, delta) in content.deltas.enumerated() {
            let old = try model.tensor(delta.target, checks: true)
            weights.append(
                (TensorEntry(delta.target, old.shape), try Self.sum(old.bytes, old.shape, delta)))
            try progress(Progress("adapted weights", number + 1, content.deltas.count))
        }
        return weights
    }

    private static func sum(
        _ old: MappedBytes, _ shape: TensorShape, _ delta: Delta
    ) throws -> MappedBytes {
        let (outputs, rank, inputs) = (
            delta.b.shape.dimensions[0], delta.a.shape.dimensions[0], delta.a.shape.dimensions[1]
        )
        guard shape.dimensions == [outputs, inputs] else {
            throw CambiumError(
                .badShape,
                "the adapter's product for \(quoted(delta.target)) is [\(outputs), \(inputs)], the weight "
                    + "\(shape)")
        }
        guard [.f32, .bf16, .f16].contains(shape.type) else {
            throw CambiumError(
                .unsupported,
                "\(quoted(delta.target)) is \(shape); adapters are added to F32, BF16 and F16")
        }
        let product = FloatMemory(count: outputs * inputs)
        multiply(
            MatrixSlice(try floats(delta.b), rows: outputs, columns: rank),
            MatrixSlice(try floats(delta.a), rows: rank, columns: inputs),
            into: MatrixSlice(product.slice, rows: outputs, columns: inputs), scale: delta.scale)
        let weight = try floats(old, shape)
        return MappedBytes(count: old.count, zeroed: false) { (bytes: inout MutableRawSpan) in
            product.slice.withSpan { product in
                weight.withSpan { weight in
                    bytes.store(product.count, as: shape.type) { index, round in
                        round(weight[index] + round(product[index]))
                    }
                }
            }
        }
    }

    private static func floats(_ tensor: Checkpoint.Tensor) throws -> FloatSlice {
        try floats(tensor.bytes, tensor.shape)
    }

    private static func floats(_ bytes: MappedBytes, _ shape: TensorShape) throws -> FloatSlice {
        guard shape.type.isReadAsFloat else {
            throw CambiumError(.unsupported, "\(shape) in an adapter; it has floats")
        }
        let memory = FloatMemory(count: shape.elementCount)
        memory.slice.withMutableSpan { span in
            convertToFloat(bytes.bytes, type: shape.type, into: &span)
        }
        return memory.slice
    }
}

extension MutableRawSpan {
    /// Stores numbers one after the other.
    ///
    /// - Parameters:
    ///   - type: F32, BF16 or F16.
    ///   - value: Told an index, and what rounds a number to the type.
    fileprivate mutating func store(
        _ count: Int, as type: ElementType, _ value: (Int, (Float) -> Float) -> Float
    ) {
        for index in 0..<count {
            switch type {
            case .bf16:
                let number = value(index) {
                    Float(bitPattern: UInt32(FloatCode.bfloat(of: $0.bitPattern)) << 16)
                }
                storeBytes(
                    of: UInt16(number.bitPattern >> 16), toByteOffset: 2 * index, as: UInt16.self)
            case .f16:
                let number = value(index) { Float(Float16($0)) }
                storeBytes(
                    of: Float16(number).bitPattern, toByteOffset: 2 * index, as: UInt16.self)
            default:
                storeBytes(
                    of: value(index) { $0 }.bitPattern, toByteOffset: 4 * index, as: UInt32.self)
            }
        }
    }
}
