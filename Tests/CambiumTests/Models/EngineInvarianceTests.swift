import Architectures
import CKernels
import Elements
import Models
import Routing
import Tensors
import TestSupport
import Testing

@testable import Cambium

/// What a token gives depends on its text alone, whatever the architecture: not on what runs beside it, the
/// threads or the instruction set.
@Suite("every architecture gives the same bits", .serialized)
struct EngineInvarianceTests {
    static let checkpoints =
        ["peer-lm/base", "peer-lm/hashed"]
        + Checkpoints.architectures.map { "hf/\($0)/model_bf16" }

    /// Longer than the caches' first growth, and than every window.
    private static func text(_ seed: Int, _ count: Int) -> [Int] {
        (0..<count).map { ($0 * 37 + $0 * $0 * 11 + seed * 101) % 256 }
    }

    private func withModel(_ checkpoint: String, _ body: (LanguageModel) throws -> Void) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory)
            let store = try Store(directory)
            _ = try store.commit(
                checkpoint: Checkpoints.path(checkpoint), Checkpoints.options("import"))
            // The model keeps the snapshot that its weights are read from.
            let model = try store.model("main")
            try withExtendedLifetime(model) { try body(model.model.base) }
        }
    }

    /// The bits of the logits, and of what every token picked.
    private struct Outcome: Equatable {
        var logits: [UInt32] = []
        var experts: [UInt32] = []
        var weights: [UInt32] = []

        mutating func add(_ more: [Float], _ session: Session) {
            logits += more.map(\.bitPattern)
            for route in session.takeRoutes().sorted(by: {
                ($0.position, $0.layer) < ($1.position, $1.layer)
            }) {
                experts += route.heads.flatMap(\.experts)
                weights += route.heads.flatMap(\.weights).map(\.bitPattern)
            }
        }
    }

    private func run(
        _ model: LanguageModel, _ text: [Int], pieces: [Int], threads: Int = 1
    ) throws -> Outcome {
        let session = Session(
            model, pass: ForwardPass(model, team: ThreadTeam(count: threads)))
        session.recordsRoutes = true
        var outcome = Outcome()
        var (start, index) = (0, 0)
        while start < text.count {
            let end = min(text.count, start + pieces[min(index, pieces.count - 1)])
            outcome.add(try session.append(Array(text[start..<end]), logits: .all), session)
            (start, index) = (end, index + 1)
        }
        return outcome
    }

    @Test("in pieces of any size, with any threads and instructions", arguments: checkpoints)
    func pieces(checkpoint: String) throws {
        try withModel(checkpoint) { model in
            let text = Self.text(3, min(model.description.contextLength, 150))
            let alone = try run(model, text, pieces: [1])
            #expect(alone.logits.count == text.count * 256 && !alone.experts.isEmpty)
            defer { cambium_use_variant(nil) }
            var index = 0
            while let variant = unsafe cambium_variant_at(index) {
                unsafe cambium_use_variant(variant)
                for (pieces, threads) in [([150], 2), ([3, 13, 1, 40], 1), ([64], 3)] {
                    let found = try run(model, text, pieces: pieces, threads: threads)
                    #expect(
                        found == alone, "\(Kernels.variant), pieces \(pieces), \(threads) threads")
                }
                index += 1
            }
        }
    }

    @Test("of texts that run together as of each alone", arguments: checkpoints)
    func together(checkpoint: String) throws {
        try withModel(checkpoint) { model in
            let pass = ForwardPass(model, team: ThreadTeam(count: 2))
            // More than a block in all, and texts of any lengths.
            let texts = (0..<20).map { Self.text($0, 1 + $0 * 7 % 40) }
            let sessions = texts.map { _ in Session(model, pass: pass) }
            let first = try pass.append(Array(zip(sessions, texts)), logits: .all)
            let next = try pass.append(sessions.map { ($0, [65, 66]) })
            for (index, text) in texts.enumerated() {
                let alone = Session(model)
                #expect(try alone.append(text, logits: .all) == first[index], "text \(index)")
                #expect(try alone.append([65, 66]) == next[index], "text \(index)")
                #expect(alone.usage == sessions[index].usage)
            }
        }
    }

    @Test("of texts that are continued together as of each alone", arguments: checkpoints)
    func continued(checkpoint: String) throws {
        try withModel(checkpoint) { base in
            let model = AdaptedModel(base)
            let prompts = (1...5).map { Self.text($0, $0 * 9) }
            let limits = GenerationLimits(count: 12, speller: { ByteSpeller() })
            let sampling = try Sampling(temperature: 0.9, topP: 0.95, seed: 5)
            let together = try model.generate(
                prompts: prompts, limits, sampling: sampling, threads: 2)
            for (prompt, found) in zip(prompts, together) {
                let alone = try model.generate(prompts: [prompt], limits, sampling: sampling)[0]
                #expect(found.tokens == alone.tokens && found.usage == alone.usage)
                #expect(found.bytes == found.tokens.map { UInt8($0) })
            }
        }
    }

    @Test("of an evaluation on any number of threads", arguments: checkpoints)
    func evaluated(checkpoint: String) throws {
        try withModel(checkpoint) { base in
            let model = AdaptedModel(base)
            let text = Self.text(7, base.description.evaluationWindow * 9)
            let one = try model.evaluate(text)
            // Windows side by side, and each shared out.
            for threads in [2, 4] {
                let more = try model.evaluate(text, threads: threads)
                #expect(more.nats == one.nats && more.usage == one.usage)
            }
        }
    }
}
