internal import Elements

/// Positions of ids in a list, found by id: an open-addressing hash table of 32-bit positions.
///
/// A set of the ids would hold each of them a second time; this takes 8 bytes per id or less.
struct IDTable {
    private(set) var ids: [ObjectID] = []
    /// Position + 1, or 0; the number of slots is a power of two.
    private var slots: [UInt32] = Array(repeating: 0, count: 64)

    /// The position of `id` in the list, or nil.
    func position(_ id: ObjectID) -> Int? {
        var slot = Int(truncatingIfNeeded: id.prefix) & (slots.count - 1)
        while slots[slot] != 0 {
            let position = Int(slots[slot]) - 1
            if ids[position] == id { return position }
            slot = (slot + 1) & (slots.count - 1)
        }
        return nil
    }

    /// Makes room for `count` more ids; memory is taken when they come.
    mutating func reserve(_ count: Int) { ids.reserveCapacity(ids.count + count) }

    /// Appends an id that is not in the list.
    mutating func append(_ id: ObjectID) {
        ids.append(id)
        if ids.count * 4 > slots.count * 3 {
            slots = Array(repeating: 0, count: slots.count * 2)
            for position in ids.indices { insert(position) }
        } else {
            insert(ids.count - 1)
        }
    }

    private mutating func insert(_ position: Int) {
        var slot = Int(truncatingIfNeeded: ids[position].prefix) & (slots.count - 1)
        while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
        slots[slot] = UInt32(position + 1)
    }
}
