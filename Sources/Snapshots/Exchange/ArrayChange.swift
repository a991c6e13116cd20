internal import Elements
package import Objects

/// An expert array as one store tells another of it: by ids, since places are a store's own.
package struct ArrayChange: Sendable, Equatable {
    package let root: ObjectID
    /// Ids in the array, absent ones included.
    package let count: Int
    /// The array that it differs from; zero when all ids are named.
    package let base: ObjectID
    /// Of what differs, ascending.
    package let ordinals: [UInt32]
    /// Of each of `ordinals`; ``ObjectID/zero`` for an absent expert.
    package let ids: [ObjectID]
}

extension ArrayChange {
    /// Refuses a change that does not say all that it must of an array behind one of `baseCount` ids.
    func check(after baseCount: Int) throws {
        let behind = ordinals.reversed().prefix { $0 >= baseCount }.count
        guard count >= baseCount, behind == count - baseCount else {
            throw CambiumError(
                .corrupt,
                "expert array \(root.short) that came has \(count) experts and says \(behind) of those "
                    + "behind the \(baseCount) of its base")
        }
    }
}

extension ByteEncoder {
    mutating func append(_ change: ArrayChange) {
        append(change.root)
        append(UInt64(change.count))
        append(change.base)
        append(UInt32(change.ids.count))
        // A whole array names every ordinal.
        if change.base != .zero {
            for ordinal in change.ordinals { append(ordinal) }
        }
        for id in change.ids { append(id) }
    }
}

extension ByteDecoder {
    mutating func arrayChange() throws -> ArrayChange {
        let root = try id()
        let claimed = try number(UInt64.self)
        let base = try id()
        let isWhole = base == .zero
        let changes = try count(minimum: ObjectID.byteCount + (isWhole ? 0 : 4))
        guard claimed <= UInt64(UInt32.max), isWhole ? claimed == UInt64(changes) : true else {
            throw Self.bad(root, "\(changes) changes of \(claimed) experts")
        }
        var ordinals: [UInt32] = []
        if isWhole {
            ordinals = (0..<changes).map(UInt32.init)
        } else {
            ordinals.reserveCapacity(changes)
            for _ in 0..<changes { ordinals.append(try number()) }
            guard zip(ordinals, ordinals.dropFirst()).allSatisfy({ $0 < $1 }),
                ordinals.last.map({ UInt64($0) < claimed }) ?? true
            else { throw Self.bad(root, "its ordinals do not ascend below \(claimed)") }
        }
        var ids: [ObjectID] = []
        ids.reserveCapacity(changes)
        for _ in 0..<changes { ids.append(try id()) }
        return ArrayChange(
            root: root, count: Int(claimed), base: base, ordinals: ordinals, ids: ids)
    }

    private static func bad(_ root: ObjectID, _ problem: String) -> CambiumError {
        CambiumError(.corrupt, "expert array \(root.short) that came: \(problem)")
    }
}
