/// The positions of picks, sorted by expert; those of one expert in their order.
struct SelectionByExpert: Sendable {
    /// Positions.
    let order: [UInt32]
    /// The experts that were picked, ascending.
    let experts: [UInt32]
    /// Where each one's picks start in `order`; one more for the end.
    let starts: [UInt32]

    private static let digit = 11

    /// - Parameters:
    ///   - positions: Of the picks, ascending; nil for 0 and up.
    ///   - count: Experts of the layer.
    /// - Complexity: O(picks): a radix sort, so that experts which nobody picks cost nothing.
    init(_ ids: [UInt32], positions: [UInt32]? = nil, count: Int) {
        var (keys, order) = (ids, positions ?? (0..<ids.count).map { UInt32($0) })
        var (nextKeys, nextOrder) = (keys, order)
        let bits = UInt64.bitWidth - UInt64(max(count, 2) - 1).leadingZeroBitCount
        for shift in stride(from: 0, to: bits, by: Self.digit) {
            let mask = UInt32(1) << UInt32(Self.digit) - 1
            var places = [Int](repeating: 0, count: 1 << Self.digit + 1)
            for key in keys { places[Int(key >> UInt32(shift) & mask) + 1] += 1 }
            for value in 1..<places.count { places[value] += places[value - 1] }
            for (index, key) in keys.enumerated() {
                let value = Int(key >> UInt32(shift) & mask)
                nextKeys[places[value]] = key
                nextOrder[places[value]] = order[index]
                places[value] += 1
            }
            swap(&keys, &nextKeys)
            swap(&order, &nextOrder)
        }
        var (experts, starts): ([UInt32], [UInt32]) = ([], [])
        experts.reserveCapacity(ids.count)
        starts.reserveCapacity(ids.count + 1)
        for (index, key) in keys.enumerated() where experts.last != key {
            experts.append(key)
            starts.append(UInt32(index))
        }
        starts.append(UInt32(keys.count))
        self.order = order
        self.experts = experts
        self.starts = starts
    }

    /// The positions in `experts` of those below `bound`.
    func count(below bound: Int) -> Int {
        var (low, high) = (0, experts.count)
        while low < high {
            let middle = (low + high) / 2
            if Int(experts[middle]) < bound { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
