internal import Elements
package import Objects
internal import Remotes
package import Snapshots
internal import Synchronization

/// Sees everything that happens to a place, knows what must hold, and notes where it does not.
///
/// What holds at any moment: the last entry of every log has all its bundles, packs and indexes; nothing that such an
/// entry needs is removed; the entries of a log have consecutive numbers, one each.
package final class Ledger: Sendable {
    private struct Entry {
        let number: UInt64
        let commit: ObjectID?
        let author: String

        /// Whether it may replace what its commit does not build on.
        var isMeant: Bool { commit == nil || author.hasSuffix("!") }
    }

    private struct State {
        /// All entries that ever were, by what their keys begin with.
        var logs: [String: [Entry]] = [:]
        /// The last one of each, whole.
        var last: [String: ReferenceEntry] = [:]
        /// How many last entries need a bundle, and how many such bundles a pack.
        var bundles: [ObjectID: Int] = [:]
        var packs: [ObjectID: Int] = [:]
        /// The packs of bundles that were looked into.
        var contents: [ObjectID: [ObjectID]] = [:]
        var faults: [String] = []
        var removals = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var faults: [String] { state.withLock { $0.faults } }
    package var removals: Int { state.withLock { $0.removals } }
    package var logs: Int { state.withLock { $0.logs.count } }

    package func fault(_ text: String) { state.withLock { $0.faults.append(text) } }

    /// The name of an author whose entry may replace what its commit does not build on.
    package static func forcing(_ client: String) -> String { client + "!" }

    /// A client was told that a branch is at a commit.
    package func acknowledge(
        _ kind: ReferenceKind, _ name: String, _ commit: ObjectID, by client: String,
        _ history: History, isUnchanged: Bool
    ) {
        let log = RemoteKey.reference(kind, name)
        state.withLock { state in
            let found = (state.logs[log] ?? []).last { entry in
                isUnchanged
                    ? entry.commit.map { history.leads(commit, to: $0) } ?? false
                    : entry.commit == commit && entry.author.hasPrefix(client)
            }
            if found == nil {
                state.faults.append(
                    "\(client) was told of \(commit.short) in \(log), which is not there")
            }
        }
    }

    /// Compares the entries of all logs when all has come to rest: what was there once, and so what was acknowledged,
    /// is still there, unless somebody replaced it, or removed the branch, on purpose.
    package func finish(_ history: History) {
        state.withLock { state in
            for (log, entries) in state.logs {
                for (before, after) in zip(entries, entries.dropFirst()) {
                    guard let old = before.commit, !after.isMeant else { continue }
                    if let new = after.commit, history.leads(old, to: new) { continue }
                    state.faults.append(
                        "entry \(after.number) of \(log) does not build on the one before")
                }
            }
        }
    }

    func stored(_ key: String, _ bytes: MappedBytes, _ place: SimulatedPlace) {
        guard key.hasPrefix(RemoteKey.references), let (log, number) = Self.parts(key) else {
            return
        }
        guard let entry = try? ReferenceEntry(decoding: bytes.copy(), key) else {
            return fault("\(key) cannot be read")
        }
        state.withLock { state in
            let last = state.logs[log]?.last
            if number != (last?.number ?? 0) + 1 {
                state.faults.append("\(key) follows \(last?.number ?? 0)")
            }
            for bundle in entry.bundles { Self.need(bundle.id, key, place, &state) }
            for bundle in state.last[log]?.bundles ?? [] { Self.release(bundle.id, &state) }
            state.last[log] = entry
            state.logs[log, default: []].append(
                Entry(number: number, commit: entry.commit, author: entry.author))
        }
    }

    private static func need(
        _ bundle: ObjectID, _ key: String, _ place: SimulatedPlace, _ state: inout State
    ) {
        guard let bytes = place.bytes(RemoteKey.bundle(bundle)) else {
            state.faults.append("\(key) names bundle \(bundle.short), which is not there")
            return
        }
        state.bundles[bundle, default: 0] += 1
        guard state.bundles[bundle] == 1 else { return }
        if state.contents[bundle] == nil {
            let found = try? CommitBundle.packs(beginning: bytes.copy())
            state.contents[bundle] = found?.packs.map(\.id) ?? []
        }
        for pack in state.contents[bundle] ?? [] {
            for name in [RemoteKey.pack(pack), RemoteKey.index(pack)]
            where place.entry(name) == nil {
                state.faults.append("\(key) needs \(name), which is not there")
            }
            state.packs[pack, default: 0] += 1
        }
    }

    private static func release(_ bundle: ObjectID, _ state: inout State) {
        guard let count = state.bundles[bundle] else { return }
        state.bundles[bundle] = count == 1 ? nil : count - 1
        guard count == 1 else { return }
        for pack in state.contents[bundle] ?? [] {
            let count = state.packs[pack] ?? 1
            state.packs[pack] = count == 1 ? nil : count - 1
        }
        state.contents[bundle] = nil
    }

    func removed(_ key: String) {
        state.withLock { state in
            state.removals += 1
            let id = key.split(separator: "/").last.flatMap { ObjectID(hex: String($0)) }
            if key.hasPrefix(RemoteKey.references) {
                if let (log, number) = Self.parts(key), state.logs[log]?.last?.number == number {
                    state.faults.append("\(key) was removed, the last of its log")
                }
            } else if key.hasPrefix(RemoteKey.bundles) {
                if let id, state.bundles[id] != nil {
                    state.faults.append("\(key) was removed, which a branch needs")
                }
            } else if key.hasPrefix(RemoteKey.packs) || key.hasPrefix(RemoteKey.indexes) {
                if let id, state.packs[id] != nil {
                    state.faults.append("\(key) was removed, which a branch needs")
                }
            }
        }
    }

    /// What a place keeps that no last entry needs, marks and entries included.
    package func garbage(_ place: SimulatedPlace) -> [String] {
        state.withLock { state in
            place.keys("").filter { key in
                if key == RemoteKey.marker { return false }
                if let (log, number) = Self.parts(key) {
                    return state.logs[log]?.last?.number != number
                }
                guard let id = key.split(separator: "/").last.flatMap({ ObjectID(hex: String($0)) })
                else { return true }
                return key.hasPrefix(RemoteKey.bundles)
                    ? state.bundles[id] == nil : state.packs[id] == nil
            }
        }
    }

    /// The names of the branches that are there.
    package func branches() -> [String] {
        state.withLock { state in
            state.logs.compactMap { log, entries in
                guard entries.last?.commit != nil, let number = entries.last?.number else {
                    return nil
                }
                return RemoteKey.entry(RemoteKey.numbered(log, number), .branch)?.name
            }.sorted()
        }
    }

    private static func parts(_ key: String) -> (log: String, number: UInt64)? {
        guard key.hasPrefix(RemoteKey.references), let slash = key.lastIndex(of: "/"),
            let number = RemoteKey.number(key[key.index(after: slash)...])
        else { return nil }
        return (String(key[...slash]), number)
    }
}
