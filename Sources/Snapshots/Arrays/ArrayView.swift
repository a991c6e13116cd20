internal import Elements
package import KeyValue
package import Objects

/// One expert array, read through its chain of change sets down to a full array.
package struct ArrayView: Sendable {
    package let root: ObjectID
    package let count: Int
    /// Newest first; the last one is full.
    let chain: [ArrayRecord]

    /// - Throws: `.corrupt` when a record of the chain is missing.
    package init(
        _ root: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        var chain: [ArrayRecord] = []
        var next = root
        repeat {
            guard let record = try ArrayRecord(next, transaction) else {
                throw CambiumError(
                    .corrupt, "expert array \(next.short) is missing; run `cambium verify`")
            }
            guard chain.count < 1000, record.count <= chain.last?.count ?? .max else {
                throw CambiumError(
                    .corrupt,
                    "expert array \(root.short) has a chain that does not end, or whose base is "
                        + "longer; run `cambium verify`")
            }
            chain.append(record)
            next = record.base
        } while next != .zero
        let bound = chain.reduce(chain.last?.count ?? 0) { $0 + $1.changeCount }
        guard chain[0].count <= bound else {
            throw CambiumError(
                .corrupt,
                "expert array \(root.short) claims \(chain[0].count) experts but names at "
                    + "most \(bound); run `cambium verify`")
        }
        self.root = root
        self.count = chain[0].count
        self.chain = chain
    }

    /// The expert at `ordinal`.
    ///
    /// Traps when it is out of bounds.
    package func entry(_ ordinal: Int) -> ArrayEntry {
        precondition(ordinal >= 0 && ordinal < count, "expert \(ordinal) of \(count)")
        for record in chain {
            if record.isFull { return ordinal < record.count ? record.entry(ordinal) : .absent }
            if let entry = record.change(of: ordinal) { return entry }
        }
        return .absent
    }

    /// Every entry, in order.
    ///
    /// - Complexity: One pass over the full array and over each change set.
    package func entries() -> [ArrayEntry] { entries(0..<count) }

    /// The entries of some ordinals, in order; absent ones behind the end.
    ///
    /// - Complexity: The length of the range, and a search in each change set.
    func entries(_ range: Range<Int>) -> [ArrayEntry] { entries([range]) }

    /// The entries of ascending ranges, one after another; absent ones behind the end.
    ///
    /// - Complexity: The length of the ranges, and one pass over each change set.
    func entries(_ ranges: [Range<Int>]) -> [ArrayEntry] {
        var result: [ArrayEntry] = []
        guard let full = chain.last else { return result }
        result.reserveCapacity(ranges.reduce(0) { $0 + $1.count })
        for range in ranges {
            let known = range.clamped(to: 0..<min(full.count, count))
            full.append(known, to: &result)
            result.append(contentsOf: repeatElement(.absent, count: range.count - known.count))
        }
        for record in chain.dropLast().reversed() {
            record.replace(ranges, below: count, in: &result)
        }
        return result
    }

    /// The id at `ordinal`, or nil for an absent expert or one behind the end.
    func id(
        _ ordinal: Int, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ObjectID? {
        guard ordinal < count else { return nil }
        let id = try reader.id(of: entry(ordinal), transaction)
        return id == .zero ? nil : id
    }

    /// The ordinals at which two arrays differ, ascending.
    ///
    /// Arrays that share a stored ancestor cost the changes since; others a comparison of all.
    func differences(
        from other: ArrayView, _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> [Int] {
        if root == other.root { return [] }
        let candidates: [Int]
        let mine: [ArrayEntry]
        let theirs: [ArrayEntry]
        if let shared = sharedDepth(with: other) {
            var touched: Set<Int> = []
            for record in chain[..<shared.mine] + other.chain[..<shared.theirs] {
                for index in 0..<record.changeCount { touched.insert(record.changedOrdinal(index)) }
            }
            touched.formUnion(min(count, other.count)..<max(count, other.count))
            candidates = touched.sorted()
            mine = candidates.map { $0 < count ? entry($0) : .absent }
            theirs = candidates.map { $0 < other.count ? other.entry($0) : .absent }
        } else {
            let all = 0..<max(count, other.count)
            candidates = Array(all)
            mine = entries(all)
            theirs = other.entries(all)
        }
        var result: [Int] = []
        for (position, ordinal) in candidates.enumerated() {
            let (left, right) = (mine[position], theirs[position])
            if left == right { continue }
            // Two places may hold the same object: one is a copy.
            if left.check == right.check, left.isAbsent == right.isAbsent,
                try reader.id(of: left, transaction) == reader.id(of: right, transaction)
            {
                continue
            }
            result.append(ordinal)
        }
        return result
    }

    /// Positions in both chains of the newest record that both contain.
    private func sharedDepth(with other: ArrayView) -> (mine: Int, theirs: Int)? {
        for (mine, record) in chain.enumerated() {
            if let theirs = other.chain.firstIndex(where: { $0.root == record.root }) {
                return (mine, theirs)
            }
        }
        return nil
    }
}
