import Elements
import Models
import Testing

@Suite("a text that goes on in turns")
struct GrowingTextTests {
    private let limits = GenerationLimits(count: 3, speller: { ByteSpeller() })

    @Test("gives what a new text gives, and reads only what is new", arguments: [1, 2])
    func turns(threads: Int) throws {
        let model = AdaptedModel(try TinyModel().model())
        let growing = try GrowingText(model, threads: threads)
        var text = noiseText(6).map { Int($0) }
        for turn in 0..<5 {
            let made = try model.generate(prompts: [text], limits, keeping: growing)[0]
            let alone = try model.generate(prompts: [text], limits)[0]
            #expect(made.tokens == alone.tokens && made.bytes == alone.bytes, "turn \(turn)")
            // The last token is chosen and not read.
            if text.count + 2 <= 20 { #expect(growing.position == text.count + 2) }
            text += made.tokens + [Int(65 + turn)]
        }
    }

    @Test("another beginning is read anew")
    func changed() throws {
        let model = AdaptedModel(try TinyModel().model())
        let growing = try GrowingText(model, threads: 1)
        for text in [[1, 2, 3, 4], [1, 2, 9, 4, 5, 6, 7], [1, 2], [5]] {
            let made = try model.generate(prompts: [text], limits, keeping: growing)[0]
            #expect(try made.tokens == model.generate(prompts: [text], limits)[0].tokens)
        }
    }

    @Test("what breaks off is read anew")
    func broken() throws {
        let model = AdaptedModel(try TinyModel().model())
        let growing = try GrowingText(model, threads: 1)
        #expect(throws: CambiumError.self) {
            _ = try model.generate(prompts: [[1, 999]], limits, keeping: growing)
        }
        let made = try model.generate(prompts: [[1, 2]], limits, keeping: growing)[0]
        #expect(try made.tokens == model.generate(prompts: [[1, 2]], limits)[0].tokens)
    }
}
