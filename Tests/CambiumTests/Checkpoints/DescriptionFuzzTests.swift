import Architectures
import CheckpointSupport
import Elements
import Foundation
import Models
import Routing
import TestSupport
import Testing

@testable import Cambium

/// As ``ConfigFuzzTests``, of the smaller files in JSON: each hostile value in each place, and no trap.
@Suite("descriptions with hostile values")
struct DescriptionFuzzTests {
    private func object(_ json: String) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
    }

    @Test(
        "an adapter's description is refused, or fits a base or not",
        arguments: [
            """
            {"version":2,"kind":"dense","base_experts":"skipped","experts":{"kind":"neuron",
             "layers":[1],"sub_keys":4,"heads":1,"top_k":2,"key_size":8},"base":"ab"}
            """,
            """
            {"version":2,"kind":"lora","base_experts":"skipped","experts":{"kind":"swiglu",
             "layers":[0,1],"count":4,"top_k":2,"ffn_size":8},"base":"ab"}
            """,
            #"{"version":4,"kind":"alternative","layers":[0,1,7,12,20,31],"base":"ab"}"#,
            #"{"version":5,"kind":"alternative","layers":[0,1,7,12],"added":2,"handicap":9,"base":"ab"}"#,
        ])
    func adapters(_ json: String) throws {
        let base = try ModelDescription(
            PeerConfig(json: [UInt8](bytes(Checkpoints.path("peer-lm/base") + "/config.json"))))
        #expect(throws: Never.self) {
            try AdapterDescription(Array(json.utf8), of: "x").model(on: base)
        }
        var refused = 0
        for variant in try HostileJSON.variants(of: object(json)) {
            do {
                _ = try AdapterDescription(variant.bytes, of: "x").model(on: base)
            } catch let error as CambiumError {
                refused += 1
                #expect(
                    error.message.contains("cohorts.x.cohort") || error.message.contains("config"),
                    "\(variant): \(error)")
            }
        }
        #expect(refused > (json.contains("alternative") ? 100 : 200))
    }

    @Test("how counts predict is refused by the file's name, or sensible")
    func mixtures() throws {
        let json = #"{"version":1,"counts":{"pseudo_count":2.5,"model_share":0.5}}"#
        for variant in try HostileJSON.variants(of: object(json)) {
            do {
                let counts = try MixtureDescription(variant.bytes).counts
                #expect(counts.pseudoCount > 0 && counts.modelShare <= 1, "\(variant)")
            } catch let error as CambiumError {
                #expect(error.message.contains("mixture.json"), "\(variant): \(error)")
            }
        }
    }

    @Test("descriptions with a key twice, or text behind them, are refused")
    func strict() throws {
        let adapter = #"{"version":1,"kind":"dense","base_experts":"kept"}"#
        let mixture = #"{"version":1,"counts":{"pseudo_count":2.5,"model_share":0.5}}"#
        #expect(try AdapterDescription(Array(adapter.utf8), of: "x").usesExperts)
        #expect(try MixtureDescription(Array(mixture.utf8)).counts.pseudoCount == 2.5)
        for end in [#","version":1}"#, "} {}", "},"] {
            for json in [adapter, mixture] {
                let wrong = Array((json.dropLast() + end).utf8)
                #expect(throws: CambiumError.self, "\(end)") {
                    if json == adapter {
                        _ = try AdapterDescription(wrong, of: "x")
                    } else {
                        _ = try MixtureDescription(wrong)
                    }
                }
            }
        }
    }

    @Test("a tokenizer is refused, or encodes and decodes")
    func tokenizers() throws {
        let json = """
            {"version":"1.0","truncation":null,"padding":null,
             "added_tokens":[{"id":5,"content":"<x>","single_word":false,"lstrip":false,
              "rstrip":true,"normalized":false,"special":true}],
             "normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},
              {"type":"Replace","pattern":{"String":"q"},"content":"a"}]},
             "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,
              "use_regex":true},
             "post_processor":{"type":"TemplateProcessing","single":[
              {"SpecialToken":{"id":"<x>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
              "pair":[],"special_tokens":{"<x>":{"id":"<x>","ids":[5],"tokens":["<x>"]}}},
             "decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,
              "use_regex":true},
             "model":{"type":"BPE","dropout":null,"unk_token":null,
              "continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,
              "byte_fallback":false,"ignore_merges":false,
              "vocab":{"a":0,"b":1,"ab":2,"c":3,"abc":4},"merges":[["a","b"],["ab","c"]]}}
            """
        #expect(try Tokenizer(json: Array(json.utf8)).encode("abc") == [5, 4])
        var read = 0
        // Tables of characters are made for each.
        var random = SeededGenerator.announced()
        let some = try HostileJSON.variants(of: object(json)).shuffled(using: &random).prefix(400)
        for variant in some {
            do {
                let tokenizer = try Tokenizer(json: variant.bytes)
                _ = tokenizer.decode(try tokenizer.encode("abc <x> qabz\u{E9}"))
                read += 1
            } catch let error as CambiumError {
                #expect(!error.message.isEmpty, "\(variant)")
            }
        }
        #expect(read > 20)
    }

    @Test("an index of shards is refused and nothing is committed, or the model is")
    func shards() throws {
        let json = """
            {"metadata":{"total_size":64},
             "weight_map":{"a":"model-00001-of-00001.safetensors"}}
            """
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            let folder = directory + "/model"
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true)
            let header = #"{"a":{"dtype":"F32","shape":[16],"data_offsets":[0,64]}}"#
            try
                (Data(littleEndian(UInt64(header.utf8.count))) + Data(header.utf8) + Data(count: 64))
                .write(to: URL(filePath: folder + "/model-00001-of-00001.safetensors"))
            for variant in try HostileJSON.variants(of: object(json)) {
                try Data(variant.bytes).write(
                    to: URL(filePath: folder + "/model.safetensors.index.json"))
                let before = try? store.resolve("main")
                do {
                    let result = try store.commit(
                        checkpoint: folder, Checkpoints.options("\(variant)"))
                    _ = try store.export(
                        result.id, to: "\(directory)/out-\(result.id)", overwrite: true)
                } catch let error as CambiumError {
                    #expect(
                        !error.message.isEmpty && error.code != .corrupt, "\(variant): \(error)")
                    #expect((try? store.resolve("main")) == before)
                }
            }
            #expect(try store.verify().faults.isEmpty)
        }
    }
}
