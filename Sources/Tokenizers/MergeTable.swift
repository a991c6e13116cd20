/// Which pairs of tokens become one, and in which order.
struct MergeTable: Sendable {
    /// Lower ranks merge first.
    struct Merge: Sendable, Equatable {
        let rank: UInt32
        let token: UInt32
    }

    private static let free = UInt64.max
    private var keys: [UInt64]
    private var merges: [Merge]

    /// - Parameter capacity: At least the number of merges.
    init(capacity: Int) {
        var size = 16
        while size < 2 * capacity { size *= 2 }
        keys = [UInt64](repeating: Self.free, count: size)
        merges = [Merge](repeating: Merge(rank: 0, token: 0), count: size)
    }

    /// The last one of a pair counts.
    mutating func insert(_ left: UInt32, _ right: UInt32, _ merge: Merge) {
        let slot = slot(left, right)
        keys[slot] = Self.key(left, right)
        merges[slot] = merge
    }

    func find(_ left: UInt32, _ right: UInt32) -> Merge? {
        let slot = slot(left, right)
        return keys[slot] == Self.free ? nil : merges[slot]
    }

    private static func key(_ left: UInt32, _ right: UInt32) -> UInt64 {
        UInt64(left) << 32 | UInt64(right)
    }

    private func slot(_ left: UInt32, _ right: UInt32) -> Int {
        let key = Self.key(left, right)
        // Fibonacci hashing: the high bits of the product are well mixed.
        let hash = (key ^ key >> 31) &* 0x9E37_79B9_7F4A_7C15
        var slot = Int(truncatingIfNeeded: hash >> 32) & (keys.count - 1)
        while keys[slot] != key && keys[slot] != Self.free { slot = (slot + 1) & (keys.count - 1) }
        return slot
    }
}
