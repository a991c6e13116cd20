internal import Elements
internal import KeyValue
internal import Objects

/// An expert array in the making: some experts of an earlier array replaced or added, or a new
/// array; with its root and the nodes that changed.
struct ArrayEdit: Sendable {
    /// The earlier array; nil when this one is new.
    let base: ObjectID?
    let count: Int
    /// What changes, ascending.
    let ordinals: [Int]
    /// Of each of `ordinals` the id, and where it lies when that is known.
    let ids: [ObjectID]
    let places: [Placement]?
    let root: ObjectID
    let nodes: ArrayNodes

    /// A new array.
    init(_ ids: [ObjectID], places: [Placement]? = nil) {
        base = nil
        count = ids.count
        ordinals = Array(ids.indices)
        self.ids = ids
        self.places = places
        (root, nodes) = ExpertArray.nodes(of: ids)
    }

    /// An array that differs from `base` at `ordinals`.
    ///
    /// - Parameters:
    ///   - ordinals: Ascending, with all ordinals behind the end of `base`.
    ///   - count: At least that of `base`.
    /// - Complexity: 17 SHA-256 of half a kilobyte for each block of 256 experts that changed, on
    ///   all cores; above, one for each 16 of them.
    init(
        base: ArrayView, _ ordinals: [Int], _ ids: [ObjectID], places: [Placement]?, count: Int,
        _ reader: ObjectReader, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        precondition(count >= base.count && ordinals.count == ids.count)
        self.base = base.root
        self.count = count
        self.ordinals = ordinals
        self.ids = ids
        self.places = places
        let top = ExpertArray.topHeight(count)
        guard top >= ExpertArray.storedHeight else {
            var all = try base.ids(0..<count, reader, transaction)
            for (ordinal, id) in zip(ordinals, ids) { all[ordinal] = id }
            (root, nodes) = ExpertArray.nodes(of: all)
            return
        }
        var nodes = ArrayNodes()
        nodes.levels.append(try Self.lowest(base, ordinals, ids, count, reader, transaction))
        for height in stride(from: ExpertArray.storedHeight + 1, through: top, by: 1) {
            let below = nodes.levels[nodes.levels.count - 1]
            let width = ExpertArray.nodeCount(count, height: height - 1)
            var level = ArrayNodes.Level(
                indexes: distinct(below.indexes.map { $0 >> 4 }), ids: [])
            let siblings = level.indexes.flatMap { index in
                let first = Int(index) * ExpertArray.fanOut
                return (first..<min(first + ExpertArray.fanOut, width)).map(UInt32.init)
            }
            let children = try below.nodes(siblings, before: base, height: height - 1)
            for start in stride(from: 0, to: children.count, by: ExpertArray.fanOut) {
                let end = min(start + ExpertArray.fanOut, children.count)
                level.ids.append(ExpertArray.node(children[start..<end], height: height))
            }
            nodes.levels.append(level)
        }
        self.nodes = nodes
        root = ExpertArray.root(
            count: count, top: nodes.levels[nodes.levels.count - 1].ids.first ?? .zero)
    }

    /// The changes of a stored array, or nil when they change nothing.
    init?(
        changing root: ObjectID, _ changes: [Int: ObjectID],
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        let base = try ArrayView(root, transaction)
        let reader = try ObjectReader(transaction)
        var real: [(ordinal: Int, id: ObjectID)] = []
        let sorted = changes.sorted { $0.key < $1.key }
        let before = try base.ids(sorted.map { $0.key..<$0.key + 1 }, reader, transaction)
        for ((ordinal, id), old) in zip(sorted, before) where old != id {
            real.append((ordinal, id))
        }
        guard let last = real.last else { return nil }
        if last.id == .zero, last.ordinal >= base.count - 1 {
            // The end moves: what is behind it must not stay.
            var ids = try base.ids(0..<base.count, reader, transaction)
            for (ordinal, id) in real {
                if ordinal >= ids.count {
                    ids += repeatElement(.zero, count: ordinal + 1 - ids.count)
                }
                ids[ordinal] = id
            }
            while ids.last == .zero { ids.removeLast() }
            self.init(ids)
            return
        }
        let count = max(base.count, last.ordinal + 1)
        if last.ordinal >= base.count {
            // Every ordinal behind the old end is a change, absent ones too.
            let added = Dictionary(uniqueKeysWithValues: real.map { ($0.ordinal, $0.id) })
            real.removeAll { $0.ordinal >= base.count }
            real += (base.count..<count).map { ($0, added[$0] ?? .zero) }
        }
        try self.init(
            base: base, real.map(\.ordinal), real.map(\.id), places: nil, count: count, reader,
            transaction)
    }

    /// A new array as changes against an earlier one, where that is no longer than it.
    func relative(
        to base: ArrayView, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ArrayEdit {
        guard self.base == nil, base.count <= count else { return self }
        let before = try base.ids(0..<base.count, reader, transaction)
        let changed = ordinals.filter { $0 >= before.count || ids[$0] != before[$0] }
        return ArrayEdit(
            base: base.root, count: count, ordinals: changed, ids: changed.map { ids[$0] },
            places: places.map { places in changed.map { places[$0] } }, root: root, nodes: nodes)
    }

    private init(
        base: ObjectID?, count: Int, ordinals: [Int], ids: [ObjectID], places: [Placement]?,
        root: ObjectID, nodes: ArrayNodes
    ) {
        self.base = base
        self.count = count
        self.ordinals = ordinals
        self.ids = ids
        self.places = places
        self.root = root
        self.nodes = nodes
    }

    /// Whether the array would end with an absent expert.
    var endsAbsent: Bool { ordinals.last == count - 1 && ids.last == .zero }

    /// The lowest stored nodes that changed, from the ids below them.
    private static func lowest(
        _ base: ArrayView, _ ordinals: [Int], _ ids: [ObjectID], _ count: Int,
        _ reader: ObjectReader, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ArrayNodes.Level {
        let indexes = distinct(ordinals.map { UInt32($0 / ExpertArray.blockCount) })
        // Blocks that are read at once, so that a change of everything does not hold all ids twice.
        let batch = 1024
        var level = ArrayNodes.Level(indexes: indexes, ids: [])
        var next = 0
        for start in stride(from: 0, to: indexes.count, by: batch) {
            let ranges = indexes[start..<min(start + batch, indexes.count)].map { index in
                let first = Int(index) * ExpertArray.blockCount
                return first..<min(first + ExpertArray.blockCount, count)
            }
            var all = try base.ids(ranges, reader, transaction)
            var starts: [Int] = [0]
            for range in ranges {
                let offset = starts[starts.count - 1] - range.lowerBound
                while next < ordinals.count, ordinals[next] < range.upperBound {
                    all[offset + ordinals[next]] = ids[next]
                    next += 1
                }
                starts.append(offset + range.upperBound)
            }
            level.ids += concurrentMap(ranges.count, grain: 16) { [all, starts] position in
                let block = Array(all[starts[position]..<starts[position + 1]])
                let parents = ExpertArray.parents(of: block, height: 1)
                return ExpertArray.node(parents[...], height: 2)
            }
        }
        return level
    }

    /// The nodes that this edit and the earlier array have at a height, for `indexes`.
    func nodes(
        height: Int, _ indexes: [UInt32], _ base: ArrayView
    ) throws -> ArrayNodes.Level {
        let own = nodes.level(height: height)
        return ArrayNodes.Level(
            indexes: indexes, ids: try own.nodes(indexes, before: base, height: height))
    }
}

extension ArrayNodes.Level {
    /// Of each index the node that is here, or else the one that the earlier array has.
    ///
    /// - Parameter indexes: Ascending.
    fileprivate func nodes(
        _ indexes: [UInt32], before base: ArrayView, height: Int
    ) throws -> [ObjectID] {
        let missing = indexes.filter { node(Int($0)) == nil }
        var others = try base.nodes(height: height, missing)[...]
        return indexes.map { node(Int($0)) ?? others.removeFirst() }
    }
}

/// Ascending numbers without their repetitions.
func distinct(_ numbers: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    for number in numbers where result.last != number { result.append(number) }
    return result
}
