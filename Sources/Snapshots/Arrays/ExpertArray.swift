internal import Elements
internal import KeyValue
package import Objects

/// The identity of an ordered list of expert ids: a Merkle radix array with 16 children per node.
///
/// Its shape depends on the number of ids alone, so equal lists have equal roots however they were
/// made (docs/format.md, "Expert arrays").
package enum ExpertArray {
    static let fanOut = 16
    /// Nodes of this height and above are stored with an array.
    ///
    /// So changing k of N experts hashes 256 ids for each change and not all N; the nodes below are
    /// cheap to recompute.
    static let storedHeight = 2
    /// Ids below one stored node of the lowest height.
    static let blockCount = 256
    private static let nodeMagic: UInt64 = 0x4E42_4D43  // "CMBN"
    private static let rootMagic: [UInt8] = Array("CMBA".utf8)

    /// The root of `ids`; ``ObjectID/zero`` marks an absent expert.
    ///
    /// - Complexity: One SHA-256 per 16 ids, times 16/15, on all cores.
    package static func root(of ids: [ObjectID]) -> ObjectID { nodes(of: ids).root }

    /// The root of `ids`, and every node of the stored heights.
    static func nodes(of ids: [ObjectID]) -> (root: ObjectID, stored: ArrayNodes) {
        var stored = ArrayNodes()
        var level = ids
        var height = 1
        while level.count > 1 {
            level = parents(of: level, height: height)
            if height >= storedHeight {
                stored.levels.append(.init(indexes: level.indices.map(UInt32.init), ids: level))
            }
            height += 1
        }
        return (root(count: ids.count, top: level.first ?? .zero), stored)
    }

    /// The nodes of `height` over `children`, which begin at a multiple of 16.
    static func parents(of children: [ObjectID], height: Int) -> [ObjectID] {
        concurrentMap((children.count + fanOut - 1) / fanOut, grain: 1024) { index in
            let start = index * fanOut
            return node(children[start..<min(start + fanOut, children.count)], height: height)
        }
    }

    static func node(_ children: ArraySlice<ObjectID>, height: Int) -> ObjectID {
        ObjectID(
            hashing: nodeMagic | UInt64(height) << 32 | UInt64(children.count) << 40, children)
    }

    static func root(count: Int, top: ObjectID) -> ObjectID {
        var encoder = ByteEncoder()
        encoder.append(raw: rootMagic)
        encoder.append(UInt64(count))
        encoder.append(top)
        return ObjectID(hashing: encoder.bytes)
    }

    /// The height of the single top node over `count` ids: 0 for one id, which is its own top.
    static func topHeight(_ count: Int) -> Int {
        var height = 0
        var width = count
        while width > 1 {
            width = (width + fanOut - 1) / fanOut
            height += 1
        }
        return height
    }

    /// Nodes of one height over `count` ids.
    static func nodeCount(_ count: Int, height: Int) -> Int {
        let width = 1 << (4 * height)
        return (count + width - 1) / width
    }
}

/// Some nodes of an expert array, by height from ``ExpertArray/storedHeight`` on.
struct ArrayNodes: Sendable {
    struct Level: Sendable {
        /// Ascending.
        var indexes: [UInt32]
        var ids: [ObjectID]

        /// The node at `index`, or nil when it is not among these.
        func node(_ index: Int) -> ObjectID? {
            var low = 0
            var high = indexes.count
            while low < high {
                let middle = (low + high) / 2
                if Int(indexes[middle]) < index { low = middle + 1 } else { high = middle }
            }
            return low < indexes.count && Int(indexes[low]) == index ? ids[low] : nil
        }
    }

    var levels: [Level] = []

    /// The nodes of a stored height; none where there are none.
    func level(height: Int) -> Level {
        let level = height - ExpertArray.storedHeight
        return levels.indices.contains(level) ? levels[level] : Level(indexes: [], ids: [])
    }
}

/// One expert of an array: where it lies, and the end of its id, which tells when another object
/// lies there.
///
/// The whole id is in the directory of the pack: nothing is said twice.
package struct ArrayEntry: Sendable, Equatable {
    package let location: Location
    package let check: UInt32

    package init(id: ObjectID, location: Location) {
        self.init(location: location, check: id.check)
    }

    init(location: Location, check: UInt32) {
        self.location = location
        self.check = check
    }

    /// Pack 0 does not exist.
    static let absent = ArrayEntry(location: Location(pack: 0, unit: 0), check: 0)

    /// All of it is zero: a pack number alone that became 0 names no place, and is found to be damaged.
    package var isAbsent: Bool { location.pack == 0 && location.unit == 0 && check == 0 }
}

extension ObjectReader {
    /// The id of an array's entry; ``ObjectID/zero`` for an absent one.
    func id(
        of entry: ArrayEntry, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ObjectID {
        entry.isAbsent ? .zero : try id(at: entry.location, check: entry.check, transaction)
    }
}
