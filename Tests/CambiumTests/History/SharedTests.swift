import Elements
import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite("what models share")
struct SharedTests {
    /// A store with base on main, a branch that changed experts 3 and 5, and one that changed 5 alike.
    private func store(in directory: String) throws -> Store {
        let store = try Checkpoints.tinyStore(in: directory)
        for (name, edits) in [("left", [3: 1, 5: 2]), ("right", [5: 2])] as [(String, [Int: Float])]
        {
            var checkpoint = TinyCheckpoint()
            for (ordinal, value) in edits { checkpoint.setExpert(ordinal, to: value) }
            let path = try checkpoint.write(to: "\(directory)/\(name)")
            try store.createBranch(name, at: "main", Checkpoints.signature)
            _ = try store.commit(checkpoint: path, Checkpoints.options(name, branch: name))
        }
        return store
    }

    @Test("experts and tensors of the same bytes are counted, pairwise, in all and together")
    func bytes() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let shared = try store.shared(["main", "left", "right"])
            #expect(shared.models.map(\.revision) == ["main", "left", "right"])
            let whole = shared.models[0].contents
            #expect(whole.experts > 5 && whole.tensors > 0)
            #expect(
                shared.pairs.map { [$0.left, $0.right] } == [
                    ["main", "left"], ["main", "right"], ["left", "right"],
                ])
            #expect(
                shared.pairs.map(\.shared.experts) == [
                    whole.experts - 2, whole.experts - 1, whole.experts - 1,
                ])
            #expect(shared.pairs.allSatisfy { $0.shared.tensors == whole.tensors })
            #expect(shared.inAll.experts == whole.experts - 2)
            #expect(shared.together.experts == whole.experts + 2)
            let expert = shared.together.bytes - whole.bytes
            #expect(shared.separateBytes == 3 * whole.bytes && expert > 0)
            #expect(whole.bytes - shared.inAll.bytes == expert)
            #expect(shared.pairs.allSatisfy { $0.sameInBF16?.experts == 0 })
        }
    }

    @Test("a model shares everything with itself, and values are left out when asked")
    func itself() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let shared = try store.shared(["left", "left"], values: false)
            #expect(shared.pairs[0].shared == shared.models[0].contents)
            #expect(shared.together == shared.models[0].contents)
            #expect(shared.pairs[0].sameInBF16 == nil)
            #expect { _ = try store.shared(["main"]) } throws: {
                ($0 as? CambiumError)?.code == .usage
            }
            #expect { _ = try store.shared(["main", "none"]) } throws: {
                ($0 as? CambiumError)?.code == .notFound
            }
        }
    }

    @Test(
        "a copy in BF16 shares no bytes of weights but all values",
        arguments: Checkpoints.architectures)
    func copies(architecture: String) throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory)
            let store = try Store(directory)
            for form in ["model", "model_fused", "model_bf16"] {
                _ = try store.commit(
                    checkpoint: Checkpoints.path("hf/\(architecture)/\(form)"),
                    CommitOptions(message: form, branch: form, signature: Checkpoints.signature))
            }
            let shared = try store.shared(["model", "model_fused", "model_bf16"])
            let whole = shared.models[0].contents
            // Separate or fused, an expert is the same bytes.
            #expect(shared.pairs[0].shared == whole)
            let copy = shared.pairs[1]
            let same = try #require(copy.sameInBF16)
            #expect(copy.shared.experts == 0 && same.experts == whole.experts)
            #expect(copy.shared.tensors + same.tensors == whole.tensors)
        }
    }

    @Test("rounding to BF16 is to the nearest, ties to even, and keeps what is no number")
    func rounding() {
        for value in [1, 1.003_906_25, 1.011_718_75, -3.3e38, Float(bitPattern: 70_000), 0, -0.0]
            as [Float]
        {
            let expected = FloatCode.encode([Double(value)], [.init(.bf16, [1])]) ?? []
            let bits = FloatCode.bfloat(of: value.bitPattern)
            #expect([UInt8(bits & 255), UInt8(bits >> 8)] == expected, "\(value)")
        }
        #expect(FloatCode.bfloat(of: Float.infinity.bitPattern) == 0x7F80)
        #expect(Float(bitPattern: UInt32(FloatCode.bfloat(of: 0x7F80_0001)) << 16).isNaN)
        #expect(FloatCode.bfloat(of: Float.greatestFiniteMagnitude.bitPattern) == 0x7F80)
    }
}
