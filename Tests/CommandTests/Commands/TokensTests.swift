import CheckpointSupport
import Foundation
import Testing

@Suite("generate, for models that take token ids")
struct TokensTests {
    static let model = GeneratedCheckpoints.path("hf/olmoe/model")

    @Test(
        "token ids are continued, given out with commas, and with --json as a list")
    func tokens() throws {
        let session = try Session.history()
        try session.expect("commit", Self.model, "-m", "another model", "--branch", "tokens")
        let golden = try RecordedLogits("olmoe")
        let next = Array(golden.continued.dropFirst(golden.prompt.count).prefix(6))
        let prompt = golden.prompt.map(String.init).joined(separator: ",")
        let run = try session.expect("generate", "tokens", "--tokens", prompt, "-n", "6")
        #expect(run.lines == [Substring(next.map(String.init).joined(separator: ","))])
        let json = try session.expect(
            "generate", "tokens", "--tokens", prompt, "-n", "6", "--json", "--stats"
        ).json
        #expect(json["tokens"] as? [Int] == next)
        #expect(json["end"] as? String == "count" && json["usage"] != nil)
        let unknown = try session.start(["generate", "tokens", "--tokens", "1,256"]).end()
        #expect(unknown.status == 1 && unknown.errors.contains("256"))
    }

    @Test(
        "text is read by the tokenizer that was committed with the model")
    func text() throws {
        let session = try Session.history()
        let folder = session.directory + "/with-tokenizer"
        try FileManager.default.copyItem(atPath: Self.model, toPath: folder)
        // Byte-level, 256 tokens: a byte's token is its place in the alphabet of GPT-2.
        var vocabulary: [String: Int] = [:]
        let shown = Array(33...126) + Array(161...172) + Array(174...255)
        var next = 256
        for byte in 0..<256 {
            let scalar = shown.contains(byte) ? byte : next
            if !shown.contains(byte) { next += 1 }
            vocabulary[String(Character(UnicodeScalar(UInt32(scalar)) ?? "?"))] = byte
        }
        let json: [String: Any] = [
            "model": ["type": "BPE", "vocab": vocabulary, "merges": []],
            "pre_tokenizer": [
                "type": "ByteLevel", "add_prefix_space": false, "use_regex": true,
            ],
            "decoder": ["type": "ByteLevel"],
        ]
        try JSONSerialization.data(withJSONObject: json).write(
            to: URL(filePath: folder + "/tokenizer.json"))
        try session.expect("commit", folder, "-m", "with a tokenizer", "--branch", "text")
        let run = try session.expect(
            "generate", "text", "--prompt", "ab", "-n", "5", "--past-end", "--json")
        let ids = try session.expect(
            "generate", "text", "--tokens", "97,98", "-n", "5", "--past-end", "--json")
        let tokens = try #require(ids.json["tokens"] as? [Int])
        #expect(try run.json["tokens"] as? [Int] == tokens)
        #expect(
            try run.json["text"] as? String
                == String(decoding: tokens.map { UInt8($0) }, as: UTF8.self))
        let plain = try session.expect(
            "generate", "text", "--prompt", "ab", "--prompt", "ab", "-n", "5", "--past-end")
        #expect(plain.lines.count >= 2)
    }

    @Test(
        "a model of 256 tokens without a tokenizer reads and writes bytes, a larger one is refused")
    func byteTokens() throws {
        let session = try Session.history()
        try session.expect("commit", Self.model, "-m", "another model", "--branch", "tokens")
        let ids = try session.expect(
            "generate", "tokens", "--tokens", "97,98", "-n", "5", "--past-end", "--json")
        let bytes = try #require(ids.json["tokens"] as? [Int]).map { UInt8($0) }
        let words = ["generate", "tokens", "--prompt", "ab", "-n", "5", "--past-end"]
        // The bytes themselves, which need not be UTF-8.
        #expect(try session.start(words).end().output == Data(bytes))
        let run = try session.start(words + ["--json"]).end()
        #expect(try run.json["text"] as? String == String(decoding: bytes, as: UTF8.self))
        // One token more, and there is no saying what a byte's is.
        let folder = session.directory + "/larger"
        try TokensTests.enlarge(Self.model, into: folder)
        try session.expect("commit", folder, "-m", "a larger one", "--branch", "larger")
        let larger = try session.start(["generate", "larger", "--prompt", "ab"]).end()
        #expect(larger.status == 64 && larger.errors.contains("--tokens"))
    }

    @Test("several texts, stop texts and routes of a model of tokens are those of each text alone")
    func together() throws {
        let session = try Session.history()
        try session.expect("commit", Self.model, "-m", "another model", "--branch", "tokens")
        let words = ["generate", "tokens", "-n", "6", "--past-end", "--json"]
        let prompts = ["ab", "a longer text", "x"]
        let all = try session.start(words + prompts.flatMap { ["--prompt", $0] }).end()
        try #require(all.status == 0 && all.lines.count == 3, "\(all.errors)")
        for (index, prompt) in prompts.enumerated() {
            let alone = try session.start(words + ["--prompt", prompt]).end().json
            let found = try object(Data(all.lines[index].utf8))
            #expect(found["tokens"] as? [Int] == alone["tokens"] as? [Int])
            #expect(found["prompt"] as? Int == index + 1)
        }
        // The first new token that can be written as an argument ends the text.
        let made = try #require(
            session.start(words + ["-n", "60", "--prompt", "ab"]).end().json["tokens"] as? [Int])
        let place = try #require(made.firstIndex { (33...126).contains($0) })
        let stop = String(UnicodeScalar(UInt8(made[place])))
        let cut = try session.start(words + ["-n", "60", "--prompt", "ab", "--stop", stop]).end()
        #expect(try cut.json["tokens"] as? [Int] == Array(made[..<place]))
        #expect(try cut.json["end"] as? String == "stop")
        let routes = try session.expect("route", "tokens", "--prompt", "abc", "--json")
        #expect(routes.lines.count == 3 * 3)
        let route = try object(Data(routes.lines[4].utf8))
        #expect(route["position"] as? Int == 1 && route["layer"] as? Int == 1)
        #expect(route["token"] as? Int == 98)
        let text = session.directory + "/text"
        try Data(repeating: 0x41, count: 300).write(to: URL(filePath: text))
        let profile = try session.expect("profile", "tokens", "--text", text, "--json").json
        #expect(profile["experts"] as? Int ?? 0 > 0)
        #expect(try session.expect("route", "tokens", "--text", text, "-q").lines.count == 900)
    }

    @Test("a byte-level model takes bytes as token ids")
    func bytes() throws {
        let session = try Session.history()
        let text = try session.expect("generate", "--prompt", "ab", "-n", "8", "--json").json
        let run = try session.expect("generate", "--tokens", "97,98", "-n", "8", "--json").json
        let tokens = try #require(run["tokens"] as? [Int])
        #expect(tokens.count == 8)
        let bytes = tokens.map { UInt8($0) }
        #expect(text["text"] as? String == String(decoding: bytes, as: UTF8.self))
    }

    @Test("token lists that are none are refused", arguments: ["", "1,,2", "a", "-1", "1;2"])
    func bad(list: String) throws {
        let session = try Session.history()
        let run = try session.start(["generate", "--tokens", list]).end()
        #expect(run.status == 64)
    }

    /// Writes a checkpoint with a token more, whose rows are zeros.
    private static func enlarge(_ source: String, into folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        var config = try object(Data(contentsOf: URL(filePath: source + "/config.json")))
        config["vocab_size"] = 257
        try JSONSerialization.data(withJSONObject: config).write(
            to: URL(filePath: folder + "/config.json"))
        let file = try Data(contentsOf: URL(filePath: source + "/model.safetensors"))
        let size = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        var header = try object(file.subdata(in: 8..<8 + size))
        var data = Data()
        for (name, value) in header where name != "__metadata__" {
            var entry = try #require(value as? [String: Any])
            let range = try #require(entry["data_offsets"] as? [Int])
            let start = data.count
            data += file.subdata(in: 8 + size + range[0]..<8 + size + range[1])
            if let shape = entry["shape"] as? [Int], shape[0] == 256 {
                entry["shape"] = [257, shape[1]]
                data += Data(count: 4 * shape[1])
            }
            entry["data_offsets"] = [start, data.count]
            header[name] = entry
        }
        let text = try JSONSerialization.data(withJSONObject: header)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
        try (Data(length) + text + data).write(to: URL(filePath: folder + "/model.safetensors"))
    }
}
