import CheckpointSupport
import Foundation
import Models
import TestSupport
import Testing

@testable import Cambium

@Suite("deltas beside models of any architecture")
struct AdaptedModelTests {
    private static let words = Array(
        String(repeating: "the cat sat on the mat. ", count: 40).utf8)
    private static let sums = Array(String(repeating: "12 + 30 = 42; 7 * 8 = 56; ", count: 40).utf8)

    /// Low-rank deltas of one matrix, as a round would add them.
    ///
    /// - Parameters:
    ///   - parts: The factors that are written.
    ///   - extra: A tensor more of the adapter.
    private func adapted(
        _ name: String, parts: [String] = ["a", "b"], extra: String? = nil, in directory: String
    ) throws -> String {
        var checkpoint = try RawCheckpoint(Checkpoints.path(name))
        let found = try #require(
            checkpoint.tensors.first { $0.name.hasSuffix("layers.1.self_attn.o_proj.weight") })
        let (matrix, shape) = (found.name, found.shape)
        func add(_ name: String, _ type: String, _ shape: [Int], _ data: [UInt8]) {
            checkpoint.tensors.append(
                RawCheckpoint.Tensor(name: name, type: type, shape: shape, data: data))
        }
        for (part, sizes) in [("a", [2, shape[1]]), ("b", [shape[0], 2])]
        where parts.contains(part) {
            let values = GeneratedTensor(part, sizes, scale: 1).values
            add(
                "cohorts.c.\(matrix).\(part)", "F32", sizes,
                values.flatMap { littleEndian($0.bitPattern) })
        }
        if let extra { add("cohorts.c.\(extra)", "F32", [2], [UInt8](repeating: 0, count: 8)) }
        let description = AdapterDescription(kind: .lora, usesExperts: true, base: "").encoded
        add("cohorts.c.cohort", "U8", [description.count], description)
        return try checkpoint.write(to: directory + "/checkpoint")
    }

    @Test(
        "run where the gate picks them from a text's bytes, and the base elsewhere",
        arguments: EngineInvarianceTests.checkpoints)
    func gate(checkpoint: String) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            _ = try store.commit(
                checkpoint: Checkpoints.path(checkpoint), Checkpoints.options("the base"))
            let base = try store.model("main")
            _ = try store.commit(
                checkpoint: adapted(checkpoint, in: directory), Checkpoints.options("deltas"))
            for (text, adapter) in [(Self.words, "base"), (Self.sums, "c")] {
                _ = try store.addEvidence([text], adapter: adapter, Checkpoints.options(adapter))
            }
            let model = try store.model("main")
            #expect(model.adapters == ["c"] && base.adapters.isEmpty)
            let size = model.model.description.evaluationWindow
            let texts = [Self.words, Self.sums].map { Array(($0 + $0).prefix(size * 2)) }
            let shares = try texts.map { try model.evaluate($0).adapters["c"] ?? 0 }
            #expect(shares[0] < 0.1 && shares[1] > 0.9)
            let logits = try texts.map { text in
                try [base, model].map {
                    try #require($0.logits(text.prefix(40).map { Int($0) }).last)
                }
            }
            #expect(logits[0][0] == logits[0][1] && logits[1][0] != logits[1][1])
            // Together as alone, and to a stop text.
            let prompts = texts.map { Array($0.prefix(30)) }
            let together = try model.generate(prompts: prompts, count: 9, pastEnd: true)
            for (prompt, found) in zip(prompts, together) {
                let alone = try model.generate(prompt, count: 9, pastEnd: true)
                #expect(alone.bytes == found.bytes && alone.tokens == found.tokens)
                let stop = Array(found.bytes[4..<6])
                let first = try #require(
                    (0..<8).first { Array(found.bytes[$0..<$0 + 2]) == stop })
                let cut = try model.generate(prompt, count: 9, stops: [stop], pastEnd: true)
                #expect(cut.bytes == Array(found.bytes[..<first]) && cut.end == .stop)
            }
        }
    }

    @Test(
        "of which something would not be used are refused by name, and so is half a pair of factors"
    )
    func unusedDeltas() throws {
        let checkpoint = EngineInvarianceTests.checkpoints[0]
        let odd = "model.layers.1.self_attn.o_proj.bias"
        for (parts, extra, word) in [(["a", "b"], odd, odd), (["a"], nil, "both are needed")] {
            try withScratchDirectory { directory in
                try Store.create(at: directory + "/S")
                let store = try Store(directory + "/S")
                _ = try store.commit(
                    checkpoint: adapted(checkpoint, parts: parts, extra: extra, in: directory),
                    Checkpoints.options("deltas"))
                for (text, adapter) in [(Self.words, "base"), (Self.sums, "c")] {
                    _ = try store.addEvidence(
                        [text], adapter: adapter, Checkpoints.options(adapter))
                }
                let error = #expect(throws: CambiumError.self) {
                    let model = try store.model("main")
                    return try model.generate(Array(Self.sums.prefix(30)), count: 2)
                }
                #expect(error?.message.contains(word) == true, "\(String(describing: error))")
            }
        }
    }
}
