import CheckpointSupport
import Elements
import Foundation
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

extension HashedRowTests {
    @Test("more than the config has are refused before there is memory for them")
    func claimed() throws {
        try withStore(HashedCheckpoint()) { store, _ in
            let snapshots = store.snapshots
            let tree = try snapshots.map(snapshots.resolve("main")).tree
            for (branch, count) in [("more", UInt64(UInt32.max)), ("other", 193)] {
                var draft = try CommitDraft(snapshots, tree: tree)
                draft.tree.layers[0]?.pools["base"]?.count = count
                _ = try draft.commit(
                    to: branch, parents: [],
                    note: CommitNote(time: 1, author: "x", message: branch))
                #expect(code { try store.model(branch) } == .badTensor)
            }
            var layer = try #require(tree.layers[0])
            for count in [UInt64(UInt32.max) + 1, .max] {
                layer.pools["base"]?.count = count
                #expect(code { try Layer(decoding: layer.encoded) } == .corrupt)
            }
            layer.pools["base"]?.count = 192
            for parts in [
                [TensorShape(.u8, [1 << 60])],
                [TensorShape(.u8, [.max]), TensorShape(.u8, [.max])],
                [],
            ] {
                layer.pools["base"]?.parts = parts
                #expect(code { try Layer(decoding: layer.encoded) } == .corrupt)
            }
            layer.pools["base"]?.parts = [TensorShape(.f32, [32])]
            layer.pools["base"]?.kind = .neuron
            #expect(code { try Layer(decoding: layer.encoded) } == .corrupt)
        }
    }
}
