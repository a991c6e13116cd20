package import Elements

/// The experts of one pool of an opened checkpoint, in place.
package struct PoolReader: Sendable {
    package let pool: CheckpointPool
    /// For each pool tensor its one stacked tensor, or one tensor for each ordinal, nil where no expert has it.
    private let sources: [[MappedBytes?]]

    /// - Parameter pool: A pool that was recognised in `checkpoint`.
    /// - Throws: `.missingTensor`, or `.badConfig` when a tensor is not as long as the pool says.
    package init(_ pool: CheckpointPool, in checkpoint: Checkpoint) throws {
        var sources: [[MappedBytes?]] = []
        let ordinals = pool.tensors.allSatisfy(\.stacked) ? [] : pool.ordinals
        for tensor in pool.tensors {
            var bytes = [MappedBytes?](
                repeating: nil, count: tensor.stacked ? 1 : pool.expertCount)
            let length = tensor.sliceByteCount * (tensor.stacked ? pool.expertCount : 1)
            for ordinal in tensor.stacked ? [0] : ordinals {
                let name = tensor.name(of: ordinal)
                guard let source = checkpoint.tensor(named: name) else {
                    throw CambiumError(
                        .missingTensor, "\(checkpoint.path) has no tensor \(quoted(name))")
                }
                guard source.bytes.count == length else {
                    throw CambiumError(
                        .badConfig,
                        "tensor \(quoted(name)) of \(checkpoint.path) is \(source.bytes.count) "
                            + "bytes long; \(length) are expected")
                }
                bytes[ordinal] = source.bytes
            }
            sources.append(bytes)
        }
        self.pool = pool
        self.sources = sources
    }

    /// The ordinals of experts that are all zeros, ascending; found on all cores.
    package var zeroExperts: [Int] {
        let block = 1 << 14
        return concurrentMap((pool.expertCount + block - 1) / block, grain: 1) { number in
            (number * block..<min((number + 1) * block, pool.expertCount)).filter { ordinal in
                pool.tensors.indices.allSatisfy { tensor in
                    slice(tensor: tensor, expert: ordinal).bytes.isZero
                }
            }
        }.flatMap { $0 }
    }

    /// The slice of one expert in the pool tensor at `tensor`, in place.
    package func slice(tensor: Int, expert: Int) -> MappedBytes {
        precondition(
            expert >= 0 && expert < pool.expertCount, "expert \(expert) of \(pool.expertCount)")
        let isStacked = pool.tensors[tensor].stacked
        guard let source = sources[tensor][isStacked ? 0 : expert] else {
            preconditionFailure("expert \(expert) is absent")
        }
        guard isStacked else { return source }
        let count = pool.tensors[tensor].sliceByteCount
        return source.slice(expert * count..<(expert + 1) * count)
    }

    /// Appends the canonical bytes of one expert.
    package func append(expert: Int, to bytes: inout [UInt8]) {
        for tensor in pool.tensors.indices {
            slice(tensor: tensor, expert: expert).append(to: &bytes)
        }
    }
}

extension MappedBytes {
    fileprivate func append(to array: inout [UInt8]) {
        unsafe withUnsafeBytes { unsafe array.append(contentsOf: $0) }
    }
}
