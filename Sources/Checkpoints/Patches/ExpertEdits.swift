internal import Elements
internal import Objects
internal import Snapshots

/// Experts that a patch file changes, gathered from the tensors that hold their parts.
struct ExpertEdits {
    private struct Pool {
        let stored: Layout.Pool
        let pool: CheckpointPool
        let experts: MappedExperts
        let header: ObjectHeader
        /// What changes of each expert.
        var changes: [Int: [ObjectEdit.Part]] = [:]
    }

    /// Where a tensor of the checkpoint that holds experts belongs.
    private struct Place {
        let pool: Int
        let part: PoolTensor
        /// In an expert's bytes.
        let range: Range<Int>
        /// Nil for a tensor that stacks experts.
        let ordinal: Int?
    }

    private var pools: [Pool] = []
    /// The position of a pool, and of one of its tensors, by that tensor's template.
    private var places: [String: (pool: Int, tensor: Int)] = [:]

    init(_ snapshot: MappedSnapshot, _ layout: Layout?) throws {
        for stored in layout?.allPools(of: snapshot.tree) ?? [] {
            guard let experts = snapshot.experts(layer: stored.layer, pool: stored.pool) else {
                continue
            }
            let pool = try CheckpointPool(stored, experts.pool)
            for (tensor, part) in pool.tensors.enumerated() where places[part.template] == nil {
                places[part.template] = (pools.count, tensor)
            }
            pools.append(
                Pool(
                    stored: stored, pool: pool, experts: experts,
                    header: try ObjectHeader(experts.pool.kind, experts.pool.parts)))
        }
    }

    /// Whether a tensor of that name holds experts or parts of them.
    func holds(_ name: String) -> Bool { place(name) != nil }

    private func place(_ name: String) -> Place? {
        if let place = place(template: name, ordinal: nil) { return place }
        // Any number in the name may be the expert's.
        var rest = name[...]
        while let start = rest.utf8.firstIndex(where: \.isDigit) {
            let end = rest.utf8[start...].firstIndex { !$0.isDigit } ?? rest.endIndex
            let digits = rest[start..<end]
            let template = name[..<start] + PoolTensor.placeholder + name[end...]
            if let ordinal = Int(digits), String(ordinal) == digits,
                let place = place(template: String(template), ordinal: ordinal)
            {
                return place
            }
            rest = rest[end...]
        }
        return nil
    }

    private func place(template: String, ordinal: Int?) -> Place? {
        guard let found = places[template] else { return nil }
        let pool = pools[found.pool].pool
        let part = pool.tensors[found.tensor]
        guard part.stacked == (ordinal == nil) else { return nil }
        return Place(
            pool: found.pool, part: part, range: pool.sliceRanges[found.tensor], ordinal: ordinal)
    }

    /// Takes a tensor of the file when it holds parts of experts, and tells whether it did.
    mutating func take(
        _ name: String, _ tensor: Checkpoint.Tensor, _ rows: [Int]?
    ) throws -> Bool {
        guard let place = place(name) else { return false }
        let part = place.part
        guard let ordinal = place.ordinal else {
            try takeStacked(name, tensor, rows, place)
            return true
        }
        guard rows == nil, tensor.shape == TensorShape(part.type, part.sliceDimensions)
        else { throw mismatch(name, tensor.shape, part, stacked: nil) }
        try change(ordinal, place, .whole(tensor.bytes))
        return true
    }

    private mutating func takeStacked(
        _ name: String, _ tensor: Checkpoint.Tensor, _ rows: [Int]?, _ place: Place
    ) throws {
        let part = place.part
        let count = pools[place.pool].pool.expertCount
        guard tensor.shape.type == part.type,
            Array(tensor.shape.dimensions.dropFirst()) == part.sliceDimensions,
            rows != nil || tensor.shape.dimensions.first == count
        else { throw mismatch(name, tensor.shape, part, stacked: count) }
        let size = part.sliceByteCount
        for (position, ordinal) in (rows ?? Array(0..<count)).enumerated() {
            let slice = tensor.bytes.slice((position * size)..<((position + 1) * size))
            try change(ordinal, place, .whole(slice))
        }
    }

    /// Takes elements of a tensor when it holds parts of experts, and tells whether it did.
    mutating func take(_ sparse: SparseTensor) throws -> Bool {
        guard let place = place(sparse.name) else { return false }
        let part = place.part
        if let ordinal = place.ordinal {
            try sparse.check(against: TensorShape(part.type, part.sliceDimensions))
            if sparse.count > 0 {
                try change(ordinal, place, .elements(sparse, 0..<sparse.count, from: 0))
            }
            return true
        }
        let count = pools[place.pool].pool.expertCount
        try sparse.check(against: TensorShape(part.type, [count] + part.sliceDimensions))
        let size = part.sliceDimensions.reduce(1, *)
        var start = 0
        while start < sparse.count {
            let element = sparse.element(start)
            guard element >= 0, element < count * size else { throw sparse.changed }
            let ordinal = element / size
            let end = sparse.position(of: (ordinal + 1) * size)
            guard end > start else { throw sparse.changed }
            try change(ordinal, place, .elements(sparse, start..<end, from: ordinal * size))
            start = end
        }
        return true
    }

    private mutating func change(
        _ ordinal: Int, _ place: Place, _ source: ObjectEdit.Part.Source
    ) throws {
        let (pool, experts) = (pools[place.pool].pool, pools[place.pool].experts)
        guard ordinal < experts.count else {
            throw CambiumError(
                .badShape,
                "the patch changes expert \(ordinal) of layer \(pool.layer), which has "
                    + "\(experts.count)")
        }
        pools[place.pool].changes[ordinal, default: []].append(
            ObjectEdit.Part(range: place.range, source: source))
    }

    /// The experts that change, in the order of pools and ordinals.
    var objects: [ObjectEdit] {
        pools.flatMap { pool in
            pool.changes.sorted { $0.key < $1.key }.map { ordinal, parts in
                ObjectEdit(
                    place: .expert(ordinal, of: pool.stored, pool.experts), header: pool.header,
                    parts: parts)
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

extension UInt8 {
    fileprivate var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }
}
