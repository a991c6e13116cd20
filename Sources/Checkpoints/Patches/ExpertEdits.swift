internal import Elements
internal import Objects
internal import Snapshots

/// Experts that a patch file changes, gathered from the tensors that hold their parts.
struct ExpertEdits {
    private struct Pool {
        let stored: Layout.Pool
        let pool: CheckpointPool
        let experts: MappedExperts
        /// The bytes so far of experts that change.
        var changed: [Int: [UInt8]] = [:]
    }

    private var pools: [Pool] = []

    init(_ snapshot: MappedSnapshot, _ layout: Layout?) throws {
        for stored in layout?.allPools(of: snapshot.tree) ?? [] {
            guard let experts = snapshot.experts(layer: stored.layer, pool: stored.pool) else {
                continue
            }
            pools.append(
                Pool(
                    stored: stored, pool: try CheckpointPool(stored, experts.pool), experts: experts
                ))
        }
    }

    /// Takes a tensor of the file when it holds parts of experts, and tells whether it did.
    mutating func take(_ name: String, _ tensor: Checkpoint.Tensor, _ rows: [Int]?) throws -> Bool {
        for number in pools.indices {
            let pool = pools[number].pool
            for (part, range) in zip(pool.tensors, pool.sliceRanges) {
                if part.stacked {
                    guard part.template == name else { continue }
                    try takeStacked(name, tensor, rows, part, range, number)
                    return true
                }
                guard let ordinal = part.ordinal(of: name) else { continue }
                guard rows == nil, tensor.shape == TensorShape(part.type, part.sliceDimensions)
                else { throw mismatch(name, tensor.shape, part, stacked: nil) }
                try replace(range, of: ordinal, by: tensor.bytes.copy()[...], number)
                return true
            }
        }
        return false
    }

    private mutating func takeStacked(
        _ name: String, _ tensor: Checkpoint.Tensor, _ rows: [Int]?, _ part: PoolTensor,
        _ range: Range<Int>, _ number: Int
    ) throws {
        let count = pools[number].pool.expertCount
        guard tensor.shape.type == part.type,
            Array(tensor.shape.dimensions.dropFirst()) == part.sliceDimensions,
            rows != nil || tensor.shape.dimensions.first == count
        else { throw mismatch(name, tensor.shape, part, stacked: count) }
        let bytes = tensor.bytes.copy()
        let size = part.sliceByteCount
        for (position, ordinal) in (rows ?? Array(0..<count)).enumerated() {
            try replace(
                range, of: ordinal, by: bytes[(position * size)..<((position + 1) * size)], number)
        }
    }

    private mutating func replace(
        _ range: Range<Int>, of ordinal: Int, by bytes: ArraySlice<UInt8>, _ number: Int
    ) throws {
        let experts = pools[number].experts
        if pools[number].changed[ordinal] == nil {
            guard ordinal < experts.count else {
                let pool = pools[number].pool
                throw CambiumError(
                    .badShape,
                    "the patch changes expert \(ordinal) of layer \(pool.layer), which has "
                        + "\(experts.count)")
            }
            pools[number].changed[ordinal] =
                experts.isAbsent(ordinal)
                ? Array(repeating: 0, count: pools[number].pool.expertByteCount)
                : try experts.data(ordinal)
        }
        pools[number].changed[ordinal]?.replaceSubrange(range, with: bytes)
    }

    /// Puts the changed experts into the patch.
    func put(into patch: inout ModelPatch, _ progress: ProgressReporter) throws {
        let total = pools.reduce(0) { $0 + $1.changed.count }
        var done = 0
        for pool in pools {
            for (ordinal, bytes) in pool.changed.sorted(by: { $0.key < $1.key }) {
                try patch.put(
                    expert: ordinal, layer: Int(pool.stored.layer), pool: pool.stored.pool,
                    bytes)
                done += 1
                if done % 1024 == 0 || done == total {
                    try progress(Progress("experts", done, total))
                }
            }
        }
    }

    private func mismatch(
        _ name: String, _ shape: TensorShape, _ part: PoolTensor, stacked count: Int?
    ) -> CambiumError {
        let whole = TensorShape(part.type, (count.map { [$0] } ?? []) + part.sliceDimensions)
        return CambiumError(
            .badShape,
            "\(name) is \(shape) in the patch, but the branch's model has \(whole)"
                + (count == nil
                    ? ""
                    : "; give rows of it, \(part.type.name)[k"
                        + part.sliceDimensions.map { ", \($0)" }.joined()
                        + "], with their numbers in \(name).rows"))
    }
}

extension PoolTensor {
    /// The expert whose slice the tensor `name` is, where each expert has a tensor of its own.
    fileprivate func ordinal(of name: String) -> Int? {
        guard !stacked, let range = template.firstRange(of: Self.placeholder) else { return nil }
        let (head, tail) = (template[..<range.lowerBound], template[range.upperBound...])
        guard name.hasPrefix(head), name.hasSuffix(tail),
            name.utf8.count > head.utf8.count + tail.utf8.count
        else { return nil }
        let digits = name.dropFirst(head.count).dropLast(tail.count)
        guard let ordinal = Int(digits), String(ordinal) == digits else { return nil }
        return ordinal
    }
}
