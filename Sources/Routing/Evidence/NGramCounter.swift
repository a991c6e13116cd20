/// Counts a text that comes part by part, in memory for its distinct sequences.
package struct NGramCounter {
    /// Sequences that are sorted at once.
    private static let batch = 1 << 18

    private let order: Int
    private let mask: UInt64
    /// The last bytes.
    private var key: UInt64 = 0
    /// Bytes so far, up to `order`.
    private var filled = 0
    /// Sequences that are not counted yet.
    private var keys: [UInt64] = []
    /// Counts of parts of the text, each of fewer sequences than the one before.
    private var runs: [[NGramCounts.Entry]] = []

    /// - Parameter order: Bytes in a sequence, 1 to 8.
    package init(order: Int) {
        precondition((1...8).contains(order), "n-grams of \(order) bytes")
        self.order = order
        mask = order == 8 ? .max : 1 << UInt64(8 * order) - 1
    }

    /// Goes on with the text.
    ///
    /// - Complexity: Sorts one number per byte, and merges each some log(bytes) times.
    package mutating func add(_ bytes: [UInt8]) {
        for byte in bytes {
            key = (key << 8 | UInt64(byte)) & mask
            if filled < order { filled += 1 }
            guard filled == order else { continue }
            keys.append(key)
            if keys.count == Self.batch { sort() }
        }
    }

    /// What was counted so far.
    package var counts: NGramCounts {
        var copy = self
        copy.sort()
        var all: [NGramCounts.Entry] = []
        for run in copy.runs.reversed() { all = Self.united(run, all) }
        return NGramCounts(counted: all, order: order)
    }

    /// Makes a run of the last sequences, and unites it with those that are no longer than twice as long.
    private mutating func sort() {
        keys.sort()
        var run: [NGramCounts.Entry] = []
        var start = 0
        while start < keys.count {
            var end = start + 1
            while end < keys.count, keys[end] == keys[start] { end += 1 }
            run.append(NGramCounts.Entry(key: keys[start], count: UInt64(end - start)))
            start = end
        }
        keys.removeAll(keepingCapacity: true)
        while let last = runs.last, last.count <= 2 * run.count {
            runs.removeLast()
            run = Self.united(last, run)
        }
        runs.append(run)
    }

    private static func united(
        _ left: [NGramCounts.Entry], _ right: [NGramCounts.Entry]
    ) -> [NGramCounts.Entry] {
        if left.isEmpty { return right }
        if right.isEmpty { return left }
        var result: [NGramCounts.Entry] = []
        result.reserveCapacity(left.count + right.count)
        var (i, j) = (0, 0)
        while i < left.count, j < right.count {
            if left[i].key == right[j].key {
                result.append(
                    NGramCounts.Entry(key: left[i].key, count: left[i].count + right[j].count))
                (i, j) = (i + 1, j + 1)
            } else if left[i].key < right[j].key {
                result.append(left[i])
                i += 1
            } else {
                result.append(right[j])
                j += 1
            }
        }
        return result + left[i...] + right[j...]
    }
}
