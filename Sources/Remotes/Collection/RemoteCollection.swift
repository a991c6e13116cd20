package import Elements
internal import KeyValue
internal import Objects
internal import Snapshots

/// What a collection of a remote found and did.
package struct RemoteCollectionReport: Sendable {
    /// Keys that are needed, and their bytes.
    package var live = Amount()
    /// What nothing needs, young things left out.
    package var garbage = Amount()
    /// What nothing needs and is too young to be told from what a push is writing.
    package var young = Amount()
    /// What this call wrote down to be removed later.
    package var marked = Amount()
    /// What this call removed.
    package var removed = Amount()
    /// When the oldest mark may be carried out, by the remote's clock; nil without marks.
    package var next: Int64?

    package struct Amount: Sendable, Equatable {
        package var keys = 0
        package var bytes = 0

        package init() {}

        mutating func add(_ entry: TransportEntry) {
            keys += 1
            bytes += entry.size
        }
    }
}

/// Removes from a remote what no branch or tag needs, in two phases: what is to go is written down, and removed by a
/// later call, a grace period after, if it is still not needed.
///
/// Only the remote's clock counts. A push looks at what is written down, so it never builds on what goes.
package struct RemoteCollection: Sendable {
    private let remote: Remote
    private let grace: Int64
    /// Seconds that pass, also while the machine sleeps.
    private let clock: @Sendable () -> Int64

    /// The shortest grace period: no push takes longer without looking again.
    package static let shortestGrace: Int64 = 24 * 3600
    private static let longestGrace: Int64 = 100 * 366 * 24 * 3600
    package static let defaultGrace: Int64 = 14 * 24 * 3600
    /// Bytes of a bundle that are read for the names of its packs.
    private static let beginning = 64 << 10

    /// - Parameter grace: Seconds that a superseded entry of a log is kept, that pass until what no entry names is
    ///   garbage, and that lie between the phases.
    /// - Throws: `usage` for less than a day.
    package init(
        _ remote: Remote, grace: Int64 = RemoteCollection.defaultGrace,
        clock: @escaping @Sendable () -> Int64 = secondsRunning
    ) throws {
        guard grace >= Self.shortestGrace else {
            throw CambiumError(
                .usage,
                "a grace period of \(grace) seconds is too short: a push may take a day; give at least 24h"
            )
        }
        guard grace <= Self.longestGrace else {
            throw CambiumError(
                .usage, "a grace period of \(grace) seconds is more than a hundred years")
        }
        self.remote = remote
        self.grace = grace
        self.clock = clock
    }

    /// One look at everything that the remote has.
    private struct State {
        var now: Int64 = 0
        /// When it began, by this machine's clock.
        var began: Int64
        /// What nothing needs, and is old enough to be sure.
        var garbage: [String: TransportEntry] = [:]
        var report = RemoteCollectionReport()
    }

    /// - Parameter prune: Whether anything is written or removed.
    /// - Throws: `corrupt` when something is missing that is needed: then nothing is removed.
    package func run(
        prune: Bool, progress: ProgressReporter = { _ in }
    ) throws -> RemoteCollectionReport {
        var state = State(began: clock())
        let (marks, _) = try remote.marks()
        do {
            try look(&state, progress)
        } catch let error as CambiumError where error.code == .corrupt {
            // Others may have removed meanwhile what was superseded when this began.
            try checkTime(state)
            throw error
        }
        var marked = Set<String>()
        for mark in marks {
            if mark.isDone {
                if prune, state.now - mark.time >= Self.shortestGrace {
                    try remote.transport.delete(RemoteKey.numbered(RemoteKey.marks, mark.number))
                }
                continue
            }
            guard state.now - mark.time >= grace else {
                marked.formUnion(mark.keys)
                state.report.next = min(state.report.next ?? .max, mark.time + grace)
                continue
            }
            if prune { try carryOut(mark, &state, progress) }
        }
        guard prune else { return state.report }
        let leftovers = try remote.transport.removeLeftovers(olderThan: grace)
        state.report.removed.keys += leftovers.count
        state.report.removed.bytes += leftovers.bytes
        let new = Self.referencesFirst(state.garbage.keys.filter { !marked.contains($0) })
            .prefix(CollectionMark.greatestCount)
        guard !new.isEmpty else { return state.report }
        let number = (marks.map(\.number).max() ?? 0) + 1
        let key = RemoteKey.numbered(RemoteKey.marks, number)
        let body = TransportBody(CollectionMark.encode(Array(new)))
        guard try remote.transport.create(key, body) else {
            throw CambiumError(
                .busy, "another collection of \(remote.transport.url) is under way; try again later"
            )
        }
        for key in new { state.garbage[key].map { state.report.marked.add($0) } }
        state.report.next = min(state.report.next ?? .max, state.now + grace)
        return state.report
    }

    /// Removes what a mark names and is still garbage, and then the mark.
    private func carryOut(
        _ mark: CollectionMark, _ state: inout State, _ progress: ProgressReporter
    ) throws {
        let doomed = Self.referencesFirst(mark.keys).compactMap { state.garbage[$0] }
        let remote = remote
        let references = doomed.filter { $0.key.hasPrefix(RemoteKey.references) }
        for group in [references, doomed.filter { !$0.key.hasPrefix(RemoteKey.references) }] {
            let look = state
            try orderedWork(group.count, width: remote.jobs) {
                try checkTime(look)
                try remote.transport.delete(group[$0].key)
            } _: { index, _ in
                state.garbage[group[index].key] = nil
                state.report.removed.add(group[index])
                try progress(Progress("removing", index + 1, group.count))
            }
        }
        try checkTime(state)
        try remote.transport.write(
            RemoteKey.numbered(RemoteKey.marks, mark.number),
            TransportBody(CollectionMark.encode(mark.keys, isDone: true)))
    }

    /// Refuses to go by what was seen too long ago: other collections and pushes went on meanwhile.
    private func checkTime(_ state: State) throws {
        let hours = (clock() - state.began) / 3600
        guard clock() - state.began <= MarkWatch.longest else {
            throw CambiumError(
                .busy,
                "this collection of \(remote.transport.url) took \(hours) hours, in which much may have "
                    + "changed; what it removed was garbage, and the next one goes on")
        }
    }

    /// Entries of logs before what they name: that is not needed any more only when they are gone.
    private static func referencesFirst(_ keys: some Sequence<String>) -> [String] {
        keys.sorted { left, right in
            let (first, second) = (
                left.hasPrefix(RemoteKey.references), right.hasPrefix(RemoteKey.references)
            )
            return first != second ? first : isBefore(left, right)
        }
    }

    private func look(_ state: inout State, _ progress: ProgressReporter) throws {
        // References before what they name: what they name is there when it is listed.
        var logs: [String: [(number: UInt64, entry: TransportEntry)]] = [:]
        let references = try remote.list(RemoteKey.references)
        state.now = references.now
        var other: [TransportEntry] = []
        for entry in references.entries {
            let parts = entry.key.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 4, let number = RemoteKey.number(parts[3]) else {
                other.append(entry)
                continue
            }
            logs[parts.dropLast().joined(separator: "/"), default: []].append((number, entry))
        }
        var kept: [TransportEntry] = []
        var dropped: [TransportEntry] = other
        for log in logs.sorted(by: { isBefore($0.key, $1.key) }).map(\.value) {
            for (position, item) in log.enumerated() {
                // Superseded when the next one came.
                let isOld =
                    position < log.count - 1
                    && state.now - log[position + 1].entry.modified >= grace
                if isOld { dropped.append(item.entry) } else { kept.append(item.entry) }
            }
        }
        let bundles = try liveBundles(kept, progress)
        let listed = try remote.list(RemoteKey.bundles)
        let packs = try livePacks(bundles, listed.entries, progress)
        sort(dropped, isLive: { _ in false }, &state)
        for entry in kept { state.report.live.add(entry) }
        sort(
            listed.entries,
            isLive: { Self.id($0, RemoteKey.bundles).map(bundles.contains) ?? false }, &state)
        for prefix in [RemoteKey.packs, RemoteKey.indexes] {
            let entries = try remote.list(prefix).entries
            let present = Set(entries.compactMap { Self.id($0, prefix) })
            if let missing = packs.first(where: { !present.contains($0) }) {
                throw lost(prefix + missing.hex)
            }
            sort(entries, isLive: { Self.id($0, prefix).map(packs.contains) ?? false }, &state)
        }
        sort(try remote.list(RemoteKey.probes).entries, isLive: { _ in false }, &state)
    }

    private static func id(_ entry: TransportEntry, _ prefix: String) -> ObjectID? {
        ObjectID(hex: String(entry.key.dropFirst(prefix.count)))
    }

    private func sort(
        _ entries: [TransportEntry], isLive: (TransportEntry) -> Bool, _ state: inout State
    ) {
        for entry in entries {
            if isLive(entry) {
                state.report.live.add(entry)
            } else if state.now - entry.modified < grace {
                // It may belong to a push that is under way.
                state.report.young.add(entry)
            } else {
                state.report.garbage.add(entry)
                state.garbage[entry.key] = entry
            }
        }
    }

    private func lost(_ key: String) -> CambiumError {
        CambiumError(
            .corrupt,
            "\(key) is missing from \(remote.transport.url), though a branch or tag needs it; nothing was "
                + "removed. `cambium remote check` tells what is lost; push again from a store that has it"
        )
    }

    private func liveBundles(
        _ kept: [TransportEntry], _ progress: ProgressReporter
    ) throws -> Set<ObjectID> {
        var bundles: Set<ObjectID> = []
        let remote = remote
        try orderedWork(kept.count, width: remote.width) { index in
            let bytes = try remote.existing(
                kept[index].key, nil, limit: ReferenceEntry.greatestSize)
            return try ReferenceEntry(decoding: bytes.copy(), kept[index].key).bundles.map(\.id)
        } _: { index, ids in
            bundles.formUnion(ids)
            try progress(Progress("references", index + 1, kept.count))
        }
        return bundles
    }

    private func livePacks(
        _ bundles: Set<ObjectID>, _ listed: [TransportEntry], _ progress: ProgressReporter
    ) throws -> Set<ObjectID> {
        var sizes: [ObjectID: Int] = [:]
        for entry in listed {
            if let id = Self.id(entry, RemoteKey.bundles) { sizes[id] = entry.size }
        }
        let wanted = try bundles.sorted().map { id in
            guard let size = sizes[id] else { throw lost(RemoteKey.bundle(id)) }
            return (id: id, size: size)
        }
        var packs: Set<ObjectID> = []
        let remote = remote
        try orderedWork(wanted.count, width: remote.width) { index in
            let (id, size) = wanted[index]
            let key = RemoteKey.bundle(id)
            let first = try remote.existing(
                key, size > Self.beginning ? 0..<Self.beginning : nil, limit: max(size, 1))
            if let found = try CommitBundle.packs(beginning: first.copy()) { return found.packs }
            return try remote.bundle(id).packs
        } _: { index, names in
            packs.formUnion(names.map(\.id))
            try progress(Progress("commits", index + 1, wanted.count))
        }
        return packs
    }
}
