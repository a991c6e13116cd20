import CheckpointSupport
import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite(
    "models that do not fit their config")
struct HostileModelTests {
    /// A store that holds a copy of a checkpoint, changed.
    private func store(
        _ architecture: String, in directory: String,
        config: ((inout [String: Any]) -> Void)? = nil,
        weights: ((inout [UInt8], [String: Any]) throws -> Void)? = nil
    ) throws -> Store {
        let folder = directory + "/model"
        let source = Checkpoints.path("hf/\(architecture)/model")
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        var fields = try #require(
            JSONSerialization.jsonObject(with: bytes(source + "/config.json")) as? [String: Any])
        config?(&fields)
        try JSONSerialization.data(withJSONObject: fields).write(
            to: URL(filePath: folder + "/config.json"))
        var file = try [UInt8](bytes(source + "/model.safetensors"))
        let length = file[..<8].enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
        let header = try #require(
            JSONSerialization.jsonObject(with: Data(file[8..<8 + length])) as? [String: Any])
        var data = Array(file[(8 + length)...])
        try weights?(&data, header)
        file.replaceSubrange((8 + length)..., with: data)
        try Data(file).write(to: URL(filePath: folder + "/model.safetensors"))
        try Store.create(at: directory + "/S")
        let store = try Store(directory + "/S")
        _ = try store.commit(checkpoint: folder, Checkpoints.options("import"))
        return store
    }

    static let changes: [(architecture: String, key: String, value: Int, code: String)] = [
        ("olmoe", "hidden_size", 128, "bad-tensor"),
        ("olmoe", "num_hidden_layers", 4, "missing-tensor"),
        ("olmoe", "vocab_size", 257, "bad-tensor"),
        ("olmoe", "num_experts_per_tok", 17, "bad-config"),
        ("mixtral", "num_key_value_heads", 3, "bad-config"),
        ("mixtral", "num_key_value_heads", 4, "bad-tensor"),
        ("mixtral", "intermediate_size", 64, "bad-tensor"),
        ("qwen3_moe", "head_dim", 32, "bad-tensor"),
        ("qwen3_moe", "moe_intermediate_size", 47, "bad-tensor"),
        ("qwen3_moe", "decoder_sparse_step", 2, "missing-tensor"),
        ("deepseek_v3", "kv_lora_rank", 17, "bad-tensor"),
        ("deepseek_v3", "q_lora_rank", 25, "bad-tensor"),
        ("deepseek_v3", "n_shared_experts", 2, "bad-tensor"),
        ("deepseek_v3", "first_k_dense_replace", 2, "missing-tensor"),
        ("gpt_oss", "num_attention_heads", 2, "bad-tensor"),
        ("gpt_oss", "intermediate_size", 49, "bad-tensor"),
    ]

    @Test("a config of other sizes is refused when the model is opened", arguments: changes.indices)
    func sizes(index: Int) throws {
        let change = Self.changes[index]
        try withScratchDirectory { directory in
            let store = try store(
                change.architecture, in: directory, config: { $0[change.key] = change.value })
            let error = #expect(throws: CambiumError.self) { try store.model("main") }
            #expect(error?.code.rawValue == change.code, "\(change): \(error.map(\.message) ?? "")")
        }
    }

    @Test("what is no number is told, not written", arguments: Checkpoints.architectures)
    func notFinite(architecture: String) throws {
        try withScratchDirectory { directory in
            let store = try store(
                architecture, in: directory,
                weights: { data, header in
                    let family = try #require(TransformersFamily(rawValue: architecture))
                    let name = family.prefix + "norm.weight"
                    let entry = try #require(header[name] as? [String: Any])
                    let start = try #require((entry["data_offsets"] as? [Int])?.first)
                    data.replaceSubrange(start..<start + 4, with: [0, 0, 0xC0, 0x7F])
                })
            let model = try store.model("main")
            let error = #expect(throws: CambiumError.self) {
                try model.generate(tokens: [1, 2, 3], count: 2)
            }
            #expect(error?.code.rawValue == "not-finite")
        }
    }

    @Test("tokens that the model cannot take are refused")
    func tokens() throws {
        try withScratchDirectory { directory in
            let model = try store("mixtral", in: directory).model("main")
            #expect(code { _ = try model.generate(tokens: [], count: 1) } == .badInput)
            #expect(code { _ = try model.generate(tokens: [256], count: 1) } == .badInput)
            #expect(code { _ = try model.generate(tokens: [-1], count: 1) } == .badInput)
            #expect(code { _ = try model.generate(tokens: [1], count: -1) } == .badInput)
            #expect(
                code { _ = try model.generate(tokens: [1], count: 1, threads: 0) } == .badInput)
            let long = [Int](repeating: 1, count: 257)
            #expect(code { _ = try model.logits(long) } == .contextFull)
            // Of 256 tokens without a tokenizer each is a byte.
            let spelled = try model.generate([1, 2], count: 3, pastEnd: true)
            let ids = try model.generate(tokens: [1, 2], count: 3).tokens
            #expect(spelled.tokens == ids && spelled.bytes == ids.map { UInt8($0) })
            #expect(
                code { _ = try model.generate([UInt8](repeating: 1, count: 257), count: 1) }
                    == .contextFull)
            // A vocabulary of 256 without a tokenizer reads bytes; a window is 256 of them.
            #expect(try model.evaluate(Array(repeating: 65, count: 256)).bitsPerByte > 0)
            #expect(
                code { _ = try model.evaluate(Array(repeating: 65, count: 255)) } == .badInput)
            // The context has room for 256: the prompt, and all but the last of the new ones.
            let made = try model.generate(tokens: Array(long.prefix(250)), count: 20)
            #expect(made.tokens.count == 7 && made.end == .context)
            var seen: [Int] = []
            let some = try model.generate(tokens: [1, 2], count: 9) { token in
                seen.append(token)
                return seen.count < 3
            }
            #expect(some.tokens == seen && seen.count == 3 && some.end == .receiver)
            let stopped = try model.generate(tokens: [1, 2], count: 9, stops: [seen[1]])
            #expect(stopped.end == .stop && stopped.tokens == Array(seen.prefix { $0 != seen[1] }))
        }
    }

    @Test("a profile of tokens warms a model that takes them, with the same bits")
    func profile() throws {
        try withScratchDirectory { directory in
            let store = try store("olmoe", in: directory)
            let tokens = [1, 178, 199, 28, 249]
            let cold = try store.model("main").logits(tokens)
            let profile = try store.profile("main", onTokens: tokens)
            #expect(profile.experts > 0 && profile.bytes > 0)
            let model = try store.model("main")
            #expect(try model.logits(tokens) == cold)
            #expect(model.statistics.prefetchAccuracy == 1)
            #expect(throws: CambiumError.self) { try store.profile("main", onTokens: []) }
            #expect(throws: CambiumError.self) { try store.profile("main", onTokens: [999]) }
        }
    }
}
