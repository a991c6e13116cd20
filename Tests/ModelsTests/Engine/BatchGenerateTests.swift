import Elements
import Models
import Testing

@Suite("generation of several texts, and stop texts")
struct BatchGenerateTests {
    private let prompts = (1...5).map { noiseText($0 * 7) }

    @Test("a batch gives each prompt the bytes that it gets alone", arguments: [1, 2])
    func alone(threads: Int) throws {
        let model = try TinyModel().model()
        let sampling = try Sampling(temperature: 0.8, topP: 0.9, seed: 4)
        var streamed = [[UInt8]](repeating: [], count: prompts.count)
        var finished: [Int] = []
        let made = try AdaptedModel(model).generate(
            prompts: prompts, count: 25, sampling: sampling, threads: threads
        ) { index, byte in
            streamed[index].append(byte)
            return true
        } finished: { index, _ in
            finished.append(index)
        }
        for (index, prompt) in prompts.enumerated() {
            let one = try AdaptedModel(model).generate(prompt, count: 25, sampling: sampling)
            #expect(made[index].bytes == one.bytes && made[index].usage == one.usage)
            #expect(made[index].slides == one.slides && made[index].end == .count)
            #expect(streamed[index] == one.bytes)
        }
        #expect(finished.sorted() == Array(prompts.indices))
    }

    @Test("more prompts than run together are all continued, in order")
    func many() throws {
        let model = try TinyModel().model()
        let many = (0..<70).map { [UInt8(65 + $0)] }
        let made = try AdaptedModel(model).generate(prompts: many, count: 2)
        #expect(made.count == 70)
        for index in [0, 63, 64, 69] {
            #expect(
                try made[index].bytes == AdaptedModel(model).generate(many[index], count: 2).bytes)
        }
    }

    @Test("a reader that ends one text leaves the others alone")
    func receiver() throws {
        let model = try TinyModel().model()
        var counts = [0, 0]
        let made = try AdaptedModel(model).generate(prompts: Array(prompts[..<2]), count: 9) {
            index, _ in
            counts[index] += 1
            return index == 1 || counts[0] < 3
        }
        #expect(made.map(\.bytes.count) == [3, 9] && counts == [3, 9])
        #expect(made.map(\.end) == [.receiver, .count])
    }

    @Test("a stop text ends the text and is left out, also of the stream", arguments: 1...6)
    func stop(length: Int) throws {
        let model = try TinyModel().model()
        let sampling = try Sampling(temperature: 1, seed: 9)
        let whole = try AdaptedModel(model).generate(prompts[0], count: 30, sampling: sampling)
            .bytes
        let stop = Array(whole[11..<11 + length])
        let first = try #require(
            (0...whole.count - length).first { Array(whole[$0..<$0 + length]) == stop })
        var streamed: [UInt8] = []
        let made = try AdaptedModel(model).generate(
            prompts[0], count: 30, sampling: sampling, stops: [stop, [stop[0], 0, 1, 2]]
        ) {
            streamed.append($0)
            return true
        }
        #expect(made.bytes == Array(whole[..<first]) && made.end == .stop && streamed == made.bytes)
    }

    @Test("the beginning of a stop text that does not come is given out")
    func held() throws {
        let model = try TinyModel().model()
        let whole = try AdaptedModel(model).generate(prompts[1], count: 12).bytes
        // What follows the last bytes is not known, and at the end nothing follows.
        let stops = [
            Array(whole[4..<7]) + [whole[7] &+ 1], Array(whole[9..<12]) + [1],
            Array(whole[2..<4]) + [whole[4] &+ 1],
        ]
        var streamed: [UInt8] = []
        let made = try AdaptedModel(model).generate(prompts[1], count: 12, stops: stops) {
            streamed.append($0)
            return true
        }
        #expect(made.bytes == whole && streamed == whole && made.end == .count)
    }

    @Test("an empty prompt is named, an empty stop text and no threads are refused")
    func badInput() throws {
        let model = try TinyModel().model()
        let error = #expect(throws: CambiumError.self) {
            try AdaptedModel(model).generate(prompts: [[1], []], count: 1)
        }
        #expect(error?.message.contains("prompt 2") == true)
        #expect(throws: CambiumError.self) {
            try AdaptedModel(model).generate([1], count: 1, stops: [[]])
        }
        #expect(throws: CambiumError.self) {
            try AdaptedModel(model).generate([1], count: 1, threads: 0)
        }
        #expect(try AdaptedModel(model).generate(prompts: [] as [[UInt8]], count: 1).isEmpty)
    }
}
