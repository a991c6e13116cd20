import Evidence
import TestSupport
import Testing

@testable import Cambium

@Suite("Merging models whose routers are solved from evidence")
struct SolvedRouterMergeTests {
    /// A branch of main with evidence of some texts, and a router that is solved from it.
    private func side(
        _ name: String, _ texts: [Int], form: ReadOutForm = .ridge, from start: String = "main",
        of store: Store
    ) throws {
        try store.createBranch(name, at: start, Checkpoints.signature)
        try RoutedCheckpoint.add(texts, to: name, of: store)
        try store.commitRouter(
            layer: 0, form: form, Checkpoints.options("solved", branch: name))
    }

    private func said(_ revision: String, _ store: Store) throws -> [UInt8] {
        try store.model(revision).generate(Array("the ".utf8), count: 40).bytes
    }

    @Test(
        "equals the model that saw all evidence, bit for bit, in any order",
        arguments: RoutedCheckpoint.allCases, ReadOutForm.allCases)
    func law(_ kind: RoutedCheckpoint, _ form: ReadOutForm) throws {
        try withScratchDirectory { directory in
            let store = try kind.store(in: directory)
            try side("joint", [0, 1, 2], form: form, of: store)
            for (name, text) in [("a", 0), ("b", 1), ("c", 2)] {
                try side(name, [text], form: form, of: store)
            }
            let (tree, text) = (try store.show("joint").tree, try said("joint", store))
            #expect(try said("a", store) != text)
            for (index, order) in [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]].enumerated() {
                try store.createBranch("m\(index)", at: order[0], Checkpoints.signature)
                let merged = try store.merge(
                    Array(order.dropFirst()), into: "m\(index)", Checkpoints.signature)
                #expect(merged.kind == .merged && merged.conflicts.isEmpty)
                #expect(try store.show("m\(index)").tree == tree)
                #expect(try store.show("m\(index)").metadata["merge.routers"] == "0")
            }
            // One after the other, in both ways of pairing.
            for (index, (first, second, third)) in [("a", "b", "c"), ("b", "c", "a")].enumerated() {
                let name = "p\(index)"
                try store.createBranch(name, at: first, Checkpoints.signature)
                _ = try store.merge([second], into: name, Checkpoints.signature)
                #expect(try store.show(name).tree != tree)
                _ = try store.merge([third], into: name, Checkpoints.signature)
                #expect(try store.show(name).tree == tree)
                // Again changes nothing.
                let again = try store.merge([second], into: name, Checkpoints.signature)
                #expect(again.kind == .upToDate)
            }
            #expect(try said("m0", store) == text)
            #expect(try said("p1", store) == text)
            _ = try store.merge(["p0"], into: "p1", Checkpoints.signature)
            #expect(try store.show("p1").tree == tree)
        }
    }

    @Test("takes evidence of a side that solved nothing, and drops what a side dropped")
    func onlyEvidence() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            try side("joint", [0, 1], of: store)
            try side("a", [0], of: store)
            try store.createBranch("b", at: "main", Checkpoints.signature)
            try RoutedCheckpoint.add([1], to: "b", of: store)
            for (into, from) in [("a", "b"), ("b", "a")] {
                try store.createBranch("into-\(into)", at: into, Checkpoints.signature)
                _ = try store.merge([from], into: "into-\(into)", Checkpoints.signature)
                #expect(try store.show("into-\(into)").tree == store.show("joint").tree)
            }
            // Both go on from a solved model: one learns a text, one forgets one.
            try side("more", [2], from: "joint", of: store)
            let second = try store.evidence("b").map(\.id)
            for (name, start) in [("less", "joint"), ("never", "more")] {
                try store.createBranch(name, at: start, Checkpoints.signature)
                _ = try store.dropEvidence(second, Checkpoints.options("drop", branch: name))
                try store.commitRouter(layer: 0, Checkpoints.options("s", branch: name))
            }
            #expect(try store.show("less").tree == store.show("a").tree)
            _ = try store.merge(["less"], into: "more", Checkpoints.signature)
            #expect(try store.show("more").tree == store.show("never").tree)
        }
    }

    @Test("merges experts and other layers beside, by every policy")
    func policies() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            try side("joint", [0, 1], of: store)
            try side("a", [0], of: store)
            try side("b", [1], of: store)
            try store.commit(Checkpoints.options("expert", branch: "b")) { patch in
                try patch.put(expert: 3, layer: 1, [UInt8](repeating: 0, count: 64))
            }
            try store.commit(Checkpoints.options("expert", branch: "joint")) { patch in
                try patch.put(expert: 3, layer: 1, [UInt8](repeating: 0, count: 64))
            }
            for policy in [MergePolicy.none, .mean, .ours, .alternatives] {
                let name = policy.rawValue
                try store.createBranch(name, at: "a", Checkpoints.signature)
                let merged = try store.merge(
                    ["b"], into: name, policy: policy, Checkpoints.signature)
                #expect(merged.kind == .merged)
                #expect(try store.show(name).tree == store.show("joint").tree, "\(name)")
            }
            // That of linear routers says that it is not for these.
            #expect(
                code { try store.merge(["b"], into: "a", policy: .solve, Checkpoints.signature) }
                    == .unsupported)
        }
    }

    @Test("of routers that are not what their evidence gives is as of any router")
    func stale() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            try side("a", [0], of: store)
            try side("b", [1], of: store)
            try RoutedCheckpoint.add([2], to: "b", of: store)
            let merged = try store.merge(["b"], into: "a", Checkpoints.signature)
            #expect(merged.kind == .conflicts)
            #expect(
                (merged.notes ?? []).contains { $0.contains("router of layer 0 on b is not what") })
            try store.commitRouter(layer: 0, Checkpoints.options("s", branch: "b"))
            #expect(
                try store.merge(["b"], into: "a", Checkpoints.signature).conflicts.isEmpty)
            // Solved in two ways, the configs disagree.
            try side("c", [3], form: .discriminant, of: store)
            #expect(try store.merge(["c"], into: "b", Checkpoints.signature).kind == .conflicts)
        }
    }

    @Test("over another trunk is refused by name")
    func trunks() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            try side("a", [0], of: store)
            try store.createBranch("b", at: "main", Checkpoints.signature)
            try store.commit(Checkpoints.options("dense", branch: "b")) { patch in
                try patch.put(
                    tensor: "model.layers.0.mlp.up_proj.weight", [UInt8](repeating: 0, count: 256))
            }
            let error = #expect(throws: CambiumError.self) {
                try store.merge(["b"], into: "a", Checkpoints.signature)
            }
            #expect(error?.code == .usage && error?.message.contains("another trunk") == true)
            #expect(error?.message.contains("router of layer 0") == true)
            // Without its evidence it is a router like any other.
            _ = try store.dropEvidence(
                store.evidence("a").map(\.id), Checkpoints.options("drop", branch: "a"))
            #expect(try store.merge(["b"], into: "a", Checkpoints.signature).kind == .merged)
        }
    }

    @Test("is refused where a side's trunk went on below routers that sides solved differently")
    func trunkBehind() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            try side("s", [0], of: store)
            for name in ["dense", "expert"] {
                try store.createBranch(name, at: "s", Checkpoints.signature)
            }
            try store.commit(Checkpoints.options("dense", branch: "dense")) { patch in
                try patch.put(
                    tensor: "model.layers.0.mlp.up_proj.weight", [UInt8](repeating: 0, count: 256))
            }
            try store.commit(Checkpoints.options("expert", branch: "expert")) { patch in
                try patch.put(expert: 3, layer: 1, [UInt8](repeating: 0, count: 64))
            }
            try side("more", [1], from: "s", of: store)
            for (into, from) in [("dense", "more"), ("more", "dense")] {
                let error = #expect(throws: CambiumError.self) {
                    try store.merge([from], into: into, Checkpoints.signature)
                }
                #expect(error?.code == .usage)
                #expect(error?.message.contains("router of layer 0") == true)
            }
            // One router on all sides is none that was solved for another trunk than its side's.
            #expect(
                try store.merge(["expert"], into: "dense", Checkpoints.signature).kind == .merged)
        }
    }

    @Test("with a side that left before the router was solved is solved for all")
    func before() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            func expert(_ branch: String) throws {
                try store.commit(Checkpoints.options("expert", branch: branch)) { patch in
                    try patch.put(expert: 3, layer: 1, [UInt8](repeating: 0, count: 64))
                }
            }
            try store.createBranch("c", at: "main", Checkpoints.signature)
            try expert("c")
            try side("s", [0], of: store)
            try side("a", [1], from: "s", of: store)
            try side("b", [2], from: "s", of: store)
            try side("joint", [1, 2], from: "s", of: store)
            try expert("joint")
            let tree = try store.show("joint").tree
            for (index, order) in [["a", "b", "c"], ["c", "b", "a"], ["b", "a", "c"]].enumerated() {
                try store.createBranch("m\(index)", at: order[0], Checkpoints.signature)
                let merged = try store.merge(
                    Array(order.dropFirst()), into: "m\(index)", Checkpoints.signature)
                #expect(merged.kind == .merged && merged.conflicts.isEmpty && merged.notes == nil)
                #expect(try store.show("m\(index)").tree == tree)
            }
        }
    }

    @Test("of two layers unites the upper one's evidence where the lower routers are one")
    func layers() throws {
        try withScratchDirectory { directory in
            let store = try RoutedCheckpoint.productKeys.store(in: directory)
            try side("base", [0], of: store)
            func upper(_ name: String, _ texts: [Int]) throws {
                try store.createBranch(name, at: "base", Checkpoints.signature)
                try RoutedCheckpoint.add(texts, layer: 1, to: name, of: store)
                try store.commitRouter(layer: 1, Checkpoints.options("s", branch: name))
            }
            try upper("joint", [1, 2])
            try upper("a", [1])
            try upper("b", [2])
            _ = try store.merge(["b"], into: "a", Checkpoints.signature)
            #expect(try store.show("a").tree == store.show("joint").tree)
            // A lower router that changes is another trunk for the upper one.
            try store.createBranch("lower", at: "base", Checkpoints.signature)
            try RoutedCheckpoint.add([3], to: "lower", of: store)
            try store.commitRouter(layer: 0, Checkpoints.options("s", branch: "lower"))
            let error = #expect(throws: CambiumError.self) {
                try store.merge(["lower"], into: "a", Checkpoints.signature)
            }
            #expect(error?.message.contains("router of layer 1") == true)
        }
    }
}
