internal import Elements
internal import Objects
internal import Snapshots

/// Sends the packs of a push.
struct Upload {
    let remote: Remote
    /// Of packs that a collection of the remote is about to remove, what has their name is written under another.
    let marks: MarkWatch

    /// How old a pack of an earlier attempt may be to be relied upon, by the remote's clock: collections leave younger
    /// ones than a day alone.
    private static let greatestAge: Int64 = 6 * 3600

    /// A pack that is on the remote.
    struct Sent: Sendable {
        let name: CommitBundle.PackName
        /// What of the push's bulk it holds.
        let bulk: Int
    }

    /// Records that go into one pack, neighbours of the store together.
    static func batches(_ sizes: [Int], packSize: Int) -> [Range<Int>] {
        var batches: [Range<Int>] = []
        var start = 0
        var total = 0
        for (index, size) in sizes.enumerated() {
            if index > start, total + size > packSize {
                batches.append(start..<index)
                (start, total) = (index, 0)
            }
            total += size
        }
        if start < sizes.count { batches.append(start..<sizes.count) }
        return batches
    }

    /// Writes a pack and then its index.
    ///
    /// - Parameter mayBeThere: Whether it is worth a question whether an earlier attempt left the pack.
    func send(_ parts: [PackParts], mayBeThere: Bool) throws -> Sent {
        var index = PackIndex()
        var pieces: [MappedBytes] = []
        for part in parts {
            index.add(part.stub)
            if part.bulk.count > 0 {
                MappedBytes.willNeed([part.bulk])
                pieces.append(part.bulk)
            }
        }
        var digest = Self.digest(pieces)
        var encoded = TransportBody(index.encoded(digest))
        var padding = 0
        try marks.check()
        while marks.isDoomed(RemoteKey.pack(encoded.digest))
            || marks.isDoomed(RemoteKey.index(encoded.digest))
        {
            // The same bytes and some more have another name.
            let salt = remote.random(16)
            pieces.append(MappedBytes(copying: salt))
            padding += salt.count
            digest = Self.digest(pieces)
            encoded = TransportBody(index.encoded(digest, padding: padding))
        }
        let body = TransportBody(pieces, digest: digest)
        let id = encoded.digest
        let name = CommitBundle.PackName(id: id, count: body.count)
        marks.rely(on: [RemoteKey.pack(id), RemoteKey.index(id)])
        if try !mayBeThere || !isThere(RemoteKey.pack(id), body.count) {
            try remote.transport.write(RemoteKey.pack(id), body)
        }
        try remote.transport.write(RemoteKey.index(id), encoded)
        return Sent(name: name, bulk: index.count)
    }

    private static func digest(_ pieces: [MappedBytes]) -> ObjectID {
        ObjectID(
            hashing: [],
            parts: { read in
                for piece in pieces { read(piece.bytes) }
            })
    }

    private func isThere(_ key: String, _ count: Int) throws -> Bool {
        guard let found = try remote.transport.entry(key) else { return false }
        return found.entry.size == count && found.now - found.entry.modified < Self.greatestAge
    }
}
