import Architectures
import CheckpointSupport
import Elements
import Foundation
import Models
import TestSupport
import Testing

@testable import Cambium

/// Files in JSON that come with models, with one value replaced by what no program would write there: either a
/// clear error or a model that runs, and no trap.
@Suite("configs with hostile values")
struct ConfigFuzzTests {
    private static let models =
        ["peer-lm/base"] + GeneratedCheckpoints.families.map { "hf/\($0)/model" }

    @Test("a description is refused by a message of the config, or is one", arguments: models)
    func descriptions(_ model: String) throws {
        let variants = try HostileJSON.variants(
            ofFile: Checkpoints.path(model) + "/config.json")
        #expect(variants.count > 500)
        var refused = 0
        for variant in variants {
            do {
                if model.hasPrefix("peer-lm") {
                    _ = try PeerConfig(json: variant.bytes)
                } else {
                    _ = try ModelDescription(json: variant.bytes)
                }
            } catch let error as CambiumError {
                refused += 1
                #expect(
                    error.code == .badConfig && error.message.contains("config"),
                    "\(variant): \(error)")
            }
        }
        #expect(refused > variants.count / 3)
    }

    static let counts: [(model: String, field: String, values: [String])] = [
        ("hf/olmoe/model", "num_experts", ["1000000000000", "0", "-1", "0.5", "NaN", "\"16\""]),
        ("hf/olmoe/model", "hidden_size", ["4611686018427387904", "-8", "1e300"]),
        ("hf/olmoe/model", "vocab_size", ["0", "-256", "1000000000000"]),
        ("hf/olmoe/model", "num_hidden_layers", ["1000000000", "0", "-1"]),
        ("hf/olmoe/model", "num_experts_per_tok", ["17", "0", "4294967296"]),
        ("hf/qwen3_moe/model", "head_dim", ["4611686018427387904", "3", "Infinity"]),
        ("hf/deepseek_v3/model", "kv_lora_rank", ["9223372036854775807", "0"]),
        ("peer-lm/base", "hidden_size", ["4611686018427387904", "0", "0.5"]),
        ("peer-lm/base", "num_layers", ["1000000000", "-1"]),
        ("peer-lm/base", "vocab_size", ["0", "-1", "1000000000000"]),
    ]

    @Test("a count that cannot be is refused by the name of its field", arguments: counts.indices)
    func named(_ index: Int) throws {
        let (model, field, values) = Self.counts[index]
        for variant in try HostileJSON.variants(ofFile: Checkpoints.path(model) + "/config.json")
        where variant.place == [field] && values.contains(variant.value) {
            let error = #expect(throws: CambiumError.self) {
                if model.hasPrefix("peer-lm") {
                    _ = try PeerConfig(json: variant.bytes)
                } else {
                    _ = try ModelDescription(json: variant.bytes)
                }
            }
            let said = error?.message ?? ""
            #expect(said.contains(field), "\(variant): \(said)")
        }
    }

    @Test("every command ends with an error or a model that runs", arguments: models)
    func commands(_ model: String) throws {
        var random = SeededGenerator.announced()
        let source = Checkpoints.path(model)
        let files = ["config.json", "generation_config.json"].filter {
            FileManager.default.fileExists(atPath: "\(source)/\($0)")
        }
        for _ in 0..<Self.rounds {
            let file = try #require(files.randomElement(using: &random))
            let variants = try HostileJSON.variants(ofFile: "\(source)/\(file)")
            let variant = try #require(variants.randomElement(using: &random))
            try withScratchDirectory { directory in
                try Store.create(at: directory + "/S")
                let store = try Store(directory + "/S")
                _ = try store.commit(checkpoint: source, Checkpoints.options("good"))
                try FileManager.default.copyItem(atPath: source, toPath: directory + "/hostile")
                let url = URL(filePath: "\(directory)/hostile/\(file)")
                try FileManager.default.removeItem(at: url)
                try Data(variant.bytes).write(to: url)
                try Self.use(store, directory, isPeer: model.hasPrefix("peer-lm"), variant)
            }
        }
    }

    /// `CAMBIUM_FUZZ` asks for more.
    private static let rounds =
        ProcessInfo.processInfo.environment["CAMBIUM_FUZZ"].flatMap { Int($0) } ?? 5

    /// Commits the folder `hostile` and does what can be done with a model.
    private static func use(
        _ store: Store, _ directory: String, isPeer: Bool, _ variant: HostileJSON
    ) throws {
        let good = try store.resolve("main")
        /// Whether it went through; another error than a store's is a failure.
        func passes(_ body: () throws -> Void) -> Bool {
            do {
                try body()
                return true
            } catch {
                #expect(
                    (error as? CambiumError).map { !$0.message.isEmpty } == true,
                    "\(variant): \(error)")
                return false
            }
        }
        try store.createBranch("side", at: "main", Checkpoints.signature)
        var options = Checkpoints.options("hostile")
        options.allowsUnfit = true
        guard passes({ try store.commit(checkpoint: directory + "/hostile", options) }) else {
            #expect(try store.resolve("main") == good)
            return
        }
        #expect(passes { _ = try store.list("main") })
        #expect(passes { _ = try store.show("main") })
        #expect(passes { _ = try store.diff(from: "side", to: "main") })
        #expect(passes { _ = try store.export("main", to: directory + "/out") }, "\(variant)")
        let runs = passes {
            let model = try store.model("main")
            _ = try model.generate(tokens: [1, 2, 3], count: 2)
            _ = try model.logits([3, 2, 1])
        }
        _ = passes {
            let text = [UInt8](repeating: 65, count: 300)
            _ = try store.model("main").evaluate(text, limit: 256, threads: 2)
        }
        _ = passes { _ = try store.merge(["main"], into: "side", Checkpoints.signature) }
        if isPeer {
            _ = passes {
                var round = TrainOptions(
                    Checkpoints.options("round"), texts: [Array("abcdefgh".utf8) + noise(600, 1)],
                    target: .adapter("new", .lowRank(1)), budget: .steps(1))
                round.windows = 2
                try store.train(round)
            }
            _ = passes { try store.quantizeRouters(Checkpoints.options("int8")) }
        } else if runs {
            _ = passes { try store.dropExpert(nil, Checkpoints.options("drop")) }
        } else {
            // Nothing is trained on or grown that does not run.
            #expect(
                !passes {
                    try store.addExpert(
                        from: ExpertSource(directory + "/hostile", expert: 0),
                        evidence: [Growth.new], keep: [Growth.shortOld], growth: Growth.roughly,
                        Checkpoints.options("grow"))
                })
        }
        #expect(try store.verify().faults.isEmpty, "\(variant)")
    }
}
