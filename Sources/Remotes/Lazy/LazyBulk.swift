package import Elements
internal import Files
internal import KeyValue
package import Objects
package import Snapshots
internal import Synchronization

/// The data of a lazy clone: what its promises name, from the remotes that have it, and from the cache of what came before.
///
/// What several threads want at once is fetched once.
package final class LazyBulk: PromisedBulk {
    private let cache: BulkCache?
    private let jobs: Int
    private let url: @Sendable () throws -> [any Transport]
    private let state = Mutex(State())

    private typealias Coming = Awaited<Result<MappedBytes, any Error>>

    private struct State: Sendable {
        var remotes: [any Transport]?
        /// What is on its way.
        var coming: [BulkRange: Coming] = [:]
        var counts = LazyCounts()
    }

    /// - Parameters:
    ///   - cache: The folder for what was fetched; nil for none.
    ///   - limit: Bytes that the folder may have.
    ///   - jobs: Reads at a time.
    ///   - remotes: Called when something is fetched first; those that may have packs, the likeliest first.
    package init(
        cache: String?, limit: Int, jobs: Int = 4,
        remotes: @escaping @Sendable () throws -> [any Transport]
    ) {
        self.cache = cache.map { BulkCache(folder: $0, limit: limit) }
        self.jobs = jobs
        url = remotes
    }

    /// What was asked for, fetched and found so far.
    package var counts: LazyCounts { state.withLock { $0.counts } }

    package func read(_ ranges: [BulkRange]) throws -> [MappedBytes] {
        var mine: [(range: BulkRange, coming: Coming)] = []
        let awaited = state.withLock { state in
            ranges.map { range in
                if let coming = state.coming[range] { return coming }
                let coming = Coming()
                state.coming[range] = coming
                mine.append((range, coming))
                return coming
            }
        }
        fulfil(mine)
        return try awaited.map { try $0.wait().get() }
    }

    package func forget(_ ranges: [BulkRange]) {
        for (pack, ranges) in Dictionary(grouping: ranges, by: \.pack) {
            cache?.forget(pack, ranges.map(\.range))
        }
    }

    /// Gets ranges that nobody else is getting, and gives them to all who wait.
    private func fulfil(_ wanted: [(range: BulkRange, coming: Coming)]) {
        var missing: [(range: BulkRange, coming: Coming)] = []
        var cached = 0
        for (pack, items) in Dictionary(grouping: wanted, by: \.range.pack) {
            let found =
                cache?.read(pack, items.map(\.range.range))
                ?? [MappedBytes?](repeating: nil, count: items.count)
            for (item, bytes) in zip(items, found) {
                guard let bytes else {
                    missing.append(item)
                    continue
                }
                cached += bytes.count
                finish(item, .success(bytes))
            }
        }
        state.withLock { [cached] in $0.counts.cached += cached }
        guard !missing.isEmpty else { return }
        do {
            let pieces = try fetch(ReadPlan(missing.map(\.range)).reads)
            for item in missing { finish(item, Result { try Self.bytes(item.range, of: pieces) }) }
        } catch {
            for item in missing { finish(item, .failure(error)) }
        }
    }

    private func finish(
        _ item: (range: BulkRange, coming: Coming), _ result: Result<MappedBytes, any Error>
    ) {
        state.withLock { _ = $0.coming.removeValue(forKey: item.range) }
        item.coming.fulfil(result)
    }

    /// What came of one read.
    private struct Piece: Sendable {
        let read: ReadPlan.Read
        let bytes: MappedBytes
    }

    /// Reads from the remotes, several at a time, and keeps what came.
    private func fetch(_ reads: [ReadPlan.Read]) throws -> [Piece] {
        let remotes = try remotes()
        return try parallelMap(reads.count, width: jobs) { [self] index in
            let read = reads[index]
            let bytes = try Self.read(read, remotes)
            cache?.keep(read.pack, [(read.range.lowerBound, bytes)])
            state.withLock {
                $0.counts.requests += 1
                $0.counts.fetched += bytes.count
            }
            return Piece(read: read, bytes: bytes)
        }
    }

    private func remotes() throws -> [any Transport] {
        if let known = state.withLock({ $0.remotes }) { return known }
        // Outside the lock: it may look at profiles and certificates.
        let found = try url()
        return state.withLock { state in
            if let known = state.remotes { return known }
            state.remotes = found
            return found
        }
    }

    /// Asks one remote after the other.
    private static func read(
        _ read: ReadPlan.Read, _ remotes: [any Transport]
    ) throws -> MappedBytes {
        let key = RemoteKey.pack(read.pack)
        var failure: (any Error)?
        for remote in remotes {
            do {
                guard let bytes = try remote.read(key, read.range, limit: read.range.count)
                else { continue }
                guard bytes.count == read.range.count else {
                    throw CambiumError(
                        .network,
                        "\(remote.url) gave \(bytes.count) bytes of \(key) instead of \(read.range.count)"
                    )
                }
                return bytes
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        // A folder that is not mounted answers as one that never had the pack.
        for remote in remotes
        where try remote.read(RemoteKey.marker, nil, limit: 4096) == nil {
            throw CambiumError(
                .remote,
                "there is no remote at \(remote.url) (is its disk mounted, is its URL right?), and this lazy "
                    + "clone needs \(key) of it")
        }
        let asked = remotes.map(\.url).joined(separator: ", ")
        throw CambiumError(
            .remote,
            remotes.isEmpty
                ? "the data of pack \(read.pack.hex) lie on a remote, and the store names none; "
                    + "`cambium remote add NAME URL` does"
                : "\(asked) no longer has \(key), which this lazy clone needs: a collection removed it there. "
                    + "Fetch again, or push from a store that has its objects")
    }

    /// A range out of what came, in memory of its own.
    private static func bytes(_ wanted: BulkRange, of pieces: [Piece]) throws -> MappedBytes {
        let range = wanted.range
        let touching = pieces.filter {
            $0.read.pack == wanted.pack && $0.read.range.overlaps(range)
        }
        // What came alone, and can be used as it lies.
        if touching.count == 1, touching[0].read.range == range,
            touching[0].bytes.address.isMultiple(of: 64)
        {
            return touching[0].bytes
        }
        return MappedBytes(count: range.count, zeroed: false) { bytes in
            for piece in touching {
                let part = piece.read.range.clamped(to: range)
                let start = part.lowerBound - piece.read.range.lowerBound
                bytes.replace(
                    at: part.lowerBound - range.lowerBound,
                    by: piece.bytes.bytes.extracting(start..<(start + part.count)))
            }
        }
    }
}

/// What a lazy clone read.
package struct LazyCounts: Sendable, Equatable {
    package var requests = 0
    /// Bytes that came from remotes.
    package var fetched = 0
    /// Bytes that were found in the cache.
    package var cached = 0
}

extension LazyBulk {
    /// The folder in a store.
    private static let folder = "cache"
    private static let defaultLimit = 10 << 30

    /// Lets a store ask remotes for what it has promises of; does nothing where the process has opened it before.
    ///
    /// - Parameters:
    ///   - setting: `remote.cache` of the store's settings: bytes that the cache may have, with `K`, `M`, `G` or `T`; `0`
    ///     for no cache. Nil for 10 GiB, or a tenth of the disk where that is less.
    ///   - remotes: As of ``init(cache:limit:jobs:remotes:)``.
    /// - Throws: `usage` for a setting that says nothing.
    package static func attach(
        to store: SnapshotStore, cache setting: String?, jobs: Int = 4,
        remotes: @escaping @Sendable () throws -> [any Transport]
    ) throws {
        guard store.environment.promisedBulk == nil else { return }
        let limit =
            try setting.map(size)
            ?? min(defaultLimit, (diskSize(store.directory) ?? .max) / 10)
        store.environment.promisedBulk = LazyBulk(
            cache: limit > 0 ? store.directory + "/" + folder : nil, limit: limit, jobs: jobs,
            remotes: remotes)
    }

    /// Bytes as a setting tells them.
    static func size(_ text: String) throws -> Int {
        let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        var digits = text.uppercased()
        if digits.hasSuffix("IB") {
            digits.removeLast(2)
        } else if digits.hasSuffix("B") {
            digits.removeLast()
        }
        let unit = digits.last.flatMap { units[$0] }
        if unit != nil { digits.removeLast() }
        guard let number = Double(digits), number >= 0, number * Double(unit ?? 1) < 0x1p62 else {
            throw CambiumError(
                .usage, "remote.cache is '\(text)'; write a number of bytes, such as 500M or 20G")
        }
        return Int(number * Double(unit ?? 1))
    }
}
