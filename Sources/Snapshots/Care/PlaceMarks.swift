internal import Objects

/// A set of places in packs: one bit for each unit.
///
/// Marking by place instead of by id needs no look-up for an expert, since arrays hold places, and
/// two bytes instead of fifty for each.
struct PlaceMarks: Sendable {
    /// By pack number; bits by unit.
    private var packs: [[UInt64]] = []
    private(set) var count = 0
    /// Places that no pack of the store can have; they are not kept.
    private(set) var impossible = 0
    private let lastPack: UInt32

    /// - Parameter lastPack: The highest pack number of the store.
    init(lastPack: UInt32) { self.lastPack = lastPack }

    mutating func insert(_ location: Location) {
        guard location.pack <= lastPack, location.unit <= PackFormat.lastUnit else {
            impossible += 1
            return
        }
        let pack = Int(location.pack)
        if pack >= packs.count {
            packs.append(contentsOf: repeatElement([], count: pack + 1 - packs.count))
        }
        let word = Int(location.unit >> 6)
        if word >= packs[pack].count {
            packs[pack].append(contentsOf: repeatElement(0, count: word + 1 - packs[pack].count))
        }
        let bit = UInt64(1) << UInt64(location.unit & 63)
        if packs[pack][word] & bit == 0 {
            packs[pack][word] |= bit
            count += 1
        }
    }

    func contains(_ location: Location) -> Bool {
        let pack = Int(location.pack)
        let word = Int(location.unit >> 6)
        guard pack < packs.count, word < packs[pack].count else { return false }
        return packs[pack][word] & UInt64(1) << UInt64(location.unit & 63) != 0
    }

    /// Whether anything in the pack is marked.
    func isMarked(pack: UInt32) -> Bool {
        Int(pack) < packs.count && packs[Int(pack)].contains { $0 != 0 }
    }
}
