import Elements
import Snapshots
import TestSupport
import Testing

@testable import Cambium

@Suite("Squared gradients of a branch")
struct StoreSquaredGradientsTests {
    private static let text = Array("the quick brown fox jumps over the lazy dog, again".utf8)

    private func bytes(_ values: [Float]) -> [UInt8] {
        values.flatMap { littleEndian($0.bitPattern) }
    }

    private func gradients(_ store: Store, _ revision: String) throws -> [String: [UInt8]] {
        var found: [String: [UInt8]] = [:]
        for (name, id) in try store.tree(revision).files where name.hasPrefix("fisher.") {
            found[name] = try store.snapshots.data(of: id).1
        }
        return found
    }

    @Test("are recorded of every tensor and expert, alike with any threads, and replaced")
    func record() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let done = try store.addSquaredGradients(
                [Self.text], threads: 2, Checkpoints.options("fisher"))
            #expect(done.tokens == Self.text.count - 1 && done.experts == 16)
            #expect((1...16).contains(done.picked) && !done.unchanged)
            let first = try gradients(store, "main")
            #expect(first.count == done.experts + done.tensors)
            #expect(try store.verify().faults.isEmpty)
            let again = try store.addSquaredGradients([Self.text], Checkpoints.options("again"))
            #expect(again.unchanged && again.commit == done.commit)
            // Other texts: the same objects, other numbers.
            try store.addSquaredGradients(
                [Array(Self.text.reversed())], Checkpoints.options("other"))
            let second = try gradients(store, "main")
            #expect(Set(first.keys) == Set(second.keys) && first != second)
            // What the model no longer has is forgotten.
            try store.commit(Checkpoints.options("norm")) { patch in
                try patch.put(
                    tensor: "model.norm.weight", self.bytes([Float](repeating: 2, count: 8)))
            }
            try store.addSquaredGradients([Self.text], Checkpoints.options("fisher"))
            let third = try gradients(store, "main")
            #expect(third.count == second.count && Set(third.keys) != Set(second.keys))
        }
    }

    @Test("let a merge by fisher settle what two rounds changed, each element between the sides'")
    func merge() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let query = "model.layers.0.peer.query.weight"
            for (name, value) in [("a", Float(0.5)), ("b", 0.25)] {
                try store.createBranch(name, at: "main", Checkpoints.signature)
                try store.commit(Checkpoints.options(name, branch: name)) {
                    patch in
                    for expert in 0..<16 {
                        let rows = (0..<16).map { value + Float($0 + expert) / 64 }
                        try patch.put(expert: expert, layer: 0, self.bytes(rows))
                    }
                    try patch.put(
                        tensor: query, self.bytes((0..<64).map { value - Float($0) / 64 }))
                }
                let text = name == "a" ? Self.text : Self.text.reversed()
                try store.addSquaredGradients(
                    [text], Checkpoints.options("fisher", branch: name))
            }
            // What both recorded of unchanged tensors keeps no policy from merging.
            let listed = try store.merge(["b"], into: "a", dryRun: true, Checkpoints.signature)
            #expect(listed.conflicts.count == 24)
            #expect(listed.conflicts.allSatisfy { !$0.entity.contains("fisher") })
            let mean = try store.merge(
                ["b"], into: "a", policy: .mean, dryRun: true, Checkpoints.signature)
            #expect(mean.conflicts.isEmpty && mean.policy == "mean")
            let merged = try store.merge(
                ["a", "b"], into: "main", policy: .fisher, Checkpoints.signature)
            #expect(merged.kind == .merged && merged.conflicts.isEmpty)
            var isWeighted = false
            for expert in 0..<16 {
                let sides = try ["a", "b", "main"].map {
                    try FloatCode.decode(
                        store.expert($0, "0/\(expert)").data, [TensorShape(.f32, [16])]) ?? []
                }
                for index in 0..<16 {
                    let (a, b, found) = (sides[0][index], sides[1][index], sides[2][index])
                    #expect(found <= a && found >= b)
                    if abs(found - (a + b) / 2) > 1e-3 { isWeighted = true }
                }
            }
            #expect(isWeighted)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("are refused of texts and branches that cannot be, and the branch stays")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let before = try store.resolve("main")
            for texts in [[], [[1]], [Self.text, []]] as [[[UInt8]]] {
                let error = #expect(throws: CambiumError.self) {
                    try store.addSquaredGradients(texts, Checkpoints.options("bad"))
                }
                #expect(error?.code == .usage)
            }
            let threads = #expect(throws: CambiumError.self) {
                try store.addSquaredGradients(
                    [Self.text], threads: 0, Checkpoints.options("bad"))
            }
            #expect(threads?.code == .usage)
            #expect(try store.resolve("main") == before)
            try Store.create(at: directory + "/T")
            let empty = #expect(throws: CambiumError.self) {
                try Store(directory + "/T").addSquaredGradients(
                    [Self.text], Checkpoints.options("bad"))
            }
            #expect(empty?.code == .notFound)
        }
    }
}
