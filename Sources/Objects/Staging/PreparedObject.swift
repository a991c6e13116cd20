/// What was found out of an object before it is staged, on whatever thread.
package struct PreparedObject: Sendable {
    package let id: ObjectID
    /// What the store has of it.
    package let found: StoredCopies.Found?
    /// As which it is stored, rather than raw.
    package let difference: ObjectDifference?
}

extension StoredCopies {
    /// Compares an object with what it takes the place of; hashes it and looks for it where it is another.
    package func prepared(
        _ header: ObjectHeader, _ payload: RawSpan, after predecessor: Predecessor?
    ) throws -> PreparedObject {
        if let same = try unchanged(payload, header, after: [predecessor])[0] {
            return PreparedObject(id: same.id, found: same.found, difference: nil)
        }
        let id = header.id(of: payload)
        let found = try find([id], header, payload)[0]
        var difference: ObjectDifference?
        // A copy that takes a damaged one's place is raw: what it would be a difference from may need it.
        if found == nil, let predecessor {
            difference = try self.difference(of: payload, header, after: predecessor)
        }
        return PreparedObject(id: id, found: found, difference: difference)
    }
}
