/// Which bytes of something are there: ranges that neither overlap nor touch, ascending.
package struct ByteExtents: Sendable, Equatable {
    package private(set) var ranges: [Range<Int>] = []

    package init() {}

    /// The first range that ends at the offset or behind it.
    private func position(_ offset: Int) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < offset { low = middle + 1 } else { high = middle }
        }
        return low
    }

    package func contains(_ range: Range<Int>) -> Bool {
        guard !range.isEmpty else { return true }
        let first = position(range.lowerBound + 1)
        return first < ranges.count && ranges[first].lowerBound <= range.lowerBound
            && ranges[first].upperBound >= range.upperBound
    }

    package mutating func insert(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let first = position(range.lowerBound)
        var last = first
        var joined = range
        while last < ranges.count, ranges[last].lowerBound <= range.upperBound {
            joined =
                min(
                    joined.lowerBound, ranges[last].lowerBound)..<max(
                    joined.upperBound, ranges[last].upperBound)
            last += 1
        }
        ranges.replaceSubrange(first..<last, with: [joined])
    }

    package mutating func remove(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        let first = position(range.lowerBound + 1)
        var last = first
        var rest: [Range<Int>] = []
        while last < ranges.count, ranges[last].lowerBound < range.upperBound {
            let whole = ranges[last]
            if whole.lowerBound < range.lowerBound {
                rest.append(whole.lowerBound..<range.lowerBound)
            }
            if whole.upperBound > range.upperBound {
                rest.append(range.upperBound..<whole.upperBound)
            }
            last += 1
        }
        ranges.replaceSubrange(first..<last, with: rest)
    }
}
