package import KeyValue

/// Which compressed packs are differences from which, and how deep each lies.
///
/// A pack that others are differences from may be compressed later, and a collection may move what
/// a difference is taken from. So depths follow from the chains as they are, not from what a record
/// noted when it was written. A pack's *depth* is 0 when it needs no other, else one more than the
/// greatest depth of those that it needs.
package struct PackChains: Sendable {
    /// The packs that a pack needs, directly; only of those that need any.
    private var bases: [UInt32: Set<UInt32>] = [:]
    /// The packs that need a pack, directly.
    private var users: [UInt32: Set<UInt32>] = [:]
    /// Of packs that need others; those that cannot be read have none.
    private var depths: [UInt32: Int] = [:]
    /// Packs whose chain is broken or comes back to itself.
    private var unreadable: Set<UInt32> = []
    /// Depths that changed, with what they were, since ``takeChanges()``.
    private var changed: [UInt32: Int] = [:]

    package init() {}

    /// The chains of a store.
    ///
    /// - Complexity: A look at every pack, and a look-up for every object stored as a difference.
    package init(
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        var needing: [Pack] = []
        let table = transaction.environment.table(ObjectStore.packTable)
        try transaction.scan(table) { key, record in
            let pack = try Pack(
                number: try PackFormat.packNumber(key), record: record, checksum: false)
            if !pack.predecessors.isEmpty { needing.append(pack) }
            return true
        }
        let reader = try ObjectReader(transaction)
        for pack in needing {
            var needed: Set<UInt32> = []
            for (_, id) in pack.predecessors {
                if let place = try reader.location(of: id, transaction) {
                    needed.insert(place.pack)
                } else {
                    unreadable.insert(pack.number)
                }
            }
            connect(pack.number, needed)
        }
        measure()
    }

    /// Packs that need others and can be read, each behind those that it needs.
    package var inOrder: [UInt32] {
        depths.keys.sorted { (depths[$0] ?? 0, $0) < (depths[$1] ?? 0, $1) }
    }

    /// How many packs lie between this one's objects and data that need no others; nil when the chain
    /// cannot be followed to its end.
    package func depth(of pack: UInt32) -> Int? {
        unreadable.contains(pack) ? nil : depths[pack] ?? 0
    }

    /// What the packs that need this one, directly or through others, demand of it.
    package func demands(on pack: UInt32) -> Demands {
        var all: Set<UInt32> = [pack]
        var level: Set<UInt32> = [pack]
        var height = 0
        // Each round finds the ends of all paths of one more step. A loop never ends, and stops here.
        while height <= ColdPack.greatestDepth {
            level = level.reduce(into: []) { $0.formUnion(users[$1] ?? []) }
            if level.isEmpty { break }
            all.formUnion(level)
            height += 1
        }
        return Demands(users: all, height: height)
    }

    /// A pack and all that need it.
    package struct Demands: Sendable {
        /// The pack itself is one of them.
        package let users: Set<UInt32>
        /// The longest way from one of them to the pack.
        package let height: Int
    }

    /// Whether objects may be stored as differences from those of `base`, by a pack on which there
    /// are these demands: nothing may need itself, and no chain may become too long.
    package func mayNeed(_ base: UInt32, _ demands: Demands) -> Bool {
        guard !demands.users.contains(base), let depth = depth(of: base) else { return false }
        return demands.height + 1 + depth <= ColdPack.greatestRepackDepth
    }

    /// Notes what a pack needs from now on.
    package mutating func set(_ pack: UInt32, needs needed: Set<UInt32>) {
        for base in bases[pack] ?? [] { users[base]?.remove(pack) }
        bases[pack] = nil
        unreadable.remove(pack)
        connect(pack, needed)
        var waiting = [pack]
        while let next = waiting.popLast() {
            let needed = bases[next] ?? []
            if next != pack, unreadable.contains(next) { continue }
            let depth = needed.isEmpty ? 0 : 1 + (needed.map { depths[$0] ?? 0 }.max() ?? 0)
            let old = depths[next] ?? 0
            guard depth != old else { continue }
            if changed[next] == nil { changed[next] = old }
            depths[next] = depth == 0 ? nil : depth
            waiting.append(contentsOf: users[next] ?? [])
        }
    }

    /// The packs whose depth is another one than at the last call.
    package mutating func takeChanges() -> [UInt32] {
        defer { changed = [:] }
        return changed.filter { (depths[$0.key] ?? 0) != $0.value }.keys.sorted()
    }

    private mutating func connect(_ pack: UInt32, _ needed: Set<UInt32>) {
        guard !needed.isEmpty else { return }
        bases[pack] = needed
        for base in needed { users[base, default: []].insert(pack) }
    }

    /// Computes all depths, from packs that need no others upwards.
    private mutating func measure() {
        var missing = bases.mapValues(\.count)
        var ready = users.keys.filter { bases[$0] == nil && !unreadable.contains($0) }
        var settled: [UInt32: Int] = [:]
        while let base = ready.popLast() {
            let depth = (settled[base] ?? 0) + 1
            for user in users[base] ?? [] {
                settled[user] = max(settled[user] ?? 0, depth)
                missing[user, default: 0] -= 1
                if missing[user] == 0, !unreadable.contains(user) { ready.append(user) }
            }
        }
        // What is left needs itself, or something that is missing.
        unreadable.formUnion(missing.filter { $0.value > 0 }.keys)
        depths = settled.filter { !unreadable.contains($0.key) }
    }
}
