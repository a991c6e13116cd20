internal import Elements
package import Objects
package import Snapshots
internal import Synchronization

/// Commits of everybody in a simulation: real records of commits and trees, whose models are a few small files.
package final class History: Sendable {
    /// A file of a model; its bytes come of a seed, so that nobody keeps them.
    package struct Content: Sendable {
        package let id: ObjectID
        let seed: UInt64
        let count: Int

        init(seed: UInt64, count: Int) throws {
            self.seed = seed
            self.count = count
            id = try ObjectHeader(.file, byteCount: count).id(of: Chance(seed).bytes(count).raw)
        }

        func data() throws -> (header: ObjectHeader, data: [UInt8]) {
            (try ObjectHeader(.file, byteCount: count), Chance(seed).bytes(count))
        }
    }

    package struct Node: Sendable {
        package let parents: [ObjectID]
        /// One more than the highest of its parents.
        package let generation: Int
        /// The model: its files, by position.
        package fileprivate(set) var model: [Content]
        /// Of the model what the first parent has not.
        package fileprivate(set) var changed: [Content]
        package fileprivate(set) var records: [CommitBundle.Record]
    }

    private let nodes = Mutex<[ObjectID: Node]>([:])

    package init() {}

    package subscript(_ id: ObjectID) -> Node? { nodes.withLock { $0[id] } }
    package var count: Int { nodes.withLock { $0.count } }

    /// Records a commit of a model.
    ///
    /// - Parameters:
    ///   - changes: The files that differ from the first parent's, by position.
    ///   - time: By the clock of who commits, whatever it shows.
    package func commit(
        _ parents: [ObjectID], changing changes: [Int: Content], time: Int64, author: String
    ) throws -> ObjectID {
        let before = parents.compactMap { self[$0] }
        var model = before.first?.model ?? []
        for (position, content) in changes.sorted(by: { $0.key < $1.key }) {
            if position < model.count { model[position] = content } else { model.append(content) }
        }
        // What came by other parents is theirs.
        let known = Set(before.flatMap { $0.model.map(\.id) })
        let trunk = CommitBundle.Record(kind: .trunk, bytes: Trunk().encoded)
        var files: [String: ObjectID] = [:]
        for (position, content) in model.enumerated() { files["\(position)"] = content.id }
        let tree = CommitBundle.Record(
            kind: .tree,
            bytes: TreeRecord(
                architecture: "simulated", files: files, layout: nil, trunk: try trunk.id(),
                layers: [:]
            ).encoded)
        let commit = CommitBundle.Record(
            kind: .commit,
            bytes: Commit(
                tree: try tree.id(), parents: parents, time: time, author: author,
                message: "a round"
            ).encoded)
        let id = try commit.id()
        let node = Node(
            parents: parents, generation: (before.map(\.generation).max() ?? 0) + 1, model: model,
            changed: model.filter { !known.contains($0.id) }, records: [commit, tree, trunk])
        nodes.withLock { $0[id] = node }
        return id
    }

    /// Forgets all of a commit but what leads to it.
    package func compact(_ id: ObjectID) {
        nodes.withLock { nodes in
            nodes[id]?.model = []
            nodes[id]?.changed = []
            nodes[id]?.records = []
        }
    }

    /// Whether a commit is another, or leads to it.
    package func leads(_ ancestor: ObjectID, to commit: ObjectID) -> Bool {
        nodes.withLock { nodes in
            guard let goal = nodes[ancestor]?.generation else { return false }
            var seen: Set<ObjectID> = [commit]
            var stack = [commit]
            while let id = stack.popLast() {
                if id == ancestor { return true }
                for parent in nodes[id]?.parents ?? []
                where (nodes[parent]?.generation ?? 0) >= goal && seen.insert(parent).inserted {
                    stack.append(parent)
                }
            }
            return false
        }
    }

    /// Whether some commit leads to both.
    package func areRelated(_ left: ObjectID, _ right: ObjectID) -> Bool {
        nodes.withLock { nodes in
            func ancestry(_ id: ObjectID) -> Set<ObjectID> {
                var seen: Set<ObjectID> = [id]
                var stack = [id]
                while let id = stack.popLast() {
                    for parent in nodes[id]?.parents ?? [] where seen.insert(parent).inserted {
                        stack.append(parent)
                    }
                }
                return seen
            }
            return !ancestry(left).isDisjoint(with: ancestry(right))
        }
    }

    /// What leads to `tips` and not to `known`, parents first.
    package func between(_ known: [ObjectID], _ tips: [ObjectID]) -> [ObjectID] {
        nodes.withLock { nodes in
            var isKnown: [ObjectID: Bool] = [:]
            var open: [ObjectID] = []
            for (ids, flag) in [(known, true), (tips, false)] {
                for id in ids where isKnown[id] == nil {
                    isKnown[id] = flag
                    open.append(id)
                }
            }
            func generation(_ id: ObjectID) -> Int { nodes[id]?.generation ?? 0 }
            var found: [ObjectID] = []
            var unknown = open.count { isKnown[$0] == false }
            while unknown > 0 {
                // The newest first: what leads to it was met before.
                guard
                    let next = open.indices.max(by: { generation(open[$0]) < generation(open[$1]) })
                else { break }
                let id = open.remove(at: next)
                let flag = isKnown[id] ?? false
                if !flag {
                    unknown -= 1
                    found.append(id)
                }
                for parent in nodes[id]?.parents ?? [] {
                    if let old = isKnown[parent] {
                        if flag, !old {
                            isKnown[parent] = true
                            if open.contains(parent) { unknown -= 1 }
                        }
                    } else {
                        isKnown[parent] = flag
                        open.append(parent)
                        if !flag { unknown += 1 }
                    }
                }
            }
            return found.sorted { (generation($0), $0) < (generation($1), $1) }
        }
    }

    /// Those of `ends` that are among `tips` or lead to them with no other between.
    package func nearest(to tips: [ObjectID], among ends: Set<ObjectID>) -> [ObjectID] {
        nodes.withLock { nodes in
            let lowest = ends.compactMap { nodes[$0]?.generation }.min() ?? .max
            var seen = Set(tips)
            var stack = tips
            var found: [ObjectID] = []
            while let id = stack.popLast() {
                if ends.contains(id) {
                    found.append(id)
                    continue
                }
                for parent in nodes[id]?.parents ?? []
                where (nodes[parent]?.generation ?? 0) >= lowest && seen.insert(parent).inserted {
                    stack.append(parent)
                }
            }
            return found
        }
    }
}
