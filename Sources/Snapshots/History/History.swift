internal import HeapModule
internal import KeyValue
package import Objects

/// One commit with its id.
package struct HistoryEntry: Sendable {
    package let id: ObjectID
    package let commit: Commit
}

extension SnapshotStore {
    /// The commits that lead to `tips`, newest first; every commit comes before its parents.
    ///
    /// - Parameters:
    ///   - hidden: These commits, and all that lead to them, are left out.
    ///   - limit: At most this many. Where history does not part, no more are read.
    ///   - isWanted: Which commits count; their ancestors are read in any case.
    package func history(
        from tips: [ObjectID], without hidden: [ObjectID] = [], limit: Int? = nil,
        where isWanted: (HistoryEntry) throws -> Bool = { _ in true }
    ) throws -> [HistoryEntry] {
        try environment.read { transaction in
            let reader = try ObjectReader(transaction)
            let old = try Self.ancestry(of: hidden, reader, transaction)
            var result: [HistoryEntry] = []
            var commits: [ObjectID: Commit] = [:]
            // As long as one commit leads to all others, it is the next one, whatever lies behind
            // it: a limit then costs what it lets through.
            var rest = Array(Set(tips).subtracting(old))
            while rest.count == 1, result.count < limit ?? .max {
                let entry = HistoryEntry(
                    id: rest[0], commit: try Self.commit(rest[0], reader, transaction))
                if try isWanted(entry) { result.append(entry) }
                rest = Array(Set(entry.commit.parents).subtracting(old))
            }
            guard rest.count > 1, result.count < limit ?? .max else { return result }
            var children: [ObjectID: Int] = [:]
            var stack = rest
            while let id = stack.popLast() {
                guard commits[id] == nil else { continue }
                let commit = try Self.commit(id, reader, transaction)
                commits[id] = commit
                for parent in Set(commit.parents) where !old.contains(parent) {
                    children[parent, default: 0] += 1
                    stack.append(parent)
                }
            }
            // Kahn's algorithm; among the ready ones the newest first, ties by id.
            func moment(_ id: ObjectID) -> Moment { Moment(time: commits[id]?.time ?? 0, id: id) }
            var ready = Heap(rest.filter { children[$0, default: 0] == 0 }.map(moment))
            while result.count < limit ?? .max {
                guard let id = ready.popMax()?.id, let commit = commits[id] else { break }
                let entry = HistoryEntry(id: id, commit: commit)
                if try isWanted(entry) { result.append(entry) }
                for parent in Set(commit.parents) {
                    children[parent, default: 1] -= 1
                    if children[parent] == 0 { ready.insert(moment(parent)) }
                }
            }
            return result
        }
    }

    /// Some commits and all that lead to them.
    private static func ancestry(
        of commits: [ObjectID], _ reader: ObjectReader,
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> Set<ObjectID> {
        var seen = Set(commits)
        var stack = Array(seen)
        while let id = stack.popLast() {
            for parent in try commit(id, reader, transaction).parents
            where seen.insert(parent).inserted {
                stack.append(parent)
            }
        }
        return seen
    }

    /// How many commits each of two has that the other has not.
    package func divergence(
        of left: ObjectID, from right: ObjectID
    ) throws -> (ahead: Int, behind: Int) {
        if left == right { return (0, 0) }
        return try environment.read { transaction in
            let reader = try ObjectReader(transaction)
            let mine = try Self.ancestry(of: [left], reader, transaction)
            let theirs = try Self.ancestry(of: [right], reader, transaction)
            return (mine.subtracting(theirs).count, theirs.subtracting(mine).count)
        }
    }

    /// Whether `ancestor` is `commit` or leads to it.
    ///
    /// - Complexity: Reads commits, nearest first, until it is found.
    package func isAncestor(
        _ ancestor: ObjectID, of commit: ObjectID
    ) throws -> Bool {
        try environment.read { transaction in
            let reader = try ObjectReader(transaction)
            var seen: Set<ObjectID> = [commit]
            var queue = [commit]
            var next = 0
            while next < queue.count {
                let id = queue[next]
                next += 1
                if id == ancestor { return true }
                for parent in try Self.commit(id, reader, transaction).parents
                where seen.insert(parent).inserted {
                    queue.append(parent)
                }
            }
            return false
        }
    }

    /// Those of some commits that lead to `tips`, or are among them, and to which no other of them leads on the way.
    ///
    /// - Complexity: Reads the commits in front of them.
    package func nearest(
        to tips: [ObjectID], among ends: Set<ObjectID>
    ) throws -> [ObjectID] {
        try environment.read { transaction in
            let reader = try ObjectReader(transaction)
            var seen = Set(tips)
            var stack = Array(seen)
            var found: [ObjectID] = []
            while let id = stack.popLast() {
                if ends.contains(id) {
                    found.append(id)
                    continue
                }
                for parent in try Self.commit(id, reader, transaction).parents
                where seen.insert(parent).inserted {
                    stack.append(parent)
                }
            }
            return found
        }
    }

    /// The best common ancestors of two commits: those that no other common ancestor descends from.
    ///
    /// None when the histories are unrelated, several in criss-cross histories; sorted by id.
    package func mergeBases(_ left: ObjectID, _ right: ObjectID) throws -> [ObjectID] {
        let mine = Set(try history(from: [left]).map(\.id))
        let common = try history(from: [right]).filter { mine.contains($0.id) }
        var covered: Set<ObjectID> = []
        var bases: [ObjectID] = []
        // Children come before parents, so a covered ancestor is marked before it is met.
        for entry in common {
            if !covered.contains(entry.id) { bases.append(entry.id) }
            covered.formUnion(entry.commit.parents)
        }
        return bases.sorted()
    }
}

/// When a commit comes in a history: the newest is the greatest, of equal ones the one with the least id.
private struct Moment: Comparable {
    let time: Int64
    let id: ObjectID

    static func < (left: Moment, right: Moment) -> Bool {
        left.time != right.time ? left.time < right.time : right.id < left.id
    }
}
