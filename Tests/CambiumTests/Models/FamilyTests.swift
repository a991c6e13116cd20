import Architectures
import CheckpointSupport
import Elements
import TestSupport
import Testing

@testable import Cambium

/// What a store does with a model besides running and growing it: done, or refused by a name.
@Suite("models of every family are merged, exported and quantised, or refused by name")
struct FamilyTests {
    private static let families = Checkpoints.architectures

    /// A store with two branches that changed the same expert, router row and norm.
    private func conflicting(_ family: String, in directory: String) throws -> Store {
        let store = try Growth.store(Growth.model(family, "model_bf16"), in: directory)
        let layer = try #require(store.list("main").layers.last)
        let tensors = [
            try #require(layer.pools[0].routerTensors.first).name, try finalNorm(family),
        ]
        /// The last bits of the first number.
        func changed(_ bytes: [UInt8], _ change: UInt8) -> [UInt8] {
            [bytes[0] ^ change] + bytes.dropFirst()
        }
        for (branch, change) in [("a", UInt8(5)), ("b", 10)] {
            try store.createBranch(branch, at: "main", Checkpoints.signature)
            let expert = try store.expert("main", "\(layer.layer)/3").data
            let before = try tensors.map { ($0, try store.data("main", named: $0)) }
            try store.commit(Checkpoints.options(branch, branch: branch)) { patch in
                try patch.put(expert: 3, layer: layer.layer, changed(expert, change))
                for (name, bytes) in before {
                    try patch.put(tensor: name, changed(bytes, change))
                }
            }
        }
        return store
    }

    private func finalNorm(_ family: String) throws -> String {
        try #require(TransformersFamily(rawValue: family)).prefix + "norm.weight"
    }

    private func refusal(_ body: () throws -> Void) -> CambiumError? {
        #expect(throws: CambiumError.self) { try body() }
    }

    @Test(
        "the policies that need sides alone settle experts, routers and trunk", arguments: families)
    func policies(family: String) throws {
        try withScratchDirectory { directory in
            let store = try conflicting(family, in: directory)
            let listed = try store.merge(["b"], into: "a", dryRun: true, Checkpoints.signature)
            #expect(listed.conflicts.count == 3)
            var trees: Set<String> = []
            for policy in [MergePolicy.ours, .theirs, .mean, .ties, .task] {
                let name = policy.rawValue
                try store.createBranch(name, at: "main", Checkpoints.signature)
                let merged = try store.merge(
                    ["a", "b"], into: name, policy: policy, Checkpoints.signature)
                #expect(merged.conflicts.isEmpty && merged.resolved == 3, "\(name)")
                trees.insert(try #require(merged.tree))
                let model = try store.model(name)
                #expect(try model.logits([1, 2, 3]).joined().allSatisfy(\.isFinite), "\(name)")
            }
            #expect(trees.count >= 3)
            _ = try store.export("mean", to: directory + "/out")
            #expect(
                try store.commit(
                    checkpoint: directory + "/out", Checkpoints.options("again", branch: "mean")
                ).unchanged)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test(
        "a merge by regmean takes routes of both sides, which grouped experts have not",
        arguments: families)
    func regmean(family: String) throws {
        try withScratchDirectory { directory in
            let store = try conflicting(family, in: directory)
            func merge(_ order: [String]) throws -> MergeResult {
                try store.merge(
                    order, into: "main", policy: .regmean, dryRun: true, Checkpoints.signature)
            }
            #expect(refusal { _ = try merge(["a", "b"]) }?.code == .usage)
            let texts = ["a": Array(Growth.shortOld.prefix(1_024)), "b": Growth.new]
            func addRoutes() throws {
                for (branch, text) in texts.sorted(by: { $0.key < $1.key }) {
                    try store.addRoutes(
                        [text], threads: 2, Checkpoints.options("routes", branch: branch))
                }
            }
            guard !["deepseek_v3", "mistral4", "deepseek_v2"].contains(family) else {
                let error = refusal(addRoutes)
                #expect(error?.code == .badConfig && "\(error!)".contains("groups"))
                return
            }
            try addRoutes()
            let merged = try merge(["a", "b"])
            #expect(merged.conflicts.isEmpty && merged.resolved == 3)
            #expect(try merge(["b", "a"]).tree == merged.tree)
        }
    }

    @Test(
        "what peer-lm alone has is refused by the family's or the router's name",
        arguments: families)
    func refused(family: String) throws {
        try withScratchDirectory { directory in
            let store = try conflicting(family, in: directory)
            let before = try store.resolve("a")
            let options = Checkpoints.options("no", branch: "a")
            let quantised = refusal { try store.quantizeRouters(options) }
            #expect(quantised?.code == .unsupported && "\(quantised!)".contains("linear"))
            let text = [UInt8](repeating: 65, count: 600)
            let gradients = refusal { try store.addSquaredGradients([text], options) }
            let round = refusal {
                try store.train(
                    TrainOptions(
                        options, texts: [text], target: .adapter("new", .lowRank(1)),
                        budget: .steps(1)))
            }
            for error in [gradients, round] {
                #expect(error?.code == .unsupported && "\(error!)".contains("'\(family)'"))
            }
            let fisher = refusal {
                _ = try store.merge(["b"], into: "a", policy: .fisher, Checkpoints.signature)
            }
            #expect(fisher?.code == .usage && "\(fisher!)".contains("squared gradients"))
            #expect(try store.resolve("a") == before)
        }
    }

    @Test("each family is registered with the names and defaults that its config needs")
    func registered() {
        #expect(Set(Self.families) == Set(ModelDescription.architectures))
        for family in Architecture.all where family.name != Architecture.peerLM.name {
            for name in [family.name] + family.otherNames {
                #expect(Architecture.named(name)?.name == family.name)
            }
            #expect(Architecture.ofClass((family.classPrefix ?? "") + "ForCausalLM") != nil)
            #expect(!family.countKeys.isEmpty && !family.names.router.isEmpty)
        }
    }
}
