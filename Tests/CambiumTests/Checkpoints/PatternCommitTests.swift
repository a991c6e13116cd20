import CheckpointSupport
import Elements
import Foundation
import TestSupport
import Testing

@testable import Cambium

/// Models of no known family go the whole way: commit, export, change, diff, verify, reopen.
@Suite("Commits of experts by pattern")
struct PatternCommitTests {
    @Test(
        "a change costs its expert, and every byte comes back",
        arguments: ModelForm.regular + ModelForm.mixed + ModelForm.irregular)
    func wholePath(form: ModelForm) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            try form.write(to: directory + "/a")
            let store = try Store(directory + "/S")
            let first = try store.commit(checkpoint: directory + "/a", Checkpoints.options("a"))
            #expect(first.patterns == form.patterns)
            #expect(first.experts == form.pools.values.reduce(0) { $0 + $1.experts.count })
            #expect(first.notes.contains { note in form.patterns.allSatisfy(note.contains) })
            try expectExport(store, "main", directory + "/a", directory + "/out-a")
            for (number, probe) in form.probes.enumerated() {
                let (path, branch) = ("\(directory)/b\(number)", "b\(number)")
                try form.write(to: path, changing: probe)
                let second = try store.commit(
                    checkpoint: path, Checkpoints.options("b", branch: branch))
                try expectDiff(store, branch, probe)
                try expectExport(store, branch, path, "\(directory)/out-\(branch)")
                guard let expert = probe.expert else { continue }
                let data = try store.expert(branch, expert).data
                #expect(second.newExperts == 1)
                // Beside the expert: the array's, the layer's and the tree's records.
                #expect(second.newBytes < data.count + 8_192)
                #expect(try store.expert("main", expert).data.count == data.count)
            }
            #expect(try store.verify().faults.isEmpty)
            let again = try Store(directory + "/S")
            let same = try again.commit(checkpoint: directory + "/a", Checkpoints.options("again"))
            #expect(same.unchanged && same.experts == first.experts)
            try expectExport(again, "main", directory + "/a", directory + "/out-again")
        }
    }

    private func expectExport(
        _ store: Store, _ revision: String, _ path: String, _ out: String
    ) throws {
        _ = try store.export(revision, to: out)
        #expect(try folderContents(out) == folderContents(path))
    }

    private func expectDiff(_ store: Store, _ branch: String, _ probe: ModelForm.Probe) throws {
        let diff = try store.diff(from: "main", to: branch)
        guard let expert = probe.expert else {
            #expect(diff.pools.isEmpty && diff.trunk.map(\.name) == [probe.tensor])
            return
        }
        let changed = diff.pools.flatMap { pool in
            pool.changed.map {
                pool.pool == "base"
                    ? "\(pool.layer)/\($0.ordinal)" : "\(pool.layer)/\(pool.pool)/\($0.ordinal)"
            }
        }
        #expect(changed == [expert] && diff.pools[0].routers.isEmpty)
    }
}
