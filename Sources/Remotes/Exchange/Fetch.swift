package import Elements
package import Objects
package import Snapshots
internal import Synchronization

/// What a fetch did.
package struct FetchReport: Sendable {
    package struct Update: Sendable {
        package let kind: ReferenceKind
        /// The branch or tag as the remote names it.
        package let name: String
        package let old: ObjectID?
        /// Nil for a branch that the remote has no more.
        package let new: ObjectID?
    }

    package var updates: [Update] = []
    package var commits = 0
    package var objects = 0
    /// Bytes of data that stayed on the remote, as they are stored there.
    package var promised = 0
    package var counts = TransportCounts()
    /// Names of the remote that no store may use, or that are taken by other tags here; they were left out.
    package var refused: [String] = []
}

/// Brings commits of a remote into a store, each byte checked against the name that leads to it.
package struct Fetch: Sendable {
    private let store: SnapshotStore
    private let remote: Remote
    /// The remote's name in the store, for tracking references.
    private let name: String
    private let note: ReflogNote

    package init(
        _ store: SnapshotStore, from remote: Remote, named name: String, by note: ReflogNote
    ) {
        self.store = store
        self.remote = remote
        self.name = name
        self.note = note
    }

    /// Bytes of records that are written in one transaction.
    private static let batchSize = 32 << 20

    /// - Parameters:
    ///   - branches: Nil for all, and all tags.
    ///   - depth: Commits of each branch at most; nil for all that is missing, 0 for all that was left out before as
    ///     well.
    ///   - lazy: Whether data stay on the remote until they are read; files come all the same.
    /// - Throws: `not-found` for a branch that the remote has not; `network`, `corrupt`. Then no reference has moved, and
    ///   what came is used by the next fetch.
    package func run(
        branches: [String]? = nil, depth: Int? = nil, lazy: Bool = false,
        progress: ProgressReporter = { _ in }
    ) throws -> FetchReport {
        let before = remote.transport.counts
        _ = try remote.hasFormat()
        var tips = try remote.tips(.branch, branches)
        if let branches {
            for branch in branches where !tips.contains(where: { $0.name == branch }) {
                throw CambiumError(
                    .notFound, "\(remote.transport.url) has no branch '\(branch)'")
            }
        } else {
            tips += try remote.tips(.tag)
        }
        var report = try run(
            tips, isAll: branches == nil, depth: depth, lazy: lazy, progress: progress)
        report.counts = remote.transport.counts - before
        return report
    }

    private func run(
        _ tips: [ReferenceTip], isAll: Bool, depth: Int?, lazy: Bool, progress: ProgressReporter
    ) throws -> FetchReport {
        var report = FetchReport()
        let references = try store.references()
        var moves: [Arrival.Move] = []
        var wanted: [ReferenceTip] = []
        for tip in tips {
            guard let commit = tip.entry.commit else { continue }
            let local = tip.kind == .tag ? tip.name : name + "/" + tip.name
            let old = tip.kind == .tag ? references.tags[local] : references.remotes[local]
            let isNamed = (try? ReferenceName.check(tip.name, tip.kind.word)) != nil
            // A tag stays where it is.
            guard isNamed, tip.kind != .tag || old == nil || old == commit else {
                report.refused.append(tip.name)
                continue
            }
            wanted.append(tip)
            if old == commit { continue }
            moves.append(
                Arrival.Move(
                    tip.kind == .tag ? .tag : .remote, local, commit, overwrites: tip.kind != .tag))
            report.updates.append(.init(kind: tip.kind, name: tip.name, old: old, new: commit))
        }
        if isAll { forgetRemoved(tips, references, &moves, &report) }
        let arrival = try Arrival(store)
        let isDeeper = try depth != nil && !store.shallowCommits().isEmpty
        let missing = try arrival.lacking(wanted.compactMap(\.entry.commit))
        guard !missing.isEmpty || !moves.isEmpty || isDeeper else { return report }
        // What a push may forget to say is not believed: a depth of 0 is all of it.
        let limit = depth.flatMap { $0 > 0 ? $0 : nil }
        var sources = Sources(
            remote, store,
            isDeeper
                ? wanted
                : wanted.filter { tip in
                    tip.entry.commit.map(missing.contains) ?? false
                })
        let goal = wanted.compactMap(\.entry.commit)
        var found = try sources.delivery(
            of: goal, depth: limit, deepens: isDeeper, whole: depth != nil, progress)
        var records = try sources.records(of: found.selection.needed, arrival, progress)
        if records == nil {
            // Objects that older commits have as well are in their packs.
            found = try sources.delivery(
                of: goal, depth: limit, deepens: isDeeper, whole: true, progress)
            records = try sources.records(of: found.selection.needed, arrival, progress)
        }
        guard var records else {
            throw CambiumError(
                .corrupt,
                "\(remote.transport.url) lacks the data of some objects that its commits name; push again from "
                    + "a store that has them")
        }
        report.commits = found.selection.commits.count
        report.objects = found.selection.needed.count
        var promises: [[UInt8]] = []
        if lazy { (records, promises, report.promised) = try Self.promises(records) }
        try receive(records, arrival, progress)
        // What came may be what they are differences from.
        try arrival.write(promises: promises)
        try arrival.finish(found.delivery, found.selection, moves, by: note)
        return report
    }

    /// Forgets where branches were that the remote has no more.
    private func forgetRemoved(
        _ tips: [ReferenceTip], _ references: References, _ moves: inout [Arrival.Move],
        _ report: inout FetchReport
    ) {
        let there = Set(tips.filter { $0.kind == .branch }.map(\.name))
        for (local, old) in references.remotes.sorted(by: { isBefore($0.key, $1.key) }) {
            let branch = String(local.dropFirst(name.utf8.count + 1))
            guard local.hasPrefix(name + "/"), !there.contains(branch) else { continue }
            moves.append(Arrival.Move(.remote, local, nil, overwrites: true))
            report.updates.append(.init(kind: .branch, name: branch, old: old, new: nil))
        }
    }

    /// What says where the data of records are.
    ///
    /// - Returns: The records that are fetched all the same, which need no others; promises of the rest, and the bytes of
    ///   their data.
    private static func promises(
        _ records: [PackCatalog.Wanted]
    ) throws -> (fetched: [PackCatalog.Wanted], promises: [[UInt8]], bytes: Int) {
        var fetched: [PackCatalog.Wanted] = []
        var promises: [[UInt8]] = []
        var size = 0
        for item in records {
            let record = try PromisedPack.record(
                stub: item.record.stub.bytes, at: BulkRange(item.pack.id, item.record.range))
            // What every reader of a model needs, such as its config and its tokenizer.
            if try item.record.range.count <= greatestFiles
                && PromisedPack.holdsFiles(record: record)
            {
                fetched.append(item)
            } else {
                promises.append(record)
                size += item.record.range.count
            }
        }
        return (fetched, promises, size)
    }

    /// Bytes of a record with files that a lazy fetch takes along.
    private static let greatestFiles = 64 << 20

    /// Fetches and writes records.
    private func receive(
        _ records: [PackCatalog.Wanted], _ arrival: borrowing Arrival, _ progress: ProgressReporter
    ) throws {
        let reads = Download.reads(records)
        let total = reads.reduce(0) { $0 + $1.range.count }
        var batch: [[UInt8]] = []
        var size = 0
        var done = 0
        let remote = remote
        try progress(Progress("receiving", 0, max(total, 1)))
        try orderedWork(reads.count, width: remote.jobs) {
            try Download.fetch(reads[$0], remote)
        } _: {
            index, records in
            batch += records
            size += records.reduce(0) { $0 + $1.count }
            done += reads[index].range.count
            if size >= Self.batchSize {
                _ = try arrival.write(batch)
                (batch, size) = ([], 0)
            }
            try progress(Progress("receiving", done, max(total, 1)))
        }
        if !batch.isEmpty { _ = try arrival.write(batch) }
    }
}

/// The bundles and indexes that a fetch reads, no more of them than it needs.
private struct Sources {
    private let remote: Remote
    private let store: SnapshotStore
    /// Bundles that may be of use, the newest first.
    private var waiting: [ReferenceEntry.Bundle]
    /// Those that are read before it is looked whether they are enough.
    private let first: Int
    private var bundles: [CommitBundle] = []
    private var catalog: PackCatalog
    private let budget = Budget()

    init(_ remote: Remote, _ store: SnapshotStore, _ tips: [ReferenceTip]) {
        self.remote = remote
        self.store = store
        catalog = PackCatalog(remote)
        var seen: Set<ObjectID> = []
        // The last of every list before the last but one of any.
        let lists = tips.map { Array($0.entry.bundles.reversed()) }
        waiting = []
        first = lists.count
        for position in 0..<(lists.map(\.count).max() ?? 0) {
            for list in lists where position < list.count && seen.insert(list[position].id).inserted
            {
                waiting.append(list[position])
            }
        }
    }

    /// The commits, and what they need.
    ///
    /// - Parameter whole: Whether all bundles are read.
    mutating func delivery(
        of goal: [ObjectID], depth: Int?, deepens: Bool, whole: Bool, _ progress: ProgressReporter
    ) throws -> (delivery: Delivery, selection: Delivery.Selection) {
        var next = whole ? waiting.count : min(waiting.count, first)
        while true {
            try read(next, progress)
            do {
                let delivery = try Delivery(store, bundles)
                return (delivery, try delivery.selection(of: goal, depth: depth, deepens: deepens))
            } catch let error as CambiumError where error.code == .corrupt && !waiting.isEmpty {
                // Older bundles are needed as well.
                next = min(waiting.count, max(2, bundles.count))
            }
        }
    }

    private mutating func read(_ count: Int, _ progress: ProgressReporter) throws {
        let names = Array(waiting.prefix(count))
        waiting.removeFirst(names.count)
        let (remote, budget) = (remote, budget)
        try orderedWork(names.count, width: remote.width) {
            try remote.bundle(names[$0].id, check: budget.take)
        } _: {
            index, bundle in
            bundles.append(bundle)
            try progress(Progress("commits", index + 1, names.count))
        }
    }

    /// The records that hold objects; nil when some are in no pack of the bundles that were read.
    mutating func records(
        of ids: [ObjectID], _ arrival: borrowing Arrival, _ progress: ProgressReporter
    ) throws -> [PackCatalog.Wanted]? {
        guard !ids.isEmpty else { return [] }
        var names: [CommitBundle.PackName] = []
        var seen: Set<ObjectID> = []
        for bundle in bundles {
            for pack in bundle.packs where seen.insert(pack.id).inserted { names.append(pack) }
        }
        try catalog.read(names) { try progress(Progress("indexes", $0, $1)) }
        return try catalog.records(of: ids) { needs in
            Set(needs).subtracting(try arrival.lacking(needs))
        }
    }
}

/// What all bundles of a fetch may take in memory together.
private final class Budget: Sendable {
    private static let greatest = 6 << 30
    private let taken = Mutex(0)

    /// - Throws: `tooLarge`.
    func take(_ count: Int) throws {
        let total = taken.withLock { taken in
            taken += count
            return taken
        }
        guard total <= Self.greatest else {
            throw CambiumError(
                .tooLarge,
                "the records of the remote's commits take more than \(Self.greatest >> 30) GiB: fetch single "
                    + "branches, or some of their history (--depth)")
        }
    }
}
