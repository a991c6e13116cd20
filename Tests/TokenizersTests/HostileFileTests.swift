import Elements
import Testing
import Tokenizers

private func code(_ json: String) -> CambiumError.Code? {
    do {
        _ = try TextTokenizer(json: Array(json.utf8))
        return nil
    } catch {
        let error = error as? CambiumError
        #expect(error?.message.isEmpty == false)
        return error?.code
    }
}

private func model(_ vocabulary: String, _ merges: String = "[]", _ rest: String = "") -> String {
    "{\"model\":{\"type\":\"BPE\",\"vocab\":\(vocabulary),\"merges\":\(merges)\(rest)}}"
}

private func unigram(_ pieces: String, _ unknown: String = "0") -> String {
    #"{"model":{"type":"Unigram","unk_id":\#(unknown),"vocab":[\#(pieces)]}}"#
}

private func table(_ base64: String) -> String {
    #"{"normalizer":{"type":"Precompiled","precompiled_charsmap":"\#(base64)"},"model":{"vocab":{"a":0}}}"#
}

@Suite("Damaged and foreign tokenizer files")
struct HostileFileTests {
    @Test(
        "are refused",
        arguments: [
            "", "{}", "[]", "null", "{\"model\":null}", "{\"model\":{}}",
            "{\"model\":{\"vocab\":{}}}",
            String(repeating: "[", count: 100_000),
            "{\"added_tokens\":\(String(repeating: "[", count: 5_000))",
            model("{\"a\":0,\"a\":1}"), model("{\"a\":0,\"b\":0}"), model("{\"a\":-1}"),
            model("{\"a\":1.5}"), model("{\"a\":\"0\"}"), model("{\"a\":4000000000}"),
            model("{\"a\":99999999999999999999}"), model("{\"a\":0}", "[[\"a\",\"a\"]]"),
            model("{\"a\":0,\"aa\":1}", "[[\"a\",\"b\"]]"), model("{\"a\":0}", "[[\"a\"]]"),
            model("{\"a\":0}", "[\"a\"]"), model("{\"a\":0}", "[\"a b c\"]"),
            model("{\"a\":0}", "[7]"),
            model("{\"a\":0}", "{}"), model("{\"a\":0}", "[]", ",\"unk_token\":\"?\""),
            model("{\"a\":0}", "[]", ",\"fuse_unk\":3"),
            "{\"added_tokens\":[{\"id\":0}],\"model\":{\"vocab\":{\"a\":0}}}",
            "{\"added_tokens\":[{\"id\":1,\"content\":\"a\"}],\"model\":{\"vocab\":{\"a\":0}}}",
            "{\"added_tokens\":[{\"id\":0,\"content\":\"b\"}],\"model\":{\"vocab\":{\"a\":0}}}",
            "{\"added_tokens\":[{\"id\":2147483647,\"content\":\"b\"}],\"model\":{\"vocab\":{\"a\":0}}}",
            "{\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}]},\"model\":{\"vocab\":{\"a\":0}}}",
            "{\"decoder\":{\"type\":\"Strip\",\"content\":\" \",\"start\":-1,\"stop\":0},\"model\":{\"vocab\":{\"a\":0}}}",
            "{\"model\":{\"vocab\":{\"\\ud800\":0}}}", "{\"model\":{\"vocab\":{\"a\":0}}} x",
            #"{"model":{"type":"Unigram","vocab":{"a":0}}}"#, unigram(#"["a",-1]"#, "null"),
            unigram(#"["a",-1]"#, "1"), unigram(#"["a",-1]"#, "-1"), unigram(#"["a",-1]"#, "0.5"),
            unigram(#"["a",-1],["a",-2]"#), unigram(#"["a",1e999]"#), unigram(#"["a"]"#),
            unigram(#"[1,"a"]"#), unigram("7"), unigram(""),
            #"{"model":{"type":"BPE","vocab":[["a",0]]}}"#,
            #"{"model":{"type":"WordPiece","vocab":{"a":0}}}"#,
            #"{"model":{"type":"WordPiece","vocab":[["[UNK]",0]]}}"#,
            #"{"model":{"type":"WordPiece","vocab":{"[UNK]":0},"max_input_chars_per_word":-1}}"#,
            #"{"model":{"type":"WordPiece","vocab":{"[UNK]":0},"continuing_subword_prefix":3}}"#,
            table("?"), table("AAAA"), table("AAAAAA=="), table("CAAAAAAAAAA="),
            table("BQAAAAAAAAAA"),
            #"{"post_processor":{"type":"BertProcessing"},"model":{"vocab":{"a":0}}}"#,
            #"{"post_processor":{"type":"BertProcessing","sep":["x",9],"cls":["a",0]},"model":{"vocab":{"a":0}}}"#,
        ])
    func refused(json: String) {
        #expect(code(json) == .badTokenizer, "\(json.prefix(80))")
    }

    @Test(
        "that ask for more than there is are told so",
        arguments: [
            #"{"model":{"type":"WordLevel","vocab":{"a":0}}}"#,
            #"{"pre_tokenizer":{"type":"ByteLevel"},"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0]]}}"#,
            model("{\"a\":0}", "[]", ",\"dropout\":0.1"),
            model("{\"a\":0}", "[]", ",\"continuing_subword_prefix\":\"##\""),
            "{\"normalizer\":{\"type\":\"Nmt\"},\"model\":{\"vocab\":{\"a\":0}}}",
            "{\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(?<a>b)\"},\"content\":\"b\"},\"model\":{\"vocab\":{\"a\":0}}}",
            "{\"pre_tokenizer\":{\"type\":\"UnicodeScripts\"},\"model\":{\"vocab\":{\"a\":0}}}",
            "{\"post_processor\":{\"type\":\"Other\"},\"model\":{\"vocab\":{\"a\":0}}}",
            "{\"decoder\":{\"type\":\"CTC\"},\"model\":{\"vocab\":{\"a\":0}}}",
        ])
    func unsupported(json: String) {
        #expect(code(json) == .unsupported, "\(json)")
    }

    @Test("cut off anywhere, or with bytes changed, are refused or work, and never trap")
    func mutated() throws {
        let whole = try GoldenCases.json("llama2")
        for end in stride(from: 0, to: whole.count - 1, by: 401) {
            #expect(throws: CambiumError.self) {
                try TextTokenizer(json: Array(whole[..<end]))
            }
        }
        let seed = UInt64.random(in: 0...UInt64.max)
        var numbers = SeededNumbers(state: seed)
        var refusals = 0
        for name in ["llama2", "deepseek", "metaspace", "kimi", "xlm-roberta", "bert"] {
            let whole = try GoldenCases.json(name)
            for _ in 0..<15 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...3, using: &numbers) {
                    // The start and the end hold the pipeline, the middle the vocabulary.
                    let reach = Bool.random(using: &numbers) ? 2_000 : bytes.count
                    let at = Int.random(in: 0..<min(reach, bytes.count), using: &numbers)
                    bytes[at] = UInt8.random(in: 0x20...0x7E, using: &numbers)
                }
                do {
                    let tokenizer = try TextTokenizer(json: bytes)
                    let ids = try tokenizer.encode("a b, Ångström 123\n漢")
                    _ = tokenizer.decode(ids + [0, 1, 2])
                } catch {
                    refusals += 1
                }
            }
        }
        #expect(refusals > 8, "seed \(seed)")
    }
}
