internal import Elements

/// What a collection of a remote is going to remove, written down a grace period before it does.
///
/// A text of lines, each a key, behind one that says what it is (docs/remote-format.md, "Collection").
struct CollectionMark: Sendable {
    let number: UInt64
    /// When it was written, by the remote's clock.
    let time: Int64
    let keys: [String]
    /// Whether it was carried out.
    ///
    /// Then nothing more is removed by it, but pushes heed it for another day: who carries
    /// it out as well may not have noticed.
    let isDone: Bool

    private static let head = "cambium-collection 1"
    private static let doneHead = "cambium-collection 1 done"
    /// More bytes are no mark; a collection with more to remove leaves the rest to the next.
    static let greatestSize = 64 << 20
    static let greatestCount = 500_000

    static func encode(_ keys: [String], isDone: Bool = false) -> [UInt8] {
        Array(([isDone ? doneHead : head] + keys).map { $0 + "\n" }.joined().utf8)
    }

    static func decode(
        _ bytes: [UInt8], _ key: String
    ) throws -> (keys: [String], isDone: Bool) {
        let lines = String(decoding: bytes, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard lines.first == head || lines.first == doneHead, lines.last == "" else {
            throw CambiumError(
                .corrupt, "\(key) of the remote is not what a collection writes; remove it by hand")
        }
        return (Array(lines.dropFirst().dropLast()), lines.first == doneHead)
    }
}

extension Remote {
    /// The marks of collections that have not removed what they name, or did so not long ago.
    func marks() throws -> (marks: [CollectionMark], now: Int64) {
        let (entries, now) = try list(RemoteKey.marks)
        let numbered = entries.compactMap { entry in
            RemoteKey.number(entry.key.dropFirst(RemoteKey.marks.count)).map { ($0, entry) }
        }
        let remote = self
        let marks = try parallelMap(numbered.count, width: jobs) { index in
            let (number, entry) = numbered[index]
            // One that was removed since the listing names nothing any more.
            let bytes = try remote.transport.read(
                entry.key, nil, limit: CollectionMark.greatestSize)
            return try bytes.map {
                let (keys, isDone) = try CollectionMark.decode($0.copy(), entry.key)
                return CollectionMark(
                    number: number, time: entry.modified, keys: keys, isDone: isDone)
            }
        }
        return (marks.compactMap { $0 }, now)
    }

    /// Every key that a collection is going to remove.
    func doomed() throws -> Set<String> { Set(try marks().marks.flatMap(\.keys)) }
}
