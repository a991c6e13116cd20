import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("texts that come and go")
struct GenerationBatchTests {
    private func withModel(
        _ checkpoint: String, _ body: (MappedModel) throws -> Void
    ) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory)
            let store = try Store(directory)
            _ = try store.commit(
                checkpoint: Checkpoints.path(checkpoint), Checkpoints.options("import"))
            try body(try store.model("main"))
        }
    }

    /// What a text has given so far.
    private struct Gathered {
        var tokens: [Int] = []
        var bytes: [UInt8] = []
        var chances: [TokenChance] = []
        var end: GenerationEnd?
        var promptChances: [TokenChance]?
    }

    private func gather(_ steps: [GenerationStep], into texts: inout [Int: Gathered]) {
        for step in steps {
            #expect(step.error == nil)
            texts[step.key, default: Gathered()].tokens += step.tokens
            texts[step.key]?.bytes += step.bytes
            texts[step.key]?.chances += step.chances
            texts[step.key]?.end = step.end
            texts[step.key]?.promptChances = step.promptChances
        }
    }

    @Test(
        "get what they would get alone, whoever enters and leaves meanwhile",
        arguments: EngineInvarianceTests.checkpoints)
    func alone(checkpoint: String) throws {
        try withModel(checkpoint) { model in
            let length = min(model.contextLength - 12, 300)
            var requests: [TextRequest] = []
            for (number, count) in [5, length, 40, 1].enumerated() {
                requests.append(
                    TextRequest(
                        prompt: (0..<count).map { ($0 * 37 + number * 11) % 200 + 1 },
                        count: 6 + number,
                        sampling: SamplingOptions(
                            temperature: number == 2 ? 0 : 0.9, seed: UInt64(number)),
                        pastEnd: true))
            }
            let batch = try GenerationBatch(model, threads: 2)
            var texts: [Int: Gathered] = [:]
            var keys: [Int] = []
            for request in requests {
                keys.append(try batch.add(request))
                gather(try batch.step(), into: &texts)
            }
            // One that leaves before its end.
            let gone = try batch.add(requests[0])
            gather(try batch.step(), into: &texts)
            batch.remove(gone)
            while batch.count > 0 { gather(try batch.step(), into: &texts) }
            for (key, request) in zip(keys, requests) {
                let alone = try model.generate(
                    tokens: request.prompt, count: request.count, sampling: request.sampling)
                #expect(texts[key]?.tokens == alone.tokens)
                #expect(texts[key]?.end == alone.end)
            }
            #expect(texts[gone]?.end == nil)
        }
    }

    @Test("tell how likely tokens were, those of the prompt as well")
    func chances() throws {
        try withModel("peer-lm/base") { model in
            let prompt = Array("the cat".utf8).map { Int($0) }
            let batch = try GenerationBatch(model)
            let written = try batch.add(
                TextRequest(prompt: prompt, count: 4, alternatives: 3))
            let read = try batch.add(
                TextRequest(prompt: prompt, count: 0, alternatives: 0, promptChances: true))
            var texts: [Int: Gathered] = [:]
            while batch.count > 0 { gather(try batch.step(), into: &texts) }
            let made = try #require(texts[written])
            #expect(made.chances.map(\.token) == made.tokens && made.tokens.count == 4)
            for chance in made.chances {
                #expect(chance.alternatives.count == 3)
                // Greedy: the likeliest was taken.
                #expect(chance.alternatives[0].token == chance.token)
                #expect(chance.alternatives[0].logProbability == chance.logProbability)
                #expect(chance.alternatives[1].logProbability <= chance.logProbability)
            }
            let chances = try #require(texts[read]?.promptChances)
            #expect(texts[read]?.tokens == [] && texts[read]?.end == .count)
            #expect(chances.map(\.token) == Array(prompt.dropFirst()))
            let logits = try model.logits(prompt)
            for (row, chance) in zip(logits, chances) {
                let whole = row.reduce(0.0) { $0 + exp(Double($1)) }
                let expected = Double(row[chance.token]) - log(whole)
                #expect(abs(chance.logProbability - expected) < 1e-5)
            }
        }
    }

    @Test("end at stop texts, of which nothing is given out")
    func stops() throws {
        try withModel("peer-lm/base") { model in
            let prompt = Array("the cat".utf8)
            let whole = try model.generate(prompt, count: 12).bytes
            let stop = Array(whole[6..<8])
            let alone = try model.generate(prompt, count: 12, stops: [stop])
            let batch = try GenerationBatch(model)
            _ = try batch.add(
                TextRequest(prompt: model.promptTokens(of: prompt), count: 12, stops: [stop]))
            var texts: [Int: Gathered] = [:]
            while batch.count > 0 { gather(try batch.step(), into: &texts) }
            #expect(texts[0]?.bytes == alone.bytes && texts[0]?.end == .stop)
            #expect(throws: CambiumError.self) {
                try batch.add(TextRequest(prompt: [], count: 1))
            }
            #expect(throws: CambiumError.self) {
                try batch.add(TextRequest(prompt: [100_000], count: 1))
            }
        }
    }
}
