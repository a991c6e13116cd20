import CheckpointSupport
import Elements
import Foundation
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

extension HashedRowTests {
    @Test("absent are zeros to every policy, and what comes to zeros is absent")
    func mergesAbsent() throws {
        try withStore(HashedCheckpoint()) { store, _ in
            // Of every fifth there was none; 7 is pruned on one side.
            try change(store, "a", [5: 1, 10: 2, 7: 0])
            try change(store, "b", [5: 3, 10: -2, 7: 4])
            for (policy, five) in [(MergePolicy.mean, Float(2)), (.ties, 2), (.task, 4)] {
                let branch = policy.rawValue
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                let merged = try store.merge(
                    ["a", "b"], into: branch, policy: policy,
                    settings: PolicySettings(density: 1, scale: 1), Checkpoints.signature)
                #expect(merged.kind == .merged && merged.conflicts.isEmpty)
                #expect(
                    try store.expert(branch, "0/5").data.floats
                        == [Float](repeating: five, count: 32))
                #expect(code { try store.expert(branch, "0/10") } == .notFound)
                if policy == .mean {
                    #expect(
                        try store.expert(branch, "0/7").data.floats
                            == [Float](repeating: 2, count: 32))
                }
            }
            // As the same model committed whole.
            try store.createBranch("again", at: "main", Checkpoints.signature)
            var whole = try HashedCheckpoint()
            for (row, value) in [(5, Float(2)), (7, 2)] { whole.set(row, to: value) }
            try withScratchDirectory { work in
                _ = try store.commit(
                    checkpoint: whole.raw.write(to: work + "/whole", shards: 1, seed: nil),
                    Checkpoints.options("whole", branch: "again"))
            }
            #expect(
                try store.list("again").layers[0].pools[0].root
                    == store.list("mean").layers[0].pools[0].root)
        }
    }
}
