package import Objects
package import Remotes
internal import Snapshots
internal import Synchronization

/// A store in memory, without data: which commits of a history it has, and where branches are.
///
/// Real pushes run on it.
package final class LightStore: PushSource, Sendable {
    private struct State {
        var known: Set<ObjectID> = []
        var tracked: [String: ObjectID] = [:]
        var branches: [String: ObjectID] = [:]
    }

    package let history: History
    /// Objects that lie in one record, as a store's packs have many.
    private let group: Int
    private let state = Mutex(State())

    package init(_ history: History, group: Int = 1) {
        self.history = history
        self.group = group
    }

    package var branches: [String: ObjectID] { state.withLock { $0.branches } }

    package func set(_ branch: String, _ commit: ObjectID?) {
        state.withLock { $0.branches[branch] = commit }
    }

    package func add(_ commits: some Sequence<ObjectID>) {
        state.withLock { $0.known.formUnion(commits) }
    }

    package func track(_ branch: String, _ commit: ObjectID?) {
        state.withLock { $0.tracked["origin/" + branch] = commit }
    }

    package func has(_ commit: ObjectID) -> Bool { state.withLock { $0.known.contains(commit) } }

    package func remoteBranches() -> [String: ObjectID] { state.withLock { $0.tracked } }

    package func isAncestor(_ ancestor: ObjectID, of commit: ObjectID) -> Bool {
        history.leads(ancestor, to: commit)
    }

    package func areRelated(_ left: ObjectID, _ right: ObjectID) -> Bool {
        history.areRelated(left, right)
    }

    package func nearest(to tips: [ObjectID], among ends: Set<ObjectID>) -> [ObjectID] {
        history.nearest(to: tips, among: ends)
    }

    package func ship<Result>(
        _ tips: [ObjectID], without known: [ObjectID], _ body: (Parcel) throws -> Result
    ) throws -> Result {
        var bundle = CommitBundle()
        var contents: [History.Content] = []
        var seen: Set<ObjectID> = []
        for id in history.between(known, tips) {
            guard let node = history[id] else { continue }
            bundle.commits.append(id)
            for record in node.records where try seen.insert(record.id()).inserted {
                bundle.records.append(record)
            }
            for content in node.changed where seen.insert(content.id).inserted {
                contents.append(content)
            }
        }
        let groups = stride(from: 0, to: contents.count, by: group).map {
            Array(contents[$0..<min($0 + group, contents.count)])
        }
        return try body(
            Parcel(
                bundle: bundle, objects: contents.count,
                sizes: groups.map { $0.reduce(0) { $0 + $1.count } }
            ) { try PackParts(groups[$0].map { try $0.data() }) })
    }
}
