import Foundation
import Models
import TestSupport
import Testing

@testable import Cambium

@Suite("models of other libraries, imported, committed and run")
struct ArchitectureTests {
    /// PyTorch's float32 and float64 logits differ by up to 1.6e-6.
    private static let tolerance: Float = 2e-4
    private static let tolerances: [String: Float] = ["model_bf16": 2e-2]

    /// A store that holds one checkpoint.
    private func store(_ checkpoint: String, _ directory: String) throws -> Store {
        try Store.create(at: directory)
        let store = try Store(directory)
        _ = try store.commit(checkpoint: checkpoint, Checkpoints.options("import"))
        return store
    }

    @Test("logits and greedy continuation are PyTorch's", arguments: Checkpoints.transformers)
    func parity(path: String) throws {
        let parts = path.split(separator: "/").map(String.init)
        try compare(Checkpoints.path(path), GoldenLogits(recorded: parts[1]), parts[2])
    }

    @Test(
        "so are those of the larger checkpoints that transformers wrote itself",
        .enabled(if: TrainedCheckpoints.arePresent, "without trained checkpoints"),
        arguments: Checkpoints.saved)
    func parityWithSaved(path: String) throws {
        let parts = path.split(separator: "/").map(String.init)
        try compare(TrainedCheckpoints.path(path), GoldenLogits(parts[1]), parts[2])
    }

    private func compare(_ checkpoint: String, _ golden: GoldenLogits, _ form: String) throws {
        let isNarrow = form == "model_bf16"
        try withScratchDirectory { directory in
            let model = try store(checkpoint, directory).model("main")
            #expect(!model.takesBytes && model.vocabularySize == 256)
            let expected = isNarrow ? golden.logitsOfBF16 : golden.logits
            let logits = try model.logits(golden.tokens).suffix(expected.count)
            #expect(logits.count == expected.count)
            let difference = zip(logits.joined(), expected.joined()).map { abs($0 - $1) }.max()
            let tolerance = Self.tolerances[form, default: Self.tolerance]
            #expect(try #require(difference) < tolerance)
            let made = try model.generate(
                tokens: golden.prompt, count: golden.continued.count - golden.prompt.count)
            let continued = golden.prompt + made.tokens
            let recorded = isNarrow ? golden.continuedOfBF16 : golden.continued
            // Where only fp32 weights were recorded, a choice between two that are closer than the
            // weights were rounded may fall on the other one.
            let equal = zip(continued, golden.continued).prefix { $0 == $1 }.count
            if recorded == nil, equal < continued.count {
                let row = try model.logits(Array(continued[..<equal]))[equal - 1]
                #expect(row[continued[equal]] - row[golden.continued[equal]] < tolerance)
            } else {
                #expect(continued == recorded ?? golden.continued)
            }
            #expect(made.end == .count)
        }
    }

    @Test(
        "token by token, in blocks, with threads: the bits of the whole text at once",
        arguments: Checkpoints.architectures)
    func invariance(architecture: String) throws {
        let golden = try GoldenLogits(recorded: architecture)
        try withScratchDirectory { directory in
            let model = try store(
                Checkpoints.path("hf/\(architecture)/model_bf16"), directory
            ).model("main")
            // Longer than the caches' first growth, and than every window.
            let text = (0..<5).flatMap { turn in golden.tokens.map { ($0 + turn) % 256 } }
            let whole = try model.logits(text).map { $0.map(\.bitPattern) }
            #expect(try model.logits(text, threads: 3).map { $0.map(\.bitPattern) } == whole)
            let session = Session(model.model.base)
            for (position, token) in text.enumerated() {
                let one = try session.append([token]).map(\.bitPattern)
                #expect(one == whole[position], "position \(position)")
            }
            session.reset()
            for (start, end) in [(0, 3), (3, 16), (16, 21), (21, 130), (130, 160)] {
                let last = try session.append(Array(text[start..<end])).map(\.bitPattern)
                #expect(last == whole[end - 1], "\(start)..<\(end)")
            }
        }
    }

    @Test("separate and fused experts give the same bits", arguments: Checkpoints.architectures)
    func forms(architecture: String) throws {
        let golden = try GoldenLogits(recorded: architecture)
        let results = try ["model", "model_fused"].map { form in
            try withScratchDirectory { directory in
                try store(Checkpoints.path("hf/\(architecture)/\(form)"), directory)
                    .model("main")
                    .logits(golden.tokens).map { $0.map(\.bitPattern) }
            }
        }
        #expect(results[0] == results[1])
    }

    @Test(
        "under a limit of memory the bits are the same", arguments: Checkpoints.architectures)
    func memoryLimit(architecture: String) throws {
        let golden = try GoldenLogits(recorded: architecture)
        try withScratchDirectory { directory in
            let store = try store(Checkpoints.path("hf/\(architecture)/model"), directory)
            let free = try store.model("main").logits(golden.tokens)
            let limited = try store.model("main", ModelOptions(memoryLimit: 8 << 30))
            #expect(try limited.logits(golden.tokens) == free)
            #expect(limited.statistics.firstSelections > 0)
            #expect(limited.statistics.hitRate > 0)
        }
    }
}
