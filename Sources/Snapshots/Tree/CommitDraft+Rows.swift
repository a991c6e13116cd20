package import Elements
internal import Objects

extension CommitDraft {
    /// Rows that are hashed in one go: enough for all cores.
    private static let rowsAtOnce = 1 << 14

    /// Puts rows that a hash finds into a pool of the draft's tree.
    ///
    /// Rows of zeros are none. Those that are not given stay as they are, where the pool has rows of these parts; if
    /// it has others, or is not there, they are absent.
    ///
    /// - Parameters:
    ///   - ordinals: Ascending.
    ///   - rows: Of each of them all parts, one row after the other.
    ///   - count: Rows that the hash can give.
    package mutating func putRows(
        _ ordinals: [Int], _ rows: [UInt8], parts: [TensorShape], count: Int, layer: UInt32,
        pool name: String = ExpertPool.base
    ) throws {
        let header = try ObjectHeader(.row, parts)
        let size = header.payloadCount
        precondition(
            rows.count == ordinals.count * size && ordinals.last ?? 0 < count,
            "\(rows.count) bytes of \(ordinals.count) rows of \(size)")
        let old = tree.layers[layer]?.pools[name]
        let isAlike = old?.kind == .row && old?.parts == parts
        let versions = versions(ofArray: isAlike ? old?.experts : nil)
        let copies = copies
        reserve(ordinals.count)
        var ids: [ObjectID] = []
        ids.reserveCapacity(ordinals.count)
        for start in stride(from: 0, to: ordinals.count, by: Self.rowsAtOnce) {
            let block = start..<min(start + Self.rowsAtOnce, ordinals.count)
            let before = try versions(ordinals[block])
            let prepared = concurrentMap(block.count, grain: 256) {
                position -> Result<PreparedObject?, any Error> in
                Result {
                    let range = (start + position) * size..<(start + position + 1) * size
                    let row = rows.raw.extracting(range)
                    return row.isZero
                        ? nil : try copies.prepared(header, row, after: before[position])
                }
            }
            for (position, result) in prepared.enumerated() {
                guard let row = try result.get() else {
                    ids.append(.zero)
                    continue
                }
                let range = (start + position) * size..<(start + position + 1) * size
                ids.append(
                    try put(header, rows.raw.extracting(range), row, after: before[position]))
            }
        }
        var pool = ExpertPool(
            kind: .row, parts: parts, count: UInt64(count), experts: .zero, routerKind: .hash,
            router: [:])
        if isAlike, let old {
            pool.replace(
                by: try putExperts(
                    changing: old.experts,
                    Dictionary(zip(ordinals, ids), uniquingKeysWith: { $1 })))
        } else {
            let last = ids.lastIndex { $0 != .zero }
            var all = [ObjectID](repeating: .zero, count: last.map { ordinals[$0] + 1 } ?? 0)
            for (ordinal, id) in zip(ordinals, ids) where id != .zero { all[ordinal] = id }
            pool.experts = putExperts(all)
        }
        tree.layers[layer, default: Layer()].pools[name] = pool
    }
}
