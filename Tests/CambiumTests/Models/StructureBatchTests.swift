import CheckpointSupport
import Tensors
import TestSupport
import Testing

@testable import Cambium
@testable import Models

/// Texts of several models of one structure that run together.
@Suite("texts of models of one structure")
struct StructureBatchTests {
    private static let checkpoints =
        ["peer-lm/base", "peer-lm/hashed"]
        + Checkpoints.architectures.map { "hf/\($0)/model_bf16" }

    /// Other numbers about as large: those of the first half behind those of the second, and some of them others.
    private static func turned(_ bytes: [UInt8]) -> [UInt8] {
        let half = bytes.count / 8 * 4
        var turned = Array(bytes[half...] + bytes[..<half])
        for index in stride(from: 1, to: min(turned.count, 32), by: 2) { turned[index] ^= 1 }
        return turned
    }

    /// A store whose branches each changed another part of the model.
    private func branches(of checkpoint: String, in directory: String) throws -> Store {
        let store = try Growth.store(Checkpoints.path(checkpoint), in: directory)
        let layer = try #require(store.list("main").layers.last { !$0.pools.isEmpty })
        // Some that a text picks.
        let model = try store.model("main")
        let picked = try withExtendedLifetime(model) {
            let session = Session(model.model.base)
            _ = try session.append(Self.text(1, 40))
            let usage = try #require(session.usage.layers.first { $0.layer == layer.layer })
            return (0..<layer.pools[0].experts).filter(usage.isTouched).prefix(4)
        }
        let experts = try picked.map { ordinal in
            (ordinal, try store.expert("main", "\(layer.layer)/\(ordinal)").data)
        }
        try change("experts", store) { patch in
            for (ordinal, bytes) in experts {
                try patch.put(expert: ordinal, layer: layer.layer, Self.turned(bytes))
            }
        }
        let names = try store.list("main").trunk.map(\.name)
        let attention = names.filter {
            $0.contains("layers.0.")
                && ($0.hasSuffix("o_proj.weight") || $0.hasSuffix("out_proj.weight"))
        }
        let router = layer.pools[0].routerTensors.map(\.name).filter { !$0.hasSuffix("bias") }
        for (branch, changed) in [
            ("attention", attention), ("router", Array(router.prefix(1))),
            ("norm", names.filter { $0.hasSuffix("model.norm.weight") }),
        ] {
            let tensors = try changed.map { ($0, try store.data("main", named: $0)) }
            try change(branch, store) { patch in
                for (name, bytes) in tensors { try patch.put(tensor: name, Self.turned(bytes)) }
            }
        }
        return store
    }

    private func change(
        _ branch: String, _ store: Store, _ edit: (inout Patch) throws -> Void
    ) throws {
        try store.createBranch(branch, at: "main", Checkpoints.signature)
        try store.commit(Checkpoints.options(branch, branch: branch), patch: edit)
    }

    private static let branches = ["main", "experts", "attention", "router", "norm"]

    private static func text(_ seed: Int, _ count: Int) -> [Int] {
        (0..<count).map { ($0 * 37 + $0 * $0 * 11 + seed * 101) % 256 }
    }

    @Test("give the bits that each gives alone", arguments: checkpoints)
    func together(checkpoint: String) throws {
        try withScratchDirectory { directory in
            let store = try branches(of: checkpoint, in: directory)
            let models = try Self.branches.map { try store.model($0) }
            try withExtendedLifetime(models) {
                let bases = models.map(\.model.base)
                let pass = ForwardPass(bases[0], team: ThreadTeam(count: 2))
                // Models in turns, so that the texts of one are not beside each other.
                let texts = (0..<12).map { Self.text($0, 1 + $0 * 7 % 40) }
                let sessions = texts.indices.map { Session(bases[$0 % bases.count], pass: pass) }
                let first = try pass.append(Array(zip(sessions, texts)), logits: .all)
                let next = try pass.append(sessions.map { ($0, [65, 66]) })
                for (index, text) in texts.enumerated() {
                    let alone = Session(bases[index % bases.count])
                    let name = "text \(index) of \(Self.branches[index % bases.count])"
                    #expect(try alone.append(text, logits: .all) == first[index], "\(name)")
                    #expect(try alone.append([65, 66]) == next[index], "\(name)")
                    #expect(alone.usage == sessions[index].usage, "\(name)")
                }
                #expect(pass.counts.run < pass.counts.alone)
                // Each says something else.
                let said = try bases.map {
                    try Session($0).append(Self.text(1, 40), logits: .all)
                }
                #expect(Set(said).count == bases.count)
            }
        }
    }

    @Test("have one copy of the matrices that are laid out in memory")
    func matrices() throws {
        try withScratchDirectory { directory in
            let store = try branches(of: "peer-lm/base", in: directory)
            func outputs(_ revision: String) throws -> [PackedMatrix] {
                let model = try store.model(revision)
                return withExtendedLifetime(model) {
                    model.model.base.layers.compactMap { layer in
                        guard case .grouped(let grouped) = layer.attention else { return nil }
                        return grouped.output.matrix as? PackedMatrix
                    }
                }
            }
            let (one, other, attention) = (
                try outputs("main"), try outputs("experts"), try outputs("attention")
            )
            #expect(!one.isEmpty && one.elementsEqual(other) { $0 === $1 })
            #expect(one.first !== attention.first && one.dropFirst().last === attention.last)
        }
    }

    @Test("run what the models have in common once", arguments: ["olmoe", "deepseek_v3"])
    func once(family: String) throws {
        try withScratchDirectory { directory in
            let store = try branches(of: "hf/\(family)/model_bf16", in: directory)
            let models = try Self.branches.map { try store.model($0) }
            try withExtendedLifetime(models) {
                func count(_ places: [Int]) throws -> (run: Int, alone: Int) {
                    let pass = ForwardPass(models[0].model.base)
                    _ = try pass.append(
                        places.map { (Session(models[$0].model.base, pass: pass), [5, 6]) })
                    return pass.counts
                }
                let one = try count([0])
                #expect(one.run == one.alone)
                // Experts are told apart one by one, and the last norm is the head's.
                for other in [1, 4] {
                    let both = try count([0, other, 0])
                    #expect(both.run == one.run && both.alone == 2 * one.run)
                }
                for other in [2, 3] { #expect(try count([0, other]).run == one.run + 1) }
                #expect(try count([0, 1, 2, 3, 4]).run == one.run + 2)
            }
        }
    }
}
