package import Elements

/// How one tensor of a checkpoint is put together when the checkpoint is written back.
package struct TensorAssembly: Sendable, Hashable {
    package enum Source: Sendable, Hashable {
        /// Stored as one tensor: trunk and routers.
        case whole
        /// For each of `ordinals` in turn, the range `bytes` of that expert's canonical bytes.
        /// `pool` is the position in the list of pools.
        case experts(pool: Int, ordinals: Range<Int>, bytes: Range<Int>)
    }

    package let entry: TensorEntry
    package let source: Source

    package var name: String { entry.name }
    package var shape: TensorShape { entry.shape }

    /// Every tensor of a checkpoint, with what its bytes are made of.
    ///
    /// - Parameter others: The tensors outside the pools: trunk and routers.
    /// - Complexity: O(tensors); a stacked tensor of a million experts is one element.
    package static func all(pools: [CheckpointPool], others: [TensorEntry]) -> [TensorAssembly] {
        var all = others.map { TensorAssembly(entry: $0, source: .whole) }
        for (number, pool) in pools.enumerated() {
            let ordinals = pool.tensors.allSatisfy(\.stacked) ? [] : pool.ordinals
            for (tensor, bytes) in zip(pool.tensors, pool.sliceRanges) {
                let dimensions = tensor.sliceDimensions
                if tensor.stacked {
                    let shape = TensorShape(tensor.type, [pool.expertCount] + dimensions)
                    all.append(
                        TensorAssembly(
                            entry: TensorEntry(tensor.template, shape),
                            source: .experts(
                                pool: number, ordinals: 0..<pool.expertCount, bytes: bytes)))
                    continue
                }
                let shape = TensorShape(tensor.type, dimensions)
                for ordinal in ordinals {
                    all.append(
                        TensorAssembly(
                            entry: TensorEntry(tensor.name(of: ordinal), shape),
                            source: .experts(
                                pool: number, ordinals: ordinal..<ordinal + 1, bytes: bytes)))
                }
            }
        }
        return all
    }
}
