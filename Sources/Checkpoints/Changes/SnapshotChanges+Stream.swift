internal import Elements
internal import Objects
internal import Snapshots

extension SnapshotChanges {
    /// Part of a tensor on both sides; nil before for what is new.
    fileprivate struct Run: Sendable {
        let before: MappedBytes?
        let after: MappedBytes
        /// The element of the tensor that it begins with.
        let start: Int
    }

    /// Bytes of a tensor that are compared at once: what comes of them is in memory.
    private static let runBytes = 4 << 20
    /// Bytes that all cores compare before what they found is given.
    private static let blockBytes = 64 << 20

    /// Every change, tensor by tensor.
    ///
    /// A long tensor comes in several runs, one that stacks experts with one for each; a run without a
    /// difference does not come.
    ///
    /// - Parameter isWanted: Whether a tensor, by its name, is of interest; others are not read.
    /// - Throws: What `body` throws; `corrupt` for what was damaged on disk.
    package func forEach(
        where isWanted: (String) -> Bool = { _ in true }, _ body: (ChangeRun) throws -> Void
    ) throws {
        for tensor in tensors where isWanted(tensor.name) { try forEach(of: tensor, body) }
    }

    /// Every change of one tensor.
    ///
    /// - Parameter checks: Whether objects are checked against their names; once is enough.
    package func forEach(
        of tensor: ChangedTensor, checks: Bool = true, _ body: (ChangeRun) throws -> Void
    ) throws {
        let name = tensor.name
        guard let shape = tensor.new else {
            guard let shape = tensor.old else { return }
            return try body(ChangeRun(name: name, shape: shape, content: .gone))
        }
        let width = shape.type.bitWidth / 8
        switch tensor.source {
        case .places(let old, let new):
            guard let after = try new?.bytes(in: right) else { return }
            let before = tensor.old == shape ? try old?.bytes(in: left) : nil
            guard let before, shape.type.bitWidth % 8 == 0 else {
                if before?.bytes.hasSameBytes(as: after.bytes) == true { return }
                return try body(ChangeRun(name: name, shape: shape, content: .whole(after)))
            }
            let size = Self.runBytes
            let runs = (after.count + size - 1) / size
            try forEach(of: tensor, shape, runs, size, body) { number in
                let range = (number * size)..<min((number + 1) * size, after.count)
                return Run(
                    before: before.slice(range), after: after.slice(range),
                    start: range.lowerBound / width)
            }
        case .experts(let number, let position, let ordinals, let isFirst):
            let pool = pools[number]
            let part = pool.pool.tensors[position]
            let range = pool.pool.sliceRanges[position]
            let checks = checks && isFirst
            guard part.stacked || tensor.old != nil && shape.type.bitWidth % 8 == 0 else {
                let before =
                    tensor.old == nil ? nil : try slice(pool.old, ordinals[0], range, checks)
                let after = try slice(pool.new, ordinals[0], range, checks)
                if before?.bytes.hasSameBytes(as: after.bytes) == true { return }
                return try body(ChangeRun(name: name, shape: shape, content: .whole(after)))
            }
            let length = part.stacked ? part.sliceDimensions.reduce(1, *) : 0
            try forEach(of: tensor, shape, ordinals.count, range.count, body) { number in
                let ordinal = ordinals[number]
                return Run(
                    before: pool.wasAbsent(ordinal)
                        ? nil : try slice(pool.old, ordinal, range, checks),
                    after: try slice(pool.new, ordinal, range, checks), start: ordinal * length)
            }
        }
    }

    /// All of a tensor as the newer snapshot has it, checked, piece by piece.
    func wholeBytes(of tensor: ChangedTensor, _ body: (MappedBytes) throws -> Void) throws {
        switch tensor.source {
        case .places(_, let new): try new.map { try body($0.bytes(in: right)) }
        case .experts(let number, let position, let ordinals, _):
            let pool = pools[number]
            let range = pool.pool.sliceRanges[position]
            let isStacked = pool.pool.tensors[position].stacked
            for ordinal in isStacked ? Array(0..<pool.new.count) : ordinals {
                try body(slice(pool.new, ordinal, range, true))
            }
        }
    }

    private func slice(
        _ experts: MappedExperts, _ ordinal: Int, _ range: Range<Int>, _ checks: Bool
    ) throws -> MappedBytes {
        let object = checks ? try experts.checked(ordinal) : try experts.expert(ordinal)
        return object.payload.slice(range)
    }

    /// Compares runs on all cores, in blocks, and gives those with differences in order.
    private func forEach(
        of tensor: ChangedTensor, _ shape: TensorShape, _ count: Int, _ size: Int,
        _ body: (ChangeRun) throws -> Void, run: @Sendable (Int) throws -> Run
    ) throws {
        let width = shape.type.bitWidth / 8
        let block = min(max(Self.blockBytes / max(size, 1), 1), 1 << 14)
        for start in stride(from: 0, to: count, by: block) {
            let found = concurrentMap(min(block, count - start), grain: 1) { number in
                Result { try run(start + number).elements(of: width) }
            }
            for elements in found {
                guard let (indices, values) = try elements.get() else { continue }
                try body(
                    ChangeRun(
                        name: tensor.name, shape: shape, content: .elements(indices, values)))
            }
        }
    }
}

extension SnapshotChanges.Run {
    /// Nil when nothing differs.
    fileprivate func elements(of width: Int) -> (indices: [Int], values: [UInt8])? {
        guard let before else {
            return (Array(start..<(start + after.count / width)), after.copy())
        }
        var indices = after.bytes.elements(differingFrom: before.bytes, width: width)
        guard !indices.isEmpty else { return nil }
        let values = after.bytes.elements(at: indices, width: width)
        if start > 0 { for position in indices.indices { indices[position] += start } }
        return (indices, values)
    }
}
