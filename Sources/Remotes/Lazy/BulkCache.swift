internal import Elements
internal import Files
internal import Objects
internal import Synchronization

/// Bytes of remote packs that were fetched, in files of the store's folder `cache`; never more than a limit
/// (docs/format.md, "Cache of a lazy clone").
///
/// Of each remote pack there is a file with its bytes at their own offsets and holes between them, and one that says which
/// are there. So a neuron of two KiB costs what it is, and a tensor of many packs' length no more. Several processes use
/// one folder without locks: files are opened anew for each use, and what is wrong, since a process died or another one
/// removed a file, is found by whoever hashes the bytes. Nothing is synced, and no failure is one of the reader: it fetches.
final class BulkCache: Sendable {
    private let folder: String
    private let limit: Int

    /// What is known of one remote pack.
    private struct Known: Sendable {
        /// Which file told it, and how much of it was read.
        var identity: UInt64 = 0
        var length = 0
        var extents = ByteExtents()
    }

    private struct State: Sendable {
        var known: [ObjectID: Known] = [:]
        /// Bytes on the disk when all was last looked at, and what was written since.
        var usage: Int?
        var written = 0
    }

    private let state = Mutex(State())
    /// Held while room is made and taken.
    private let writing = Mutex(())

    init(folder: String, limit: Int) {
        self.folder = folder
        self.limit = limit
    }

    private static let data = ".data"
    private static let list = ".have"

    private func path(_ pack: ObjectID, _ suffix: String) -> String {
        "\(folder)/\(pack.hex)\(suffix)"
    }

    /// Bytes of one remote pack, nil for those that are not kept, each in memory of its own.
    func read(_ pack: ObjectID, _ ranges: [Range<Int>]) -> [MappedBytes?] {
        let nothing = [MappedBytes?](repeating: nil, count: ranges.count)
        do {
            let list = try PlacedFile(path(pack, Self.list), .reading)
            let extents = try extents(of: pack, list)
            guard ranges.contains(where: { extents.contains($0) }) else { return nothing }
            let file = try PlacedFile(path(pack, Self.data), .reading)
            let found = try ranges.map { range -> MappedBytes? in
                guard extents.contains(range) else { return nil }
                // What is too short is let go of, unseen.
                var count = 0
                let bytes = try MappedBytes(count: range.count, zeroed: false) { bytes in
                    count = try file.read(into: &bytes, at: range.lowerBound)
                }
                return count == range.count ? bytes : nil
            }
            list.touch()
            return found
        } catch {
            state.withLock { _ = $0.known.removeValue(forKey: pack) }
            return nothing
        }
    }

    /// Keeps pieces of a remote pack, unless there is no room for them.
    func keep(_ pack: ObjectID, _ pieces: [(offset: Int, bytes: MappedBytes)]) {
        let size = pieces.reduce(0) { $0 + $1.bytes.count }
        guard size > 0, size <= limit else { return }
        writing.withLock { _ in write(pack, pieces) }
    }

    private func write(_ pack: ObjectID, _ pieces: [(offset: Int, bytes: MappedBytes)]) {
        do {
            try makeStoreFolder(folder)
            // A piece begins and ends within pages, and so does the list.
            try makeRoom(for: pieces.reduce(4096) { $0 + $1.bytes.count + 8192 })
            let data = try PlacedFile(path(pack, Self.data), .writing)
            let list = try PlacedFile(path(pack, Self.list), .appending)
            for piece in pieces { try data.write(piece.bytes.bytes, at: piece.offset) }
            // Told last: what is told of is there, but for a power cut.
            let ranges = pieces.map { $0.offset..<($0.offset + $0.bytes.count) }
            try list.write(CacheList.encode(ranges, adds: true).raw)
        } catch {
            // Half of a list would be read as nonsense by the next.
            drop(pack)
        }
    }

    /// Keeps bytes no longer that turned out to be wrong.
    func forget(_ pack: ObjectID, _ ranges: [Range<Int>]) {
        do {
            let list = try PlacedFile(path(pack, Self.list), .appending)
            try list.write(CacheList.encode(ranges, adds: false).raw)
        } catch {
            drop(pack)
        }
    }

    /// What a list says by now.
    private func extents(
        of pack: ObjectID, _ list: borrowing PlacedFile
    ) throws -> ByteExtents {
        let (identity, length) = try list.state()
        var known = state.withLock { $0.known[pack] } ?? Known()
        if known.identity != identity || known.length > length {
            known = Known()
            known.identity = identity
        }
        let end = length / CacheList.entryCount * CacheList.entryCount
        guard end > known.length else { return known.extents }
        var count = 0
        let start = known.length
        let tail = try MappedBytes(count: end - start) { bytes in
            count = try list.read(into: &bytes, at: start)
        }
        guard count == end - start, CacheList.apply(tail.bytes, to: &known.extents) else {
            drop(pack)
            throw CambiumError(.corrupt, "\(path(pack, Self.list)) was damaged")
        }
        known.length = end
        state.withLock { [known] in $0.known[pack] = known }
        return known.extents
    }

    /// Removes what was used longest ago, so that so many bytes more fit.
    private func makeRoom(for size: Int) throws {
        let isCounted = state.withLock { state in
            guard let usage = state.usage, state.written + size <= limit / 64,
                usage + state.written + size <= limit
            else { return false }
            state.written += size
            return true
        }
        if isCounted { return }
        var packs: [ObjectID: (bytes: Int, used: Int)] = [:]
        for name in try directoryContents(folder) {
            guard let pack = Self.pack(name), let file = occupation(of: "\(folder)/\(name)")
            else { continue }
            let before = packs[pack] ?? (0, 0)
            packs[pack] = (before.bytes + file.bytes, max(before.used, file.used))
        }
        var usage = packs.values.reduce(0) { $0 + $1.bytes }
        for (pack, file) in packs.sorted(by: { ($0.value.used, $0.key) < ($1.value.used, $1.key) })
        {
            if usage + size <= limit { break }
            drop(pack)
            usage -= file.bytes
        }
        state.withLock { [usage] in
            $0.usage = usage
            $0.written = size
        }
    }

    /// The remote pack of which a file in the folder is; nil for what this cache did not make.
    private static func pack(_ name: String) -> ObjectID? {
        for suffix in [data, list] where name.hasSuffix(suffix) {
            return ObjectID(hex: String(name.dropLast(suffix.count)))
        }
        return nil
    }

    /// Removes what is kept of a pack; the list first, so that it never tells of what is gone.
    private func drop(_ pack: ObjectID) {
        try? removeFile(path(pack, Self.list))
        try? removeFile(path(pack, Self.data))
        state.withLock { _ = $0.known.removeValue(forKey: pack) }
    }
}

/// The list of what is kept of a remote pack: entries that are only ever added.
enum CacheList {
    /// u64 offset; u64 length, its highest bit set for bytes that are there no longer; u64 check of both.
    static let entryCount = 24
    private static let gone: UInt64 = 1 << 63
    /// Longer than any remote pack.
    private static let greatest: UInt64 = 1 << 53

    static func encode(_ ranges: [Range<Int>], adds: Bool) -> [UInt8] {
        var encoder = ByteEncoder(capacity: ranges.count * entryCount)
        for range in ranges {
            let (offset, length) = (
                UInt64(range.lowerBound), UInt64(range.count) | (adds ? 0 : gone)
            )
            encoder.append(offset)
            encoder.append(length)
            encoder.append(check(offset, length))
        }
        return encoder.bytes
    }

    /// Follows some entries; false when one is damaged.
    static func apply(_ bytes: RawSpan, to extents: inout ByteExtents) -> Bool {
        for start in stride(from: 0, to: bytes.byteCount, by: entryCount) {
            let offset = bytes.number(at: start, as: UInt64.self)
            let length = bytes.number(at: start + 8, as: UInt64.self)
            guard bytes.number(at: start + 16, as: UInt64.self) == check(offset, length),
                offset <= greatest, length & ~gone <= greatest
            else { return false }
            let range = Int(offset)..<(Int(offset) + Int(length & ~gone))
            if length & gone == 0 { extents.insert(range) } else { extents.remove(range) }
        }
        return true
    }

    private static func check(_ offset: UInt64, _ length: UInt64) -> UInt64 {
        let prime: UInt64 = 0x9E37_79B9_7F4A_7C15
        let first = (offset ^ 0x4341_4348) &* prime
        let second = ((first << 29 | first >> 35) ^ length) &* prime
        return second ^ second >> 32
    }
}
