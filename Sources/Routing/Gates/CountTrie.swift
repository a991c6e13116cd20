/// The counts of one class, of every order up to the full one, as a tree of bytes: a node is a sequence,
/// its children are the sequences with one byte more behind it.
///
/// A context of a text is the node of its last bytes; the node of the context after the next byte is a child
/// of the one that is a byte shorter, so that a text is followed from node to node, whatever the order.
struct CountTrie: Sendable {
    /// The node of a sequence that was not counted.
    static let none = UInt32.max
    private static let root: UInt32 = 0

    let order: Int
    /// By node, shorter sequences first, those of one length in the order of their bytes: the last byte.
    private let bytes: [UInt8]
    /// How often the sequence occurs with enough bytes behind it; of the full order, how often at all.
    private let counts: [UInt64]
    /// The first child; the next node's first child ends a node's own.
    private let children: [UInt32]

    /// - Parameter counts: Below 2^32 / order different sequences.
    init(_ counts: NGramCounts) {
        order = counts.order
        // From the full order down: the sequences of each length, and how many of the longer ones each has.
        var levels: [(keys: [UInt64], counts: [UInt64], children: [UInt32])] = [
            (counts.entries.map(\.key), counts.entries.map(\.count), [])
        ]
        levels[0].children = [UInt32](repeating: 0, count: counts.entries.count)
        for _ in 0..<counts.order {
            let longer = levels[levels.count - 1]
            var shorter: (keys: [UInt64], counts: [UInt64], children: [UInt32]) = ([], [], [])
            // Sequences with the same beginning are neighbours.
            for (key, count) in zip(longer.keys, longer.counts) {
                if shorter.keys.last == key >> 8 {
                    shorter.counts[shorter.counts.count - 1] += count
                    shorter.children[shorter.children.count - 1] += 1
                } else {
                    shorter.keys.append(key >> 8)
                    shorter.counts.append(count)
                    shorter.children.append(1)
                }
            }
            levels.append(shorter)
        }
        if counts.entries.isEmpty { levels[levels.count - 1] = ([0], [0], [0]) }
        levels.reverse()
        bytes = levels.flatMap { $0.keys.map { UInt8(truncatingIfNeeded: $0) } }
        self.counts = levels.flatMap(\.counts)
        var next: UInt32 = 1
        var children: [UInt32] = []
        children.reserveCapacity(bytes.count + 1)
        for count in levels.lazy.flatMap(\.children) {
            children.append(next)
            next += count
        }
        self.children = children + [next]
    }

    /// Where a text begins.
    var start: [UInt32] { [Self.root] + [UInt32](repeating: Self.none, count: order - 1) }

    /// The node of a sequence and one more byte, or `none`.
    private func child(_ node: UInt32, _ byte: UInt8) -> UInt32 {
        guard node != Self.none else { return Self.none }
        var (low, high) = (Int(children[Int(node)]), Int(children[Int(node) + 1]))
        let end = high
        while low < high {
            let middle = (low + high) / 2
            if bytes[middle] < byte { low = middle + 1 } else { high = middle }
        }
        return low < end && bytes[low] == byte ? UInt32(low) : Self.none
    }

    /// The probability of a byte, in units of 2^-30, and the text's place behind it.
    ///
    /// - Parameter place: Before the byte; changed to behind it. Its elements from `first` on.
    func advance(
        _ place: inout [UInt32], first: Int, _ byte: UInt8, _ pseudoCount: UInt64
    ) -> UInt64 {
        var probability: UInt64 = FixedPoint.unit / 256
        var behind = Self.root
        for size in 0..<order {
            let node = place[first + size]
            place[first + size] = behind
            guard node != Self.none, counts[Int(node)] > 0 else {
                behind = Self.none
                continue
            }
            behind = child(node, byte)
            let together = behind == Self.none ? 0 : counts[Int(behind)]
            let pseudo = pseudoCount * UInt64(followers(node))
            probability =
                (together << 30 + pseudo * probability) / (counts[Int(node)] + pseudo)
        }
        return probability
    }

    /// How many different bytes were seen behind a sequence.
    private func followers(_ node: UInt32) -> Int {
        Int(children[Int(node) + 1]) - Int(children[Int(node)])
    }

    /// How often a context was seen, and how many different bytes behind it; nil for `none`.
    func seen(_ node: UInt32) -> (count: UInt64, followers: Int)? {
        node == Self.none ? nil : (counts[Int(node)], followers(node))
    }

    /// The bytes that were seen behind a context, ascending, and how often.
    func forEachFollower(_ node: UInt32, _ body: (UInt8, UInt64) -> Void) {
        for child in Int(children[Int(node)])..<Int(children[Int(node) + 1]) {
            body(bytes[child], counts[child])
        }
    }

    /// Each sequence of the full order, and how often it occurs.
    func forEach(_ body: (UInt64, Int) -> Void) { walk(Self.root, 0, 0, body) }

    private func walk(
        _ node: UInt32, _ length: Int, _ key: UInt64, _ body: (UInt64, Int) -> Void
    ) {
        if length == order { return body(key, Int(counts[Int(node)])) }
        for child in children[Int(node)]..<children[Int(node) + 1] {
            walk(child, length + 1, key << 8 | UInt64(bytes[Int(child)]), body)
        }
    }

    /// The probability of a sequence's last byte when one of its own occurrences is left out of the
    /// counts, so that a text does not vouch for itself, in units of 2^-30.
    func probabilityLeavingOut(_ key: UInt64, _ pseudoCount: UInt64) -> UInt64 {
        var probability: UInt64 = FixedPoint.unit / 256
        for size in 0..<order {
            let context = find(key >> 8, length: size)
            let byte = UInt8(truncatingIfNeeded: key)
            // A text's first bytes are in no shorter sequence's count.
            let sequence = child(context, byte)
            guard sequence != Self.none, counts[Int(context)] > 1 else { continue }
            let (seen, together) = (counts[Int(context)] - 1, counts[Int(sequence)] - 1)
            let pseudo = pseudoCount * UInt64(followers(context) - (together == 0 ? 1 : 0))
            guard seen + pseudo > 0 else { continue }
            probability = (together << 30 + pseudo * probability) / (seen + pseudo)
        }
        return probability
    }

    /// The node of the last bytes of a big-endian number.
    private func find(_ key: UInt64, length: Int) -> UInt32 {
        var node = Self.root
        for position in stride(from: 8 * (length - 1), through: 0, by: -8) {
            node = child(node, UInt8(truncatingIfNeeded: key >> UInt64(position)))
        }
        return node
    }
}
