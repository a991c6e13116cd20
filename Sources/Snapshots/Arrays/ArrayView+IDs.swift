internal import Elements
internal import KeyValue
internal import Objects

/// Many ids and nodes of an array at once.
extension ArrayView {
    /// The ids of some ordinals, in order; ``ObjectID/zero`` for absent ones.
    func ids(
        _ range: Range<Int>, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [ObjectID] {
        try reader.ids(of: entries(range), transaction)
    }

    /// The ids of ascending ranges, one after another; ``ObjectID/zero`` for absent ones.
    func ids(
        _ ranges: [Range<Int>], _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [ObjectID] {
        try reader.ids(of: entries(ranges), transaction)
    }

    /// Nodes of the hash tree at a stored height.
    ///
    /// - Parameter indexes: Ascending.
    /// - Throws: `.corrupt` when no record of the chain has one.
    /// - Complexity: One pass over the nodes of each change set.
    func nodes(height: Int, _ indexes: [UInt32]) throws -> [ObjectID] {
        var nodes = indexes.map { chain.last?.node(height: height, Int($0)) }
        for record in chain.dropLast().reversed() {
            record.replaceNodes(height: height, indexes, in: &nodes)
        }
        var result: [ObjectID] = []
        result.reserveCapacity(nodes.count)
        for (index, node) in zip(indexes, nodes) {
            guard let node else {
                throw CambiumError(
                    .corrupt,
                    "expert array \(root.short) lacks node \(index) of height \(height); run "
                        + "`cambium verify`")
            }
            result.append(node)
        }
        return result
    }
}

extension ObjectReader {
    /// The ids of an array's entries, in order; ``ObjectID/zero`` for absent ones.
    ///
    /// After many rounds neighbours lie in many packs, so the entries are sorted by pack and each
    /// pack's directory is read from front to back, on all cores: in the order of the entries
    /// every id would be a cache miss.
    ///
    /// - Throws: `.corrupt` when another object lies at one of the places.
    func ids(
        of entries: [ArrayEntry], _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [ObjectID] {
        let last = try Self.lastPack(transaction)
        var starts = [Int](repeating: 0, count: Int(last) + 2)
        for entry in entries {
            guard entry.location.pack <= last else { throw Self.misplaced(entry.location) }
            starts[Int(entry.location.pack) + 1] += 1
        }
        var packs: [Pack] = []
        var spans: [Range<Int>] = []
        for number in 0...Int(last) {
            starts[number + 1] += starts[number]
            let span = starts[number]..<starts[number + 1]
            // Pack 0 does not exist: its entries are the absent ones.
            guard number > 0, !span.isEmpty else { continue }
            packs.append(try pack(UInt32(number), transaction))
            spans.append(span)
        }
        var sorted = [Int](repeating: 0, count: entries.count)
        for (position, entry) in entries.enumerated() {
            sorted[starts[Int(entry.location.pack)]] = position
            starts[Int(entry.location.pack)] += 1
        }
        let found = concurrentMap(packs.count, grain: 16) {
            [packs, spans, sorted] index -> [ObjectID?] in
            let span = spans[index]
            return packs[index].ids(count: span.count) {
                let entry = entries[sorted[span.lowerBound + $0]]
                return (entry.location.unit, entry.check)
            }
        }
        var result = [ObjectID](repeating: .zero, count: entries.count)
        for (span, ids) in zip(spans, found) {
            for (position, id) in zip(sorted[span], ids) {
                guard let id else { throw Self.misplaced(entries[position].location) }
                result[position] = id
            }
        }
        return result
    }
}
