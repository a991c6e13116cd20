internal import Elements
package import Objects

/// What some commits are, but for their data: the records of commits and trees, the arrays of experts, and the names of
/// the remote packs that hold the rest (docs/remote-format.md, "Bundles").
package struct CommitBundle: Sendable, Equatable {
    /// A remote pack and the bytes that it has.
    package struct PackName: Sendable, Hashable {
        package let id: ObjectID
        package let count: Int

        package init(id: ObjectID, count: Int) {
            self.id = id
            self.count = count
        }
    }

    /// A record of a commit, a tree, a trunk, a layer or a layout.
    package struct Record: Sendable, Equatable {
        package let kind: ObjectKind
        package let bytes: [UInt8]

        package init(kind: ObjectKind, bytes: [UInt8]) {
            self.kind = kind
            self.bytes = bytes
        }

        package func id() throws -> ObjectID {
            try ObjectHeader(kind, byteCount: bytes.count).id(of: bytes.raw)
        }
    }

    /// Parents first.
    package var commits: [ObjectID] = []
    package var packs: [PackName] = []
    package var records: [Record] = []
    package var arrays: [ArrayChange] = []
    package var notes: [Note] = []
    /// Means nothing: a bundle that must have another name has another one.
    package var salt: UInt64 = 0

    private static let magic: UInt32 = 0x444E_4243  // "CBND"
    /// Bytes of the content, and how many of them each byte of a bundle may become, so that a hostile one does not fill
    /// memory.
    package static let greatestContent = 2 << 30
    private static let greatestRatio = 4096

    /// Bytes of the content, about.
    package var weight: Int {
        records.reduce(0) { $0 + $1.bytes.count + 5 } + arrays.reduce(0) { $0 + 36 * $1.ids.count }
            + 32 * commits.count + 40 * packs.count + 256 * notes.count
    }

    package init() {}

    /// The bytes that a remote keeps: magic, version, the packs, length of the content, and one zstd frame.
    package func encoded() throws -> [UInt8] {
        var content = ByteEncoder()
        content.append(UInt32(commits.count))
        for commit in commits { content.append(commit) }
        content.append(UInt32(records.count))
        for record in records {
            content.append(record.kind.rawValue)
            content.append(UInt32(record.bytes.count))
            content.append(raw: record.bytes)
        }
        content.append(UInt32(arrays.count))
        for array in arrays { content.append(array) }
        content.append(UInt32(notes.count))
        for note in notes {
            let bytes = note.encoded
            content.append(UInt32(bytes.count))
            content.append(raw: bytes)
        }
        content.append(salt)
        guard content.bytes.count <= Self.greatestContent else {
            throw CambiumError(
                .tooLarge,
                "the records of \(commits.count) commits take \(content.bytes.count) bytes; push fewer "
                    + "commits at a time")
        }
        var compressor = try ZstdCompressor(level: 3)
        var encoder = ByteEncoder()
        encoder.append(Self.magic)
        encoder.append(UInt32(1))
        encoder.append(UInt32(packs.count))
        for pack in packs {
            encoder.append(pack.id)
            encoder.append(UInt64(pack.count))
        }
        // A collection reads no more than this.
        encoder.append(raw: Self.checksum(encoder.bytes))
        encoder.append(UInt64(content.bytes.count))
        encoder.append(raw: try compressor.frame(of: content.bytes.raw))
        return encoder.bytes
    }

    private static let checksumCount = 16

    private static func checksum(_ bytes: [UInt8]) -> [UInt8] {
        Array(ObjectID(hashing: bytes).bytes.prefix(checksumCount))
    }

    /// The packs that the beginning of a bundle names, and the bytes that they take there.
    ///
    /// - Returns: Nil when the names take more than the bytes given.
    package static func packs(
        beginning bytes: [UInt8]
    ) throws -> (packs: [PackName], end: Int)? {
        let raw = bytes.raw
        guard bytes.count >= 12, raw.number(at: 0, as: UInt32.self) == magic,
            raw.number(at: 4, as: UInt32.self) == 1
        else {
            throw CambiumError(.corrupt, "\(bytes.count) bytes are no bundle of commits")
        }
        let count = Int(raw.number(at: 8, as: UInt32.self))
        let end = 12 + count * (ObjectID.byteCount + 8)
        guard bytes.count >= end + checksumCount else { return nil }
        guard checksum(Array(bytes[..<end])) == Array(bytes[end..<end + checksumCount]) else {
            throw CambiumError(
                .corrupt, "a bundle's list of packs does not match its checksum: it was damaged")
        }
        var packs: [PackName] = []
        for index in 0..<count {
            let offset = 12 + index * (ObjectID.byteCount + 8)
            let size: UInt64 = raw.number(at: offset + ObjectID.byteCount)
            guard size <= 1 << 40 else {
                throw CambiumError(.corrupt, "a bundle names a pack of \(size) bytes")
            }
            packs.append(PackName(id: ObjectID(raw, at: offset), count: Int(size)))
        }
        return (packs, end + checksumCount)
    }

    /// What a bundle says of itself: its packs, where its content begins, and how many bytes that has.
    private static func head(
        _ bytes: [UInt8]
    ) throws -> (packs: [PackName], start: Int, count: Int) {
        guard let (packs, end) = try packs(beginning: bytes), bytes.count - end >= 8 else {
            throw CambiumError(.corrupt, "a bundle of commits ends early")
        }
        let claimed: UInt64 = bytes.raw.number(at: end)
        guard claimed <= UInt64(greatestContent),
            claimed <= UInt64(bytes.count) * UInt64(greatestRatio)
        else {
            throw CambiumError(
                .corrupt, "a bundle of commits of \(bytes.count) bytes claims to hold \(claimed)")
        }
        return (packs, end + 8, Int(claimed))
    }

    /// Bytes that a bundle's content takes in memory, which is not touched.
    package static func contentCount(_ bytes: [UInt8]) throws -> Int { try head(bytes).count }

    package init(decoding bytes: [UInt8]) throws {
        let raw = bytes.raw
        let (packs, start, claimed) = try Self.head(bytes)
        self.packs = packs
        var decompressor = try ZstdDecompressor()
        let content = try decompressor.content(
            of: raw.extracting(start..<bytes.count), count: claimed)
        var decoder = ByteDecoder(content, "a bundle of commits")
        for _ in 0..<(try decoder.count(minimum: ObjectID.byteCount)) {
            commits.append(try decoder.id())
        }
        for _ in 0..<(try decoder.count(minimum: 5)) {
            let raw = try decoder.number(UInt8.self)
            guard let kind = ObjectKind(rawValue: raw), !kind.isData else {
                throw CambiumError(.corrupt, "a bundle has a record of the kind \(raw)")
            }
            let count = try decoder.count(minimum: 1)
            records.append(Record(kind: kind, bytes: try decoder.take(count)))
        }
        for _ in 0..<(try decoder.count(minimum: 76)) { arrays.append(try decoder.arrayChange()) }
        for _ in 0..<(try decoder.count(minimum: 4)) {
            let count = try decoder.count(minimum: 1)
            notes.append(try Note(decoding: try decoder.take(count)))
        }
        salt = try decoder.number()
        try decoder.end()
    }

    /// Adds what another bundle has.
    package mutating func add(_ other: CommitBundle) {
        commits += other.commits
        packs += other.packs
        records += other.records
        arrays += other.arrays
        notes += other.notes
    }
}
