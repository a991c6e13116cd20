/// Distinct byte strings, numbered in the order in which they were added, and found by content.
///
/// Keys are bytes, not `String`s: those that are canonically equivalent would be one key, and a
/// vocabulary holds them as two tokens.
struct ByteTable: Sendable {
    private var bytes: [UInt8] = []
    /// Where each ends; the first starts at 0.
    private var ends: [Int] = []
    /// Positions + 1 by hash, 0 where there is none; open addressing, at most half full.
    private var slots: [UInt32]

    init(capacity: Int = 0) {
        var size = 64
        while size < 2 * capacity { size *= 2 }
        slots = [UInt32](repeating: 0, count: size)
    }

    var count: Int { ends.count }

    subscript(index: Int) -> ArraySlice<UInt8> {
        bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]]
    }

    /// The position of a string, or nil.
    func find(_ key: ArraySlice<UInt8>) -> Int? {
        let slot = slot(key)
        return slots[slot] == 0 ? nil : Int(slots[slot]) - 1
    }

    /// Adds a string.
    ///
    /// - Returns: Its position, and whether it is new.
    mutating func insert(_ key: ArraySlice<UInt8>) -> (index: Int, isNew: Bool) {
        if 2 * (count + 1) > slots.count { grow() }
        let slot = slot(key)
        if slots[slot] != 0 { return (Int(slots[slot]) - 1, false) }
        bytes.append(contentsOf: key)
        ends.append(bytes.count)
        slots[slot] = UInt32(count)
        return (count - 1, true)
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: 2 * slots.count)
        for index in 0..<count { slots[slot(self[index])] = UInt32(index + 1) }
    }

    /// Where a key is, or would be.
    private func slot(_ key: ArraySlice<UInt8>) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: Self.hash(key)) & mask
        while slots[slot] != 0 && !equals(Int(slots[slot]) - 1, key) { slot = (slot + 1) & mask }
        return slot
    }

    private func equals(_ index: Int, _ key: ArraySlice<UInt8>) -> Bool {
        let start = index == 0 ? 0 : ends[index - 1]
        guard ends[index] - start == key.count else { return false }
        let shift = start - key.startIndex
        for at in key.indices where bytes[at + shift] != key[at] { return false }
        return true
    }

    /// FNV-1a, its high bits folded into the low ones.
    private static func hash(_ key: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash ^ hash >> 29
    }
}
