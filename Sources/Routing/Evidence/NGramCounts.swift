internal import Elements

/// How often each sequence of `order` bytes occurs in some text: integer evidence, added exactly.
///
/// Only full sequences within one text are counted; the counts of shorter ones follow from them.
package struct NGramCounts: Sendable, Equatable {
    /// One sequence and how often it occurs.
    package struct Entry: Sendable, Equatable {
        /// The bytes as a big-endian number, so that sequences with the same beginning are
        /// neighbours.
        package let key: UInt64
        /// At least 1.
        package let count: UInt64

        package init(key: UInt64, count: UInt64) {
            self.key = key
            self.count = count
        }
    }

    /// Sequences in one class are fewer: gates divide sums shifted by 30 bits.
    static let limit: UInt64 = 1 << 33

    /// Bytes in a sequence, 1 to 8.
    package let order: Int
    /// By ascending key.
    package let entries: [Entry]

    /// - Parameter entries: By ascending key; none with a count of 0 or a key beyond `order` bytes.
    /// - Throws: ``CambiumError`` otherwise, and for 2^33 sequences or more.
    package init(order: Int, entries: [Entry]) throws {
        guard (1...8).contains(order) else {
            throw CambiumError(.badInput, "n-grams of \(order) bytes; give 1 to 8")
        }
        var last: UInt64?
        var sum: UInt64 = 0
        for entry in entries {
            let (next, overflows) = sum.addingReportingOverflow(entry.count)
            sum = next
            guard !overflows, sum < Self.limit else {
                throw CambiumError(
                    .overflow, "more than 2^33 n-grams in one class; start a new class")
            }
            guard entry.count > 0, order == 8 || entry.key >> UInt64(8 * order) == 0,
                last.map({ $0 < entry.key }) ?? true
            else {
                throw CambiumError(
                    .badInput,
                    "the count of n-gram \(String(entry.key, radix: 16)) is 0, not in order, or "
                        + "longer than \(order) bytes")
            }
            last = entry.key
        }
        self.init(checked: order, entries)
    }

    private init(checked order: Int, _ entries: [Entry]) {
        self.order = order
        self.entries = entries
    }

    /// Counts one text.
    ///
    /// - Parameter order: 1 to 8.
    /// - Complexity: As ``NGramCounter``.
    package init(of text: [UInt8], order: Int) {
        var counter = NGramCounter(order: order)
        counter.add(text)
        self = counter.counts
    }

    /// - Parameter entries: By ascending key, each count at least 1.
    init(counted entries: [Entry], order: Int) { self.init(checked: order, entries) }

    /// Sequences counted.
    package var total: UInt64 { entries.reduce(0) { $0 &+ $1.count } }

    /// The counts of shorter sequences, as far as these tell: of each text the last `order - length`
    /// sequences are not among them.
    ///
    /// - Parameter length: 1 to `order`.
    package func shortened(to length: Int) -> NGramCounts {
        precondition((1...order).contains(length), "\(length) bytes of \(order)-grams")
        guard length < order else { return self }
        var shorter: [Entry] = []
        for entry in entries {
            let key = entry.key >> UInt64(8 * (order - length))
            if let last = shorter.last, last.key == key {
                shorter[shorter.count - 1] = Entry(key: key, count: last.count + entry.count)
            } else {
                shorter.append(Entry(key: key, count: entry.count))
            }
        }
        return NGramCounts(checked: length, shorter)
    }

    /// The counts of both.
    ///
    /// - Throws: ``CambiumError`` when the orders differ or a sum leaves 64 bits.
    package func adding(_ other: NGramCounts) throws -> NGramCounts {
        guard order == other.order else {
            throw CambiumError(
                .incompatible,
                "counts of \(order)-grams and of \(other.order)-grams cannot be added; count again "
                    + "with one order")
        }
        var merged: [Entry] = []
        merged.reserveCapacity(entries.count + other.entries.count)
        var sum: UInt64 = 0
        var (left, right) = (entries[...], other.entries[...])
        while let entry = [left.first, right.first].compactMap({ $0 }).min(by: { $0.key < $1.key })
        {
            var count: UInt64 = 0
            if let first = left.first, first.key == entry.key {
                count = first.count
                left = left.dropFirst()
            }
            var overflow = false
            if let first = right.first, first.key == entry.key {
                (count, overflow) = count.addingReportingOverflow(first.count)
                right = right.dropFirst()
            }
            let (next, overflows) = sum.addingReportingOverflow(count)
            sum = next
            guard !overflow, !overflows, sum < Self.limit else {
                throw CambiumError(
                    .overflow, "more than 2^33 n-grams in one class; start a new class")
            }
            merged.append(Entry(key: entry.key, count: count))
        }
        return NGramCounts(checked: order, merged)
    }

    /// These counts without others, none below 0.
    ///
    /// - Parameter other: Of the same order.
    package func subtracting(_ other: NGramCounts) -> NGramCounts {
        precondition(order == other.order, "\(order)-grams and \(other.order)-grams")
        var left: [Entry] = []
        left.reserveCapacity(entries.count)
        var rest = other.entries[...]
        for entry in entries {
            while let first = rest.first, first.key < entry.key { rest = rest.dropFirst() }
            let taken = rest.first.map { $0.key == entry.key ? $0.count : 0 } ?? 0
            if taken < entry.count {
                left.append(Entry(key: entry.key, count: entry.count - taken))
            }
        }
        return NGramCounts(checked: order, left)
    }
}
