import CheckpointSupport
import Foundation
import Testing

@Suite("generate --chat")
struct ChatTests {
    private static let template =
        "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>"

    /// A store whose branch `chat` has a model of bytes with a template.
    private static func session(_ template: String = template) throws -> Session {
        let session = try Session.base()
        let folder = session.path("with-template")
        try TinyCheckpoint().write(to: folder)
        try session.write(template, to: "with-template/chat_template.jinja")
        try session.expect("commit", "with-template", "-m", "with a template", "--branch", "chat")
        return session
    }

    @Test("the text is what the template makes of the messages")
    func once() throws {
        let session = try Self.session()
        let plain = try session.expect(
            "generate", "main", "--prompt", "<system>S<user>P<assistant>", "-n", "9", "--json"
        ).json
        let chat = ["generate", "chat", "--chat", "-n", "9", "--json"]
        let run = try session.start(chat + ["--system", "S", "--prompt", "P"]).end()
        #expect(run.status == 0, "\(run.errors)")
        #expect(try run.json["tokens"] as? [Int] == plain["tokens"] as? [Int])
        let piped = try session.start(chat + ["--system", "S"], input: "P").end()
        #expect(try piped.json["tokens"] as? [Int] == plain["tokens"] as? [Int])
        try session.write(
            #"[{"role": "system", "content": "X"}, {"role": "user", "content": "P"}]"#,
            to: "chat.json")
        let file = try session.start(chat + ["--system", "S", "--messages", "chat.json"]).end()
        #expect(try file.json["tokens"] as? [Int] == plain["tokens"] as? [Int])
    }

    @Test("tools and options reach the template, and what it refuses is told with its words")
    func tools() throws {
        let session = try Self.session(
            "{% if not tools %}{{ raise_exception('give tools') }}{% endif %}{{ tools[0].name }}{{ mode + 1 }}"
        )
        try session.write(
            #"{"messages": [{"role": "user", "content": "x"}], "tools": [{"name": "f"}]}"#,
            to: "chat.json")
        let chat = [
            "generate", "chat", "--chat", "--template-option", "mode=2", "-n", "4", "--json",
        ]
        let run = try session.start(chat + ["--messages", "chat.json"]).end()
        let plain = try session.expect("generate", "main", "--prompt", "f3", "-n", "4", "--json")
        #expect(try run.json["tokens"] as? [Int] == plain.json["tokens"] as? [Int])
        let refused = try session.start(chat + ["--prompt", "x"]).end()
        #expect(refused.status == 1)
        #expect(try refused.errorJSON["code"] as? String == "bad-input")
        #expect(refused.errors.contains("give tools"))
    }

    @Test("a model without a template is refused with what to do")
    func none() throws {
        let run = try Session.base().run("generate", "main", "--chat", "--prompt", "x")
        #expect(run.status == 1 && run.errors.contains("no chat template"))
        #expect(run.errors.contains("leave --chat out"))
    }

    @Test(
        "words that make no sense are refused",
        arguments: [
            ["--prompt", "a", "--system", "b"], ["--chat", "--prompts", "f"],
            ["--chat", "--tokens", "1"], ["--chat", "--prompt", "a", "--prompt", "b"],
            ["--chat", "--prompt", "-", "--messages", "-"], ["--messages", "f", "--prompt", "a"],
            ["--chat", "--template-option", "x"],
            ["--chat", "--template-option", "x=1", "--template-option", "x=2"],
        ])
    func usage(_ words: [String]) throws {
        #expect(try Session.base().start(["generate"] + words).end().status == 64)
    }

    @Test("on a terminal it goes on in turns until /exit", .enabled(if: Terminals.isThere))
    func turns() throws {
        let session = try Self.session(
            "{% for m in messages %}{{ raise_exception('seen ' ~ messages[2].content) if messages|length == 3 }}"
                + "{{ m.content }}{% endfor %}")
        func typed(_ text: String) throws -> Run {
            try session.shell(
                "(sleep 0.5; printf '\(text)'; sleep 0.5) | script -qec '\"$cambium\" generate chat --chat -n 3' "
                    + "/dev/null; echo \"status $?\"")
        }
        let left = try typed("Hi\\n\\n /exit \\n")
        #expect(left.text.contains("status 0"), "\(left.text)")
        #expect(left.text.contains("/exit or Ctrl-D"))
        let second = try typed("Hi\\nmore\\n")
        #expect(second.text.contains("seen more"), "\(second.text)")
    }

    @Test("special tokens are read and written as such, and the start token comes once")
    func special() throws {
        let session = try Session.base()
        let folder = session.path("with-tokenizer")
        try FileManager.default.copyItem(atPath: TokensTests.model, toPath: folder)
        var vocabulary: [String: Int] = [:]
        for byte in 33...126 { vocabulary[String(Character(UnicodeScalar(UInt8(byte))))] = byte }
        let special = [(1, "<s>"), (2, "<|user|>"), (3, "<|end|>")]
        let json: [String: Any] = [
            "model": ["type": "BPE", "vocab": vocabulary, "merges": []],
            "pre_tokenizer": ["type": "ByteLevel", "add_prefix_space": false, "use_regex": true],
            "decoder": ["type": "ByteLevel"],
            "added_tokens": special.map {
                ["id": $0.0, "content": $0.1, "special": true, "normalized": false]
            },
            "post_processor": [
                "type": "TemplateProcessing",
                "single": [
                    ["SpecialToken": ["id": "<s>", "type_id": 0]],
                    ["Sequence": ["id": "A", "type_id": 0]],
                ],
                "pair": [],
                "special_tokens": ["<s>": ["id": "<s>", "ids": [1], "tokens": ["<s>"]]],
            ],
        ]
        try JSONSerialization.data(withJSONObject: json).write(
            to: URL(filePath: folder + "/tokenizer.json"))
        let settings: [String: Any] = [
            "bos_token": ["content": "<s>"],
            "chat_template":
                "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ]
        try JSONSerialization.data(withJSONObject: settings).write(
            to: URL(filePath: folder + "/tokenizer_config.json"))
        try session.expect("commit", folder, "-m", "chat", "--branch", "text")
        let run = try session.expect(
            "generate", "text", "--chat", "--prompt", "ab", "-n", "6", "--past-end", "--json")
        let ids = try session.expect(
            "generate", "text", "--tokens", "1,2,97,98,3", "-n", "6", "--past-end", "--json")
        #expect(try run.json["tokens"] as? [Int] == ids.json["tokens"] as? [Int])
    }
}
