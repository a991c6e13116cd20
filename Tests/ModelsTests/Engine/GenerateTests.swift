import Elements
import Models
import Testing

@Suite("generation")
struct GenerateTests {
    private let prompt = Array("Mti".utf8)

    @Test("greedy takes the most likely byte at each step")
    func greedy() throws {
        let model = try TinyModel().model()
        let made = try AdaptedModel(model).generate(prompt, count: 8)
        var text = prompt
        for _ in 0..<8 {
            let last = try model.forward(text).suffix(256)
            let best = try #require(last.indices.max { last[$0] < last[$1] })
            text.append(UInt8(best - last.startIndex))
        }
        #expect(made.bytes == Array(text.dropFirst(3)) && made.slides == 0)
    }

    @Test("the same seed repeats, another seed differs")
    func seeds() throws {
        let model = try TinyModel().model()
        func run(_ seed: UInt64) throws -> [UInt8] {
            let sampling = try Sampling(temperature: 1, topP: 0.95, seed: seed)
            return try AdaptedModel(model).generate(prompt, count: 16, sampling: sampling).bytes
        }
        #expect(try run(1) == run(1))
        #expect(try run(1) != run(2))
    }

    @Test("a tiny top-p or temperature is greedy", arguments: [(1.0, 1e-9), (1e-6, 1.0)])
    func nearlyGreedy(temperature: Double, topP: Double) throws {
        let model = try TinyModel().model()
        let sampling = try Sampling(temperature: temperature, topP: topP, seed: 3)
        #expect(
            try AdaptedModel(model).generate(prompt, count: 12, sampling: sampling).bytes
                == AdaptedModel(model).generate(prompt, count: 12).bytes)
    }

    @Test("bytes stream in order, and the receiver can stop")
    func stream() throws {
        let model = try TinyModel().model()
        var seen: [UInt8] = []
        let made = try AdaptedModel(model).generate(prompt, count: 10) {
            seen.append($0)
            return seen.count < 4
        }
        #expect(seen.count == 4 && made.bytes == seen)
    }

    @Test("any count can be asked for and stopped")
    func hugeCount() throws {
        let model = try TinyModel().model()
        let made = try AdaptedModel(model).generate(prompt, count: .max) { _ in false }
        #expect(made.bytes.count == 1)
    }

    @Test("a full context goes on from its last half")
    func slides() throws {
        let model = try TinyModel().model()
        let made = try AdaptedModel(model).generate(prompt, count: 40)
        #expect(made.bytes.count == 40 && made.slides == 2)
        // The first slide: 20 bytes are in the context, the 21st is predicted from it; with that
        // byte the last 10 are run again.
        let text = prompt + made.bytes
        let window = Array(text[11..<21])
        #expect(try AdaptedModel(model).generate(window, count: 1).bytes == [text[21]])
    }

    @Test("of a prompt longer than the context the last part is read")
    func longPrompt() throws {
        let model = try TinyModel().model()
        let long = noiseText(50)
        #expect(
            try AdaptedModel(model).generate(long, count: 1).bytes
                == AdaptedModel(model).generate(Array(long.suffix(20)), count: 1).bytes)
    }

    @Test("nothing is made when nothing is asked for")
    func none() throws {
        #expect(try AdaptedModel(TinyModel().model()).generate(prompt, count: 0).bytes.isEmpty)
    }

    // The sum of prompt and count overflowed, which ended the process.
    @Test("any count can be asked for; the text ends when its reader does")
    func endless() throws {
        var made = 0
        let result = try AdaptedModel(TinyModel().model()).generate(prompt, count: .max) { _ in
            made += 1
            return made < 3
        }
        #expect(result.bytes.count == 3)
    }

    @Test("an empty prompt and a negative count are refused")
    func badInput() throws {
        let model = try TinyModel().model()
        #expect(throws: CambiumError.self) {
            try AdaptedModel(model).generate([] as [UInt8], count: 1)
        }
        #expect(throws: CambiumError.self) { try AdaptedModel(model).generate([1], count: -1) }
    }

    @Test(
        "sampling options out of range are refused",
        arguments: [(-1.0, 1.0), (.nan, 1), (101, 1), (1, 0), (1, -0.5), (1, 1.5), (1, .nan)])
    func badSampling(temperature: Double, topP: Double) {
        let error = #expect(throws: CambiumError.self) {
            try Sampling(temperature: temperature, topP: topP, seed: 0)
        }
        #expect(error?.code == .badInput)
    }

    @Test("NaN weights stop generation with an error that names the place")
    func notFinite() throws {
        var tiny = TinyModel()
        tiny.tensors["model.norm.weight"]?.values[3] = .nan
        let model = try tiny.model()
        let error = #expect(throws: CambiumError.self) {
            try AdaptedModel(model).generate(prompt, count: 1)
        }
        #expect(error?.code == .notFinite && error?.message.contains("byte 2") == true)
    }

    @Test("the generator gives the published sequence")
    func splitMix() {
        // The first outputs for seed 1234567, as in the reference implementation by S. Vigna.
        var generator = SplitMix64(seed: 1_234_567)
        #expect(generator.next() == 6_457_827_717_110_365_317)
        #expect(generator.next() == 3_203_168_211_198_807_973)
    }
}
