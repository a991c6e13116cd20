import Elements
import Models
import Testing

@Suite("the forward pass against the plain reference")
struct ReferenceTests {
    private func largestDifference(_ logits: [Float], _ reference: [[Double]]) -> Double {
        zip(logits, reference.joined()).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
    }

    @Test(
        "a small model in F32 and BF16 gives the reference's logits",
        arguments: [ElementType.f32, .bf16], [1, 2, 3] as [UInt64])
    func small(type: ElementType, seed: UInt64) throws {
        let tiny = TinyModel(seed: seed, type: type)
        let model = try tiny.model()
        let text = noiseText(18, seed: seed)
        let reference = try ReferenceForward(config: TinyModel.config(), source: tiny).logits(text)
        let logits = try model.forward(text)
        #expect(logits.count == 18 * 256)
        // Float against double through three layers of width 16: about 100 roundings of values
        // below 10.
        #expect(largestDifference(logits, reference) < 5e-5)
    }

    @Test(
        "a trained model gives the reference's logits",
        .enabled(if: Shared.isPresent, "without trained checkpoints"),
        arguments: Shared.checkpointNames)
    func trained(name: String) throws {
        let checkpoint = try Shared.checkpoint(name)
        let model = try LanguageModel(config: checkpoint.config, source: checkpoint)
        let text = Array("Swali: 4".utf8)
        let reference = try ReferenceForward(config: checkpoint.config, source: checkpoint)
            .logits(text)
        #expect(try largestDifference(model.forward(text), reference) < 5e-5)
    }
}
