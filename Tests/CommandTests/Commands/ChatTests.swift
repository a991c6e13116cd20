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

    /// A store whose branch `text` has a model of tokens, with a tokenizer of characters and a template.
    static func textSession(
        _ template: String =
            "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    ) throws -> Session {
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
            "chat_template": template,
        ]
        try JSONSerialization.data(withJSONObject: settings).write(
            to: URL(filePath: folder + "/tokenizer_config.json"))
        try session.expect("commit", folder, "-m", "chat", "--branch", "text")
        return session
    }

    @Test(
        "a turn that fails is told and taken back, and the conversation goes on",
        .enabled(if: Terminals.isThere))
    func survives() throws {
        let session = try Self.textSession(
            "{% for m in messages %}{{ raise_exception('never ' ~ m.content) if m.content == 'bad' }}"
                + "{{ m.content }}{% endfor %}{{ raise_exception('count ' ~ messages|length) if messages[-1].content == 'ask' }}"
        )
        let long = String(repeating: "a", count: 400)
        let run = try session.shell(
            "(sleep 0.5; printf 'bad\\n\(long)\\nask\\nhi\\nask\\n/exit\\n') | script -qec "
                + "'\"$cambium\" generate text --chat -n 2 --past-end' /dev/null; echo \"status $?\""
        )
        #expect(run.text.contains("never bad") && run.text.contains("do not fit the context"))
        #expect(run.text.contains("begin another conversation"))
        #expect(run.text.contains("count 1") && run.text.contains("count 3"), "\(run.text)")
        #expect(run.text.contains("status 0"), "\(run.text)")
    }

    @Test("a context that is full ends the conversation", .enabled(if: Terminals.isThere))
    func full() throws {
        let session = try Self.textSession()
        let run = try session.shell(
            "(sleep 0.5; printf 'hi\\nmore\\n') | script -qec "
                + "'\"$cambium\" generate text --chat -n 999 --past-end' /dev/null; echo \"status $?\""
        )
        #expect(run.text.contains("is full") && run.text.contains("the conversation is over"))
        #expect(run.text.contains("status 0"), "\(run.text)")
    }

    @Test("Ctrl-C stops an answer, and the conversation goes on", .enabled(if: Terminals.isThere))
    func stopped() throws {
        let session = try Self.session(
            "{% for m in messages %}{{ m.content }}{% endfor %}"
                + "{{ raise_exception('count ' ~ messages|length) if messages[-1].content == 'ask' }}"
        )
        let run = try session.shell(
            "(sleep 0.5; printf 'Hi\\n'; sleep 1; printf '\\003'; sleep 0.5; printf 'ask\\n'; sleep 0.5; "
                + "printf '\\003'; sleep 0.5) | script -qec "
                + "'\"$cambium\" generate chat --chat -n 100000000' /dev/null; echo \"status $?\"")
        #expect(run.text.contains("count 3"), "\(run.text.suffix(400))")
        #expect(run.text.contains("interrupted: the conversation is over"))
        #expect(run.text.contains("status 130"), "\(run.text.suffix(400))")
    }

    @Test("where nobody asks anything, no text is read in its place and none is made up")
    func silent() throws {
        let session = try Self.session()
        try session.write(
            #"[{"role": "user", "content": "P"}, {"role": "assistant", "content": "A"}]"#,
            to: "answered.json")
        try session.write(#"[{"role": "system", "content": "S"}]"#, to: "system.json")
        try session.write("[]", to: "none.json")
        let chat = ["generate", "chat", "--chat", "-n", "2"]
        for (words, input, name) in [
            (["--messages", "answered.json"], "said", "assistant"),
            (["--messages", "system.json"], "said", "system"),
            (["--messages", "none.json"], "said", "no message"),
            (["--messages", "-"], #"[{"role": "assistant", "content": "A"}]"#, "standard input"),
            ([], "", "standard input has no text"), ([], " \n", "standard input has no text"),
            (["--system", "S"], "", "no text"), (["--prompt", "-"], "", "no text"),
        ] {
            let run = try session.start(chat + words, input: input).end()
            #expect(run.status == 64 && run.errors.contains(name), "\(words): \(run.errors)")
            #expect(run.text.isEmpty)
        }
        // It waits for nobody.
        let open = try session.shell(
            "sleep 9 | timeout 8 \"$cambium\" generate chat --chat --messages answered.json & wait -n; echo \"status $?\""
        )
        #expect(open.text.contains("status 64"))
        let asked = try session.start(
            chat + ["--messages", "answered.json", "--prompt", "-"], input: "more"
        ).end()
        #expect(asked.status == 0, "\(asked.errors)")
        let folder = try session.start(chat + ["--messages", "with-template"]).end()
        #expect(folder.errors.contains("is a folder") && !folder.errors.contains("test.txt"))
    }

    @Test("bytes that are not UTF-8 are told of")
    func repaired() throws {
        let session = try Self.textSession()
        let run = try session.shell(
            "printf 'a\\377b' | cambium generate text --chat -n 1; "
                + "printf 'a\\377b' | cambium generate text --prompt - -n 1")
        #expect(run.errors.contains("standard input is not UTF-8"), "\(run.errors)")
        #expect(run.errors.contains("the prompt is not UTF-8"))
    }

    @Test("special tokens are read and written as such, and the start token comes once")
    func special() throws {
        let session = try Self.textSession()
        let run = try session.expect(
            "generate", "text", "--chat", "--prompt", "ab", "-n", "6", "--past-end", "--json")
        let ids = try session.expect(
            "generate", "text", "--tokens", "1,2,97,98,3", "-n", "6", "--past-end", "--json")
        #expect(try run.json["tokens"] as? [Int] == ids.json["tokens"] as? [Int])
    }
}
