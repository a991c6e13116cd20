package import Objects

/// The identity of an ordered list of expert ids: a Merkle radix array with 16 children per node.
///
/// Its shape depends on the number of ids alone, so equal lists have equal roots however they were
/// made (docs/format.md, "Expert arrays").
package enum ExpertArray {
    static let fanOut = 16
    private static let nodeMagic: [UInt8] = Array("CMBN".utf8)
    private static let rootMagic: [UInt8] = Array("CMBA".utf8)

    /// The root of `ids`; ``ObjectID/zero`` marks an absent expert.
    ///
    /// - Complexity: One SHA-256 per 16 ids, times 16/15.
    package static func root(of ids: [ObjectID]) -> ObjectID {
        var level = ids
        var height: UInt8 = 1
        while level.count > 1 {
            var next: [ObjectID] = []
            next.reserveCapacity((level.count + fanOut - 1) / fanOut)
            for start in stride(from: 0, to: level.count, by: fanOut) {
                let children = level[start..<min(start + fanOut, level.count)]
                next.append(node(children, height))
            }
            level = next
            height += 1
        }
        var encoder = ByteEncoder()
        encoder.append(raw: rootMagic)
        encoder.append(UInt64(ids.count))
        encoder.append(level.first ?? .zero)
        return ObjectID(hashing: encoder.bytes)
    }

    private static func node(_ children: ArraySlice<ObjectID>, _ height: UInt8) -> ObjectID {
        var encoder = ByteEncoder()
        encoder.append(raw: nodeMagic)
        encoder.append(height)
        encoder.append(UInt8(children.count))
        encoder.append(UInt16(0))
        for child in children { encoder.append(child) }
        return ObjectID(hashing: encoder.bytes)
    }
}

/// One expert of an array: its id and where it lay when the array was written.
///
/// The location is a hint that saves a look-up; repacking may move the object, and then the location
/// index tells.
package struct ArrayEntry: Sendable, Equatable {
    package let id: ObjectID
    package let location: Location

    package init(id: ObjectID, location: Location) {
        self.id = id
        self.location = location
    }

    static let absent = ArrayEntry(id: .zero, location: Location(pack: 0, unit: 0))
}
