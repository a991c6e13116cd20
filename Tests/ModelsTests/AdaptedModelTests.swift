import Architectures
import Elements
import Foundation
import Models
import Routing
import Synchronization
import Testing

/// A tiny base, with deltas of tensors beside it.
private struct Deltas: WeightSource {
    var base = TinyModel()
    var deltas: [String: (shape: [Int], values: [Float])] = [:]

    func tensor(_ name: String) throws -> Weights {
        guard let delta = deltas[name] else { return try base.tensor(name) }
        let bytes = delta.values.flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * $0)) }
        }
        return Weights(
            shape: TensorShape(.f32, delta.shape), bytes: MappedBytes(copying: bytes))
    }

    func experts(layer: Int) throws -> any ExpertTable {
        try base.experts(layer: layer)
    }

    mutating func add(_ name: String, _ shape: [Int], seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let values = (0..<shape.reduce(1, *)).map { _ in
            Float(generator.nextUnit() - 0.5)
        }
        deltas[name] = (shape, values)
    }
}

@Suite("Models with adapters")
struct AdaptedModelTests {
    private let latin = Array(String(repeating: "the cat sat on the mat. ", count: 40).utf8)
    private let digits = Array(String(repeating: "12 + 30 = 42; 7 * 8 = 56; ", count: 40).utf8)

    private func config() throws -> PeerConfig { try TinyModel.config() }

    private func gate(_ texts: [[UInt8]]) throws -> CountGate {
        try CountGate(texts.map { NGramCounts(of: $0, order: 3) })
    }

    /// A dense adapter "sums" whose class is that of digits.
    private func sums(
        usesExperts: Bool = false, counts: CountExpert.Settings? = nil
    ) throws -> (AdaptedModel, Deltas) {
        var source = Deltas()
        source.add("cohorts.sums.lm_head.weight", [256, 16], seed: 4)
        source.add("cohorts.sums.model.layers.1.self_attn.q_proj.weight", [16, 16], seed: 5)
        let config = try config()
        let description = AdapterDescription(kind: .dense, usesExperts: usesExperts, base: "")
        let entry = AdaptedModel.Entry(
            "sums", description, base: ModelDescription(config), source: source)
        let model = AdaptedModel(
            try LanguageModel(config: config, source: source), adapters: [entry],
            gate: (try gate([latin, digits]), ["base", "sums"]), counts: counts)
        return (model, source)
    }

    @Test("without adapters the logits are the base's, bit for bit")
    func baseAlone() throws {
        let base = try TinyModel().model()
        let text = noiseText(19)
        #expect(
            try AdaptedSession(AdaptedModel(base)).append(text, logits: .all) == base.forward(text))
    }

    @Test("an adapter that the gate is sure of gives the logits of base plus delta")
    func sureGate() throws {
        let (model, source) = try sums()
        // The same weights, added by hand.
        var whole = source.base
        for name in ["lm_head.weight", "model.layers.1.self_attn.q_proj.weight"] {
            let delta = try #require(source.deltas["cohorts.sums." + name])
            let old = try #require(whole.tensors[name])
            whole.tensors[name] = (old.shape, zip(old.values, delta.values).map { $0 + $1 })
        }
        let expected = try LanguageModel(config: config().withoutExperts, source: whole)
        let text = Array(digits[..<19])
        let session = AdaptedSession(model)
        #expect(try session.append(text) == Array(expected.forward(text).suffix(256)))
        #expect(session.choices == [0, 1])
        // And the base for its own text.
        session.reset()
        let words = Array(latin[..<19])
        #expect(try session.append(words) == Array(model.base.forward(words).suffix(256)))
    }

    @Test("a low-rank adapter gives the logits of base plus b a")
    func lowRank() throws {
        var source = Deltas()
        source.add("cohorts.c.lm_head.weight.a", [2, 16], seed: 1)
        source.add("cohorts.c.lm_head.weight.b", [256, 2], seed: 2)
        let weights = AdapterWeights(
            source, adapter: "c",
            AdapterDescription(kind: .lora, usesExperts: false, base: ""))
        let sum = try weights.tensor("lm_head.weight")
        let (a, b) = (
            try #require(source.deltas["cohorts.c.lm_head.weight.a"]).values,
            try #require(source.deltas["cohorts.c.lm_head.weight.b"]).values
        )
        let base = try #require(source.base.tensors["lm_head.weight"]).values
        for (row, column) in [(0, 0), (7, 15), (255, 3)] {
            var delta: Float = 0
            for index in 0..<2 {
                delta = (delta).addingProduct(b[row * 2 + index], a[index * 16 + column])
            }
            let place = 4 * (row * 16 + column)
            let bits = sum.bytes.copy()[place..<place + 4].reversed().reduce(UInt32(0)) {
                $0 << 8 | UInt32($1)
            }
            #expect(Float(bitPattern: bits) == base[row * 16 + column] + delta)
        }
        // A tensor without factors stays the base's.
        #expect(
            try weights.tensor("model.norm.weight").bytes.copy()
                == source.base.tensor("model.norm.weight").bytes.copy())
    }

    @Test("a text gets the same bits in pieces, at once and beside other texts")
    func pieces() throws {
        let (model, _) = try sums(usesExperts: true)
        let text = Array(latin[..<8] + digits[..<12])
        let whole = try AdaptedSession(model).append(text, logits: .all)
        for cut in [1, 5, 9, 19] {
            let session = AdaptedSession(model)
            let first = try session.append(Array(text[..<cut]), logits: .all)
            #expect(first + (try session.append(Array(text[cut...]), logits: .all)) == whole)
        }
        let session = AdaptedSession(model)
        for (index, byte) in text.enumerated() {
            #expect(try session.append([byte]) == Array(whole[index * 256..<(index + 1) * 256]))
        }
        let pass = AdaptedPass(model)
        let texts = [text, Array(digits[..<7]), noiseText(20)]
        let together = try pass.append(
            texts.map { (AdaptedSession(model, pass: pass), $0) }, logits: .all)
        for (text, logits) in zip(texts, together) {
            #expect(try AdaptedSession(model).append(text, logits: .all) == logits)
        }
        #expect(session.usage.selections > 0)
    }

    /// Models that are picked by how well they predict, of which the last is made by `make`.
    private func likelihood(
        _ make: @escaping @Sendable (LanguageModel) throws -> LanguageModel = { $0 }
    ) throws -> AdaptedModel {
        let (model, source) = try sums()
        let other = try LanguageModel(
            config: config(),
            source: AdapterWeights(
                source, adapter: "sums",
                AdapterDescription(kind: .dense, usesExperts: true, base: "")))
        return AdaptedModel(
            model.base,
            adapters: [.init(name: "one") { model.base }, .init(name: "two") { try make(other) }],
            picksByLikelihood: true)
    }

    @Test("picked by likelihood, long prompts and many are read in blocks with the same bits")
    func blocks() throws {
        let model = try likelihood()
        let pass = AdaptedPass(model)
        let texts = (0..<60).map { Array(digits[$0..<$0 + 1 + $0 % 20]) }
        for selection in [Session.LogitSelection.all, .last] {
            let sessions = texts.map { _ in AdaptedSession(model, pass: pass) }
            let together = try pass.append(Array(zip(sessions, texts)), logits: selection)
            for (index, text) in texts.enumerated() {
                let alone = AdaptedSession(model)
                #expect(try alone.append(text, logits: selection) == together[index])
                #expect(alone.choices == sessions[index].choices)
                #expect(sessions[index].position == text.count)
            }
        }
    }

    @Test("picked by likelihood, a model that fails leaves none of them ahead of the text")
    func failing() throws {
        let isBroken = Mutex(true)
        let model = try likelihood { other in
            guard isBroken.withLock({ $0 }) else { return other }
            throw CambiumError(.notFound, "not there")
        }
        let session = AdaptedSession(model)
        let text = Array(digits[..<9])
        #expect(throws: CambiumError.self) { try session.append(text) }
        #expect(session.position == 0)
        isBroken.withLock { $0 = false }
        #expect(try session.append(text) == AdaptedSession(model).append(text))
    }

    @Test("counts predict beside the models: alone, in pieces and together with the same bits")
    func countsBeside() throws {
        let (model, source) = try sums(usesExperts: true, counts: .standard)
        let adapter = try LanguageModel(
            config: config(),
            source: AdapterWeights(
                source, adapter: "sums",
                AdapterDescription(kind: .dense, usesExperts: false, base: "")))
        let gate = try gate([latin, digits])
        let text = Array(latin[..<6] + digits[..<10])
        let whole = try AdaptedSession(model).append(text, logits: .all)
        let answers = try [model.base, adapter].map {
            try AdaptedSession(AdaptedModel($0)).append(text, logits: .all)
        }
        var state = model.mixture.start
        for (index, byte) in text.enumerated() {
            model.mixture.advance(&state, byte)
            let shares = model.mixture.shares(state)
            var sum = [Double](repeating: 0, count: 256)
            for share in shares {
                let expert = gate.experts(.standard)[share.model]
                let (counts, left) = expert.predictions(
                    at: gate.place(share.model, try #require(state)))
                let row = answers[share.model][index * 256..<(index + 1) * 256].map {
                    exp(Double($0))
                }
                let total = row.reduce(0, +)
                for (byte, value) in row.enumerated() {
                    sum[byte] +=
                        Double(share.weight) * (Double(counts[byte]) + Double(left) * value / total)
                }
            }
            #expect(abs(sum.reduce(0, +) - 1) < 1e-5)
            for byte in sum.indices {
                #expect(abs(exp(Double(whole[index * 256 + byte])) - sum[byte]) < 1e-5)
            }
        }
        for cut in [1, 7, 15] {
            let session = AdaptedSession(model)
            let first = try session.append(Array(text[..<cut]), logits: .all)
            #expect(first + (try session.append(Array(text[cut...]), logits: .all)) == whole)
        }
        let pass = AdaptedPass(model)
        let together = try pass.append(
            [text, Array(digits[..<9])].map { (AdaptedSession(model, pass: pass), $0) },
            logits: .all)
        #expect(together[0] == whole)
        // Text like what was counted is predicted better than by the models alone.
        let (alone, _) = try sums(usesExperts: true)
        #expect(
            try model.evaluate(latin, byteLimit: nil).bitsPerToken
                < alone.evaluate(latin, byteLimit: nil).bitsPerToken - 1)
    }

    @Test("how counts are mixed is read as it was written, and nothing else is")
    func mixtureFile() throws {
        let settings = CountExpert.Settings(pseudoCount: 2.5, modelShare: 0.125)
        let written = MixtureDescription(counts: settings)
        #expect(try MixtureDescription(written.encoded) == written)
        let bad = [
            "", "{}", "[1]", #"{"version":1}"#,
            #"{"version":2,"counts":{"pseudo_count":4,"model_share":0.3}}"#,
            #"{"version":1,"counts":{"pseudo_count":0,"model_share":0.3}}"#,
            #"{"version":1,"counts":{"pseudo_count":4,"model_share":1.5}}"#,
            #"{"version":1,"counts":{"pseudo_count":1e30,"model_share":0.3}}"#,
            #"{"version":1,"counts":{"pseudo_count":"NaN","model_share":0.3}}"#,
            String(repeating: " ", count: 1 << 17),
        ]
        for json in bad {
            #expect(throws: CambiumError.self) { try MixtureDescription(Array(json.utf8)) }
        }
    }

    @Test("two unsure adapters are mixed by their shares")
    func mixes() throws {
        let (model, source) = try sums()
        let text: [UInt8] = [32]
        var state = model.mixture.start
        model.mixture.advance(&state, 32)
        let shares = model.mixture.shares(state)
        try #require(shares.count == 2)
        let adapter = try LanguageModel(
            config: config().withoutExperts,
            source: AdapterWeights(
                source, adapter: "sums",
                AdapterDescription(kind: .dense, usesExperts: false, base: "")))
        var sum = [Double](repeating: 0, count: 256)
        for share in shares {
            let logits = try (share.model == 0 ? model.base : adapter).forward(text).map(
                Double.init)
            let total = logits.reduce(0) { $0 + exp($1) }
            for index in sum.indices {
                sum[index] += Double(share.weight) * exp(logits[index]) / total
            }
        }
        let mixed = try AdaptedSession(model).append(text)
        for index in sum.indices {
            #expect(abs(exp(Double(mixed[index])) - sum[index]) < 1e-6)
        }
    }

    @Test("an adapter that is not picked is not loaded, and a failed load is tried again")
    func lazy() throws {
        let loads = Mutex(0)
        let base = try TinyModel().model()
        let entry = AdaptedModel.Entry(name: "sums") {
            let count = loads.withLock {
                $0 += 1
                return $0
            }
            if count == 1 { throw CambiumError(.io, "not now") }
            return base
        }
        let model = AdaptedModel(
            base, adapters: [entry], gate: (try gate([latin, digits]), ["base", "sums"]))
        let session = AdaptedSession(model)
        _ = try session.append(Array(latin[..<10]))
        #expect(loads.withLock { $0 } == 0)
        session.reset()
        #expect(throws: CambiumError.self) { try session.append(Array(digits[..<10])) }
        session.reset()
        _ = try session.append(Array(digits[..<10]))
        _ = try session.append(Array(digits[10..<15]))
        #expect(loads.withLock { $0 } == 2)
    }

    @Test("generation and evaluation run through the gate")
    func generates() throws {
        let (model, _) = try sums()
        let prompt = Array(digits[..<12])
        let made = try model.generate(prompt, count: 30).bytes
        // Byte by byte, by hand; the context of 20 moves on.
        var (text, pending) = (prompt, prompt)
        let session = AdaptedSession(model)
        for _ in 0..<30 {
            if pending.count > session.room {
                session.reset()
                pending = Array(text.suffix(10))
            }
            let logits = try session.append(pending)
            let best = logits.indices.reduce(0) { logits[$1] > logits[$0] ? $1 : $0 }
            pending = [UInt8(best)]
            text.append(UInt8(best))
        }
        #expect(made == Array(text[12...]))
        let one = try model.evaluate(latin + digits, byteLimit: nil, threads: 1)
        let two = try model.evaluate(latin + digits, byteLimit: nil, threads: 2)
        #expect(one.bitsPerToken == two.bitsPerToken)
        #expect(one.choices == two.choices)
        #expect(one.choices.reduce(0, +) == one.predictions)
        #expect(one.choices.allSatisfy { $0 > one.predictions / 3 })
    }

    @Test(
        "a delta of another shape is named",
        arguments: ["lm_head.weight", "model.norm.weight"])
    func badShape(tensor: String) throws {
        var source = Deltas()
        source.add("cohorts.c.\(tensor)", [3], seed: 1)
        let weights = AdapterWeights(
            source, adapter: "c",
            AdapterDescription(kind: .dense, usesExperts: false, base: ""))
        let error = #expect(throws: CambiumError.self) { try weights.tensor(tensor) }
        #expect(error?.code == .badTensor)
        #expect(error?.message.contains("cohorts.c.\(tensor)") == true)
    }

    @Test("descriptions read back, and what is none is refused")
    func descriptions() throws {
        for kind in [AdapterDescription.Kind.dense, .lora] {
            for experts in [false, true] {
                let description = AdapterDescription(kind: kind, usesExperts: experts, base: "ab")
                #expect(try AdapterDescription(description.encoded, of: "c") == description)
            }
        }
        for text in [
            "", "{}", "[]", "{\"version\":2,\"kind\":\"dense\",\"base_experts\":\"kept\"}",
            "{\"version\":1,\"kind\":\"tree\",\"base_experts\":\"kept\"}",
            "{\"version\":1,\"kind\":\"dense\",\"base_experts\":\"some\"}",
            String(repeating: "[", count: 100_000),
        ] {
            #expect(throws: CambiumError.self) { try AdapterDescription(Array(text.utf8), of: "c") }
        }
        #expect(AdapterTensorName.adapter(describedBy: "cohorts.a.b.cohort") == "a.b")
        #expect(AdapterTensorName.adapter(describedBy: "cohorts.cohort") == nil)
        #expect(AdapterTensorName.adapter(describedBy: "cohorts.a.lm_head.weight") == nil)
    }
}
