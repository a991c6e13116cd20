internal import BenchmarkSupport
internal import Cambium
internal import Foundation
internal import Objects
internal import Snapshots

extension Benchmark {
    /// A history of many commits on many branches, of which every tenth is merged, and what reads all of it.
    ///
    /// One commit of ten changes an expert.
    func history(_ found: Measured) throws {
        let pool = try Pool(path, count: experts, size: size)
        var (made, step) = (1, 0)
        var heads: [String: (id: ObjectID, tree: Tree)] = [:]
        func commit(on branch: String) throws {
            step += 1
            let time = Pool.signature.time + Int64(60 * step)
            let metrics = ["text.bpb": 2 + 1 / Double(1 + step % 97)]
            if step % 10 == 0 {
                var options = CommitOptions(
                    message: "round \(step) of \(branch)", branch: branch,
                    signature: Signature(author: "benchmark", time: time))
                options.metrics = metrics
                try pool.store.commit(options) { patch in
                    for (ordinal, bytes) in pool.changes(round: step, count: 1) {
                        try patch.put(expert: ordinal, layer: 0, bytes)
                    }
                }
                heads[branch] = nil
            } else {
                let head = try heads[branch] ?? self.head(of: branch, pool)
                let note = CommitNote(
                    time: time, author: "benchmark", message: "round \(step) of \(branch)",
                    metrics: metrics)
                let outcome = try CommitDraft(pool.snapshots, tree: head.tree).commit(
                    to: branch, parents: [head.id], note: note, keepsUnchanged: true)
                heads[branch] = (outcome.id, head.tree)
            }
            made += 1
        }
        let each = max(1, (commits - made) / max(1, branches) - 1)
        for number in 0..<branches where made < commits {
            let name = "branch-\(number)"
            try commit(on: "main")
            try pool.store.createBranch(name, at: "main", Pool.signature)
            for _ in 0..<each where made < commits { try commit(on: name) }
            // Both go on, so that a merge is no fast-forward.
            guard number % 10 == 9, made + 2 < commits else { continue }
            try commit(on: "main")
            _ = try pool.store.merge(
                [name], into: "main", policy: .theirs,
                Signature(author: "benchmark", time: Pool.signature.time + Int64(60 * step)))
            heads["main"] = nil
            made += 1
        }
        while made < commits { try commit(on: "main") }
        for _ in 0..<rounds {
            let log = try found.time("log_seconds") { try pool.store.log(all: true) }
            try expect(log.count == commits, "\(log.count) commits in the log")
            let figures = try found.time("figures_seconds") { try pool.store.figures() }
            let history = try found.time("history_seconds") { try figures.history() }
            try expect(history.commits.count == commits, "\(history.commits.count) in the figure")
            let storage = try found.time("storage_seconds") { try figures.storage() }
            try expect(
                storage.commits.last?.separate == commits * experts * size,
                "the checkpoints' bytes are others")
            _ = try found.time("origins_seconds") { try figures.origins() }
            _ = try found.time("merges_seconds") { try figures.merges() }
        }
    }

    private func head(of branch: String, _ pool: Pool) throws -> (id: ObjectID, tree: Tree) {
        let id = try pool.snapshots.resolve(branch)
        return (id, try pool.snapshots.tree(at: id.hex))
    }
}
