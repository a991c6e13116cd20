import CheckpointSupport
import Foundation
import TestSupport
import Testing

@testable import Cambium

/// Texts of several models in one batch.
@Suite("texts of several models that come and go")
struct StructureTextsTests {
    private func request(_ number: Int, _ length: Int, count: Int) -> TextRequest {
        TextRequest(
            prompt: (0..<length).map { ($0 * 37 + number * 11) % 90 + 1 }, count: count,
            sampling: SamplingOptions(
                temperature: number % 3 == 2 ? 0 : 0.9, seed: UInt64(number)), pastEnd: true)
    }

    /// What came of texts, to their ends.
    private struct Gathered {
        var tokens: [Int: [Int]] = [:]
        var ends: [Int: GenerationEnd] = [:]
        var errors: [Int: CambiumError] = [:]
        var usage: [Int: UsageInfo] = [:]

        mutating func add(_ steps: [GenerationStep]) {
            for step in steps {
                tokens[step.key, default: []] += step.tokens
                ends[step.key] = step.end
                errors[step.key] = step.error
                usage[step.key] = step.usage
            }
        }
    }

    /// A store with a second branch, whose model has an expert more.
    private func grownStore(in directory: String) throws -> Store {
        let store = try Growth.store(Growth.model("olmoe", "model_bf16"), in: directory)
        try store.createBranch("grown", at: "main", Checkpoints.signature)
        _ = try store.addExpert(
            from: ExpertSource(Growth.model("olmoe"), expert: 1), evidence: [Growth.new],
            keep: [Growth.shortOld], growth: Growth.roughly,
            Checkpoints.options("grown", branch: "grown"))
        return store
    }

    @Test("get what each gets alone, of models with other numbers of experts too")
    func alone() throws {
        try withScratchDirectory { directory in
            let store = try grownStore(in: directory)
            let models = try [store.model("main"), store.model("grown")]
            let batch = try GenerationBatch(models[0], threads: 2)
            #expect(models.allSatisfy(batch.takes))
            var (found, asked) = (Gathered(), [Int: (MappedModel, TextRequest)]())
            for (number, length) in [5, 60, 40, 1, 17, 30].enumerated() {
                let model = models[number % 2]
                let request = request(number, length, count: 6 + number)
                asked[try batch.add(request, to: model)] = (model, request)
                found.add(try batch.step())
            }
            // One that leaves before its end.
            let gone = try batch.add(request(9, 9, count: 9), to: models[1])
            found.add(try batch.step())
            batch.remove(gone)
            while batch.count > 0 { found.add(try batch.step()) }
            for (key, (model, request)) in asked {
                let alone = try model.generate(
                    tokens: request.prompt, count: request.count, sampling: request.sampling)
                #expect(found.tokens[key] == alone.tokens && found.ends[key] == alone.end)
                #expect(found.errors[key] == nil)
            }
            #expect(batch.partsRun < batch.partsAlone)
        }
    }

    @Test("are refused of a model of another structure")
    func refused() throws {
        try withScratchDirectory { directory in
            let stores = try ["olmoe", "mixtral"].map { family in
                try Store.create(at: "\(directory)/\(family)")
                let store = try Store("\(directory)/\(family)")
                _ = try store.commit(
                    checkpoint: Growth.model(family, "model_bf16"), Checkpoints.options("import"))
                return store
            }
            let batch = try GenerationBatch(stores[0].model("main"))
            let other = try stores[1].model("main")
            #expect(!batch.takes(other))
            let error = #expect(throws: CambiumError.self) {
                _ = try batch.add(request(0, 3, count: 1), to: other)
            }
            #expect(error?.code == .badInput && batch.count == 0)
        }
    }

    @Test("go on when the model that the batch was made with is let go")
    func released() throws {
        try withScratchDirectory { directory in
            let store = try grownStore(in: directory)
            let (first, second) = (try store.model("main"), try store.model("grown"))
            let batch = try GenerationBatch(first)
            let asked = request(1, 20, count: 8)
            let key = try batch.add(asked, to: second)
            var found = Gathered()
            found.add(try batch.step())
            try batch.release(first, for: second)
            let next = try batch.add(asked)
            while batch.count > 0 { found.add(try batch.step()) }
            let alone = try second.generate(
                tokens: asked.prompt, count: asked.count, sampling: asked.sampling)
            #expect(found.tokens[key] == alone.tokens && found.tokens[next] == alone.tokens)
            #expect(batch.partsRun > 0 && batch.takes(first))
        }
    }

    @Test("keep nothing of a model that is let go")
    func kept() throws {
        try withScratchDirectory { directory in
            let store = try grownStore(in: directory)
            let (second, third) = (try store.model("grown"), try store.model("main"))
            let asked = request(1, 20, count: 12)
            var first: MappedModel? = try store.model("main")
            weak let gone = first?.model
            let batch = try GenerationBatch(#require(first))
            // One that was taken in, and read, while the first was there.
            let key = try batch.add(asked, to: second)
            var found = Gathered()
            found.add(try batch.step())
            // What takes its place is not what has most texts, or the first of them.
            let other = try batch.add(request(2, 9, count: 12), to: third)
            try batch.release(#require(first), for: third)
            first = nil
            #expect(gone == nil)
            found.add(try batch.step())
            batch.remove(other)
            try batch.release(third, for: second)
            while batch.count > 0 { found.add(try batch.step()) }
            let alone = try second.generate(
                tokens: asked.prompt, count: asked.count, sampling: asked.sampling)
            #expect(found.tokens[key] == alone.tokens && found.errors.isEmpty)
            let elsewhere = directory + "/other"
            try FileManager.default.createDirectory(
                atPath: elsewhere, withIntermediateDirectories: true)
            let stranger = try brokenStore(in: elsewhere).model("main")
            #expect(throws: CambiumError.self) { try batch.release(second, for: stranger) }
        }
    }

    /// A store with a second branch, of whose model an expert cannot be used.
    private func brokenStore(in directory: String) throws -> Store {
        let store = try Growth.store(GeneratedCheckpoints.path("coded/gptq"), in: directory)
        var broken = try ModelVariant("coded/gptq")
        // An expert's groups are said to be others, which is found when it is used.
        broken.set("model.layers.1.mlp.experts.3.up_proj.g_idx", 4, to: 1)
        try store.createBranch("broken", at: "main", Checkpoints.signature)
        _ = try store.commit(
            checkpoint: broken.write(to: directory + "/broken"),
            Checkpoints.options("broken", branch: "broken"))
        return store
    }

    @Test("end once where another's model cannot be read in the step in which they end")
    func endOnce() throws {
        try withScratchDirectory { directory in
            let store = try brokenStore(in: directory)
            let (whole, bad) = (try store.model("main"), try store.model("broken"))
            // Its end is that of the context.
            let asked = request(1, whole.contextLength - 3, count: 9)
            var chances = request(7, 40, count: 9)
            (chances.alternatives, chances.promptChances) = (1, true)
            let alone = try whole.generate(
                tokens: asked.prompt, count: asked.count, sampling: asked.sampling)
            #expect(alone.end == .context)
            for before in 1..<alone.tokens.count {
                let batch = try GenerationBatch(whole)
                let key = try batch.add(asked)
                var found = Gathered()
                for _ in 0..<before { found.add(try batch.step()) }
                let lost = try batch.add(chances, to: bad)
                while batch.count > 0 { found.add(try batch.step()) }
                #expect(found.errors[lost]?.code == .badTensor)
                #expect(found.tokens[key] == alone.tokens && found.ends[key] == alone.end)
                #expect(found.usage[key]?.selections == alone.usage.selections)
            }
        }
    }

    @Test("fail alone where an expert of their model cannot be read; the others start over")
    func failing() throws {
        try withScratchDirectory { directory in
            let store = try brokenStore(in: directory)
            let (whole, bad) = (try store.model("main"), try store.model("broken"))
            let batch = try GenerationBatch(whole, threads: 2)
            var (found, asked) = (Gathered(), [Int: TextRequest]())
            for number in 0..<3 {
                let request = request(number, 4 + 20 * number, count: 9)
                asked[try batch.add(request)] = request
                found.add(try batch.step())
            }
            var chances = request(5, 12, count: 3)
            (chances.alternatives, chances.promptChances) = (1, true)
            let told = try batch.add(chances)
            asked[told] = chances
            let lost = try batch.add(request(7, 40, count: 9), to: bad)
            var promptChances: [TokenChance]?
            while batch.count > 0 {
                let steps = try batch.step()
                found.add(steps)
                for step in steps where step.key == told && step.end != nil {
                    promptChances = step.promptChances
                }
            }
            #expect(found.errors[lost]?.code == .badTensor && found.ends[lost] == nil)
            for (key, request) in asked {
                let alone = try whole.generate(
                    tokens: request.prompt, count: request.count, sampling: request.sampling)
                #expect(found.tokens[key] == alone.tokens && found.errors[key] == nil)
            }
            #expect(promptChances?.map(\.token) == Array(chances.prompt.dropFirst()))
            // Its next texts would have the others start over again.
            #expect(!batch.takes(bad) && batch.takes(whole))
        }
    }
}
