package import Elements
internal import KeyValue
package import Objects
package import Snapshots

/// A branch or tag that is to be where it is in the store.
package struct PushedReference: Sendable {
    package let kind: ReferenceKind
    package let name: String
    /// Nil removes it from the remote.
    package let commit: ObjectID?

    package init(_ kind: ReferenceKind, _ name: String, _ commit: ObjectID?) {
        self.kind = kind
        self.name = name
        self.commit = commit
    }
}

/// What a push did.
package struct PushReport: Sendable {
    package struct Update: Sendable {
        package let kind: ReferenceKind
        package let name: String
        package let old: ObjectID?
        package let new: ObjectID?
        /// Whether the remote was there already.
        package let isUnchanged: Bool
    }

    package var updates: [Update] = []
    package var commits = 0
    package var objects = 0
    package var packs = 0
    /// Bytes of packs that the store would send; of a dry run alone.
    package var planned = 0
    package var counts = TransportCounts()
}

/// Sends commits to a remote: packs, indexes, a bundle, and then the references, so that what is there is whole at any
/// moment.
package struct Push: Sendable {
    private let store: any PushSource
    private let remote: Remote
    /// The remote's name in the store, by which tracking references are known.
    private let name: String
    private let author: String
    private let time: Int64
    /// Seconds that pass, from whenever; a simulation has its own.
    private let clock: @Sendable () -> Int64

    package init(
        _ store: any PushSource, to remote: Remote, named name: String, author: String, time: Int64,
        clock: @escaping @Sendable () -> Int64 = secondsRunning
    ) {
        self.store = store
        self.remote = remote
        self.name = name
        self.author = author
        self.time = time
        self.clock = clock
    }

    /// Bytes of what a joined bundle holds.
    private static let greatestJoin = 256 << 20
    /// Entries of one log that are looked through for a commit that the store has.
    private static let greatestLook = 16

    /// A reference with what the remote has of it.
    private struct Target {
        let wanted: PushedReference
        /// The number of the last entry; 0 for none.
        let last: UInt64
        let tip: ReferenceTip?
    }

    /// - Parameters:
    ///   - force: Moves a branch also where its commit does not lead to the new one.
    ///   - dryRun: Finds out what would be sent, and sends nothing.
    /// - Throws: `branch-moved`, `exists` for a tag that is elsewhere, `network`, `corrupt`. References that were moved
    ///   before stay so.
    package func run(
        _ references: [PushedReference], force: Bool = false, dryRun: Bool = false,
        progress: ProgressReporter = { _ in }
    ) throws -> PushReport {
        let before = remote.transport.counts
        let began = clock()
        let targets = try targets(references)
        var report = PushReport()
        let moving = try targets.filter { try !isUnchanged($0, force, &report) }
        guard !moving.isEmpty else {
            report.counts = remote.transport.counts - before
            return report
        }
        if try !remote.hasFormat(), !dryRun { try remote.prepare() }
        let marks = try MarkWatch(remote, since: began, clock)
        let tips = moving.compactMap(\.wanted.commit)
        var bundles: [ReferenceEntry.Bundle] = []
        if !tips.isEmpty {
            let bases = try bases(of: moving, marks)
            for base in bases {
                marks.rely(on: [base.key])
                marks.rely(on: base.entry.bundles.map { RemoteKey.bundle($0.id) })
                for bundle in base.entry.bundles where !bundles.contains(bundle) {
                    bundles.append(bundle)
                }
            }
            try store.ship(tips, without: bases.compactMap(\.entry.commit)) { parcel in
                report.commits = parcel.bundle.commits.count
                report.objects = parcel.objects
                if dryRun {
                    report.planned = parcel.sizes.reduce(0, +)
                } else if !parcel.bundle.commits.isEmpty {
                    try send(parcel, marks, &bundles, &report, progress)
                }
            }
        }
        for target in moving {
            let entry = ReferenceEntry(
                commit: target.wanted.commit, write: remote.randomWrite(), time: time,
                author: author, bundles: target.wanted.commit == nil ? [] : bundles)
            if !dryRun {
                try marks.check()
                try remote.append(target.wanted.kind, target.wanted.name, after: target.last, entry)
            }
            report.updates.append(
                .init(
                    kind: target.wanted.kind, name: target.wanted.name,
                    old: target.tip?.entry.commit, new: target.wanted.commit, isUnchanged: false))
        }
        report.counts = remote.transport.counts - before
        return report
    }

    /// What the remote has of the references.
    private func targets(_ references: [PushedReference]) throws -> [Target] {
        for reference in references
        where !TransportKey.isComponent(RemoteKey.escaped(reference.name)) {
            throw CambiumError(
                .badName,
                "'\(reference.name)' is too long to be a name on a remote; rename the \(reference.kind.word)"
            )
        }
        var numbers: [Int: UInt64] = [:]
        if references.count <= 2 {
            for (index, reference) in references.enumerated() {
                numbers[index] = try remote.numbers(reference.kind, reference.name).last
            }
        } else {
            for kind in [ReferenceKind.branch, .tag]
            where references.contains(where: { $0.kind == kind }) {
                let last = try remote.lastNumbers(kind)
                for (index, reference) in references.enumerated() where reference.kind == kind {
                    numbers[index] = last[reference.name]
                }
            }
        }
        let (remote, known) = (remote, numbers)
        return try parallelMap(references.count, width: remote.jobs) { index in
            let reference = references[index]
            guard let number = known[index] else {
                return Target(wanted: reference, last: 0, tip: nil)
            }
            let tip = try remote.tip(reference.kind, reference.name, number)
            return Target(
                wanted: reference, last: number, tip: tip.entry.commit == nil ? nil : tip)
        }
    }

    /// Whether the remote is there already.
    ///
    /// - Throws: `branch-moved` when it is where the commit does not lead to.
    private func isUnchanged(
        _ target: Target, _ force: Bool, _ report: inout PushReport
    ) throws -> Bool {
        let (wanted, tip) = (target.wanted, target.tip)
        func unchanged() -> Bool {
            report.updates.append(
                .init(
                    kind: wanted.kind, name: wanted.name, old: tip?.entry.commit,
                    new: tip?.entry.commit, isUnchanged: true))
            return true
        }
        guard let tip, let there = tip.entry.commit else {
            return wanted.commit == nil ? unchanged() : false
        }
        guard let commit = wanted.commit else { return false }
        if there == commit { return unchanged() }
        if force { return false }
        guard wanted.kind == .branch else {
            throw CambiumError(
                .exists,
                "the tag '\(wanted.name)' of \(remote.transport.url) is at \(there.short), not at "
                    + "\(commit.short); a tag stays where it is: take another name, or --force")
        }
        guard try store.has(there) else {
            throw moved(
                wanted.name, there, "which this store has not seen: fetch it, merge, and push again"
            )
        }
        if try store.isAncestor(there, of: commit) { return false }
        if try store.isAncestor(commit, of: there) { return unchanged() }
        throw moved(
            wanted.name, there,
            "which \(commit.short) does not build on: merge it (`cambium pull`), and push again, or replace "
                + "it with --force")
    }

    private func moved(_ name: String, _ there: ObjectID, _ why: String) -> CambiumError {
        CambiumError(
            .branchMoved,
            "branch '\(name)' of \(remote.transport.url) is at \(there.short), \(why)")
    }

    /// Entries of the remote's references whose commits the store has: what need not be sent.
    private func bases(of moving: [Target], _ marks: MarkWatch) throws -> [ReferenceTip] {
        var bases: [ReferenceTip] = []
        for target in moving {
            if let tip = target.tip, let commit = tip.entry.commit,
                try store.has(commit), let wanted = target.wanted.commit,
                // What is replaced by force may have nothing to do with what takes its place.
                try store.isAncestor(commit, of: wanted) || store.areRelated(commit, wanted)
            {
                bases.append(tip)
            }
        }
        let names = try trackedBranches(
            leadingTo: moving.compactMap(\.wanted.commit), beside: bases.compactMap(\.entry.commit))
        let remote = remote
        let known: [(String, [UInt64])]
        if names.count <= 2 {
            known = try names.map { ($0, try remote.numbers(.branch, $0)) }
        } else {
            let last = try remote.lastNumbers(.branch)
            known = names.compactMap { name in last[name].map { (name, [$0]) } }
        }
        let found = try parallelMap(known.count, width: remote.jobs) {
            [store] index -> ReferenceTip? in
            // The newest of which the store has the commit: others may have gone on meanwhile.
            for number in known[index].1.suffix(Self.greatestLook).reversed() {
                // One that was listed may have been collected since.
                guard let tip = try remote.entry(.branch, known[index].0, number) else { break }
                if let commit = tip.entry.commit, try store.has(commit) { return tip }
            }
            return nil
        }
        bases += found.compactMap { $0 }
        // What a collection is about to remove is no base.
        return bases.filter { base in
            !marks.isDoomed(base.key)
                && !base.entry.bundles.contains { marks.isDoomed(RemoteKey.bundle($0.id)) }
        }
    }

    /// Branches of the remote that were last seen at commits which lead to what is pushed, the nearest ones.
    private func trackedBranches(
        leadingTo tips: [ObjectID], beside known: [ObjectID]
    ) throws -> [String] {
        let prefix = name + "/"
        var tracked: [ObjectID: String] = [:]
        for (name, commit) in try store.remoteBranches() where name.hasPrefix(prefix) {
            let branch = String(name.dropFirst(prefix.count))
            if let other = tracked[commit], isBefore(other, branch) { continue }
            tracked[commit] = branch
        }
        let ends = Set(known)
        guard !tracked.isEmpty, !ends.isSuperset(of: tips) else { return [] }
        return try store.nearest(to: tips, among: Set(tracked.keys).union(ends))
            .filter { !ends.contains($0) }.compactMap { tracked[$0] }.sorted(by: isBefore)
    }

    /// Sends packs and the bundle, which is added to `bundles`.
    private func send(
        _ parcel: Parcel, _ marks: MarkWatch,
        _ bundles: inout [ReferenceEntry.Bundle], _ report: inout PushReport,
        _ progress: ProgressReporter
    ) throws {
        let batches = Upload.batches(parcel.sizes, packSize: remote.packSize)
        let total = parcel.sizes.reduce(0, +)
        let upload = Upload(remote: remote, marks: marks)
        var bundle = parcel.bundle
        var done = 0
        try progress(Progress("sending", 0, max(total, 1)))
        try orderedWork(batches.count, width: remote.jobs) { index in
            let parts = try batches[index].map(parcel.parts)
            return try upload.send(parts, mayBeThere: batches.count > 1)
        } _: { _, sent in
            bundle.packs.append(sent.name)
            report.packs += 1
            done += sent.bulk
            try progress(Progress("sending", min(done, max(total, 1)), max(total, 1)))
        }
        var commits = bundle.commits.count
        let absorbed = BundleList.absorbed(by: commits, bundles)
        if !absorbed.isEmpty {
            let remote = remote
            let older = try parallelMap(absorbed.count, width: remote.jobs) {
                try remote.bundle(absorbed[$0].id)
            }
            var joined = CommitBundle()
            for other in older { joined.add(other) }
            joined.add(bundle)
            // What is large stays apart: it would be read and written again and again.
            if joined.weight <= Self.greatestJoin {
                bundle = joined
                commits += absorbed.reduce(0) { $0 + $1.commits }
                bundles.removeAll { absorbed.contains($0) }
            }
        }
        var body = TransportBody(try bundle.encoded())
        while marks.isDoomed(RemoteKey.bundle(body.digest)) {
            bundle.salt &+= 1
            body = TransportBody(try bundle.encoded())
        }
        try marks.check()
        marks.rely(on: [RemoteKey.bundle(body.digest)])
        try remote.transport.write(RemoteKey.bundle(body.digest), body)
        bundles.append(.init(id: body.digest, commits: commits, bytes: body.count))
    }
}
