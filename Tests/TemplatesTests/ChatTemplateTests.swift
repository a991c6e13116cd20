import Elements
import Testing

@testable import Templates

@Suite("A model's chat template")
struct ChatTemplateTests {
    private static func template(_ files: [String: String]) throws -> ChatTemplate? {
        try ChatTemplate { files[$0].map { Array($0.utf8) } }
    }

    private static func text(_ files: [String: String], _ chat: Chat) throws -> String? {
        try template(files)?.text(of: chat, clock: Golden.clock)
    }

    private static var question: Chat {
        var chat = Chat()
        chat.add(role: "user", content: "Hi")
        return chat
    }

    @Test("is found in its own file first, then among the tokenizer's settings")
    func found() throws {
        let settings =
            #"{"chat_template": "S{{ bos_token }}{{ eos_token }}", "bos_token": "<b>", "eos_token": {"content": "<e>"}}"#
        #expect(try Self.template([:]) == nil)
        #expect(try Self.template(["tokenizer_config.json": #"{"bos_token": "<b>"}"#]) == nil)
        #expect(try Self.text(["tokenizer_config.json": settings], Self.question) == "S<b><e>")
        #expect(
            try Self.text(
                ["tokenizer_config.json": settings, "chat_template.jinja": "J{{ bos_token }}"],
                Self.question) == "J<b>")
        #expect(
            try Self.text(
                [
                    "chat_template.jinja": "{{ eos_token }}",
                    "special_tokens_map.json": #"{"eos_token": "<m>"}"#,
                ], Self.question) == "<m>")
    }

    @Test("of several, the one for tools is taken where there are some")
    func named() throws {
        let files = [
            "tokenizer_config.json":
                #"{"chat_template": [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "T{{ tools[0].name }}"}]}"#
        ]
        #expect(try Self.text(files, Self.question) == "D")
        let json =
            #"{"messages": [{"role": "user", "content": null}], "tools": [{"name": "f"}], "chat_template_kwargs": {"a": 1}}"#
        #expect(try Self.text(files, Chat(json: Array(json.utf8), source: "chat.json")) == "Tf")
        let other = [
            "tokenizer_config.json": #"{"chat_template": [{"name": "rag", "template": "D"}]}"#
        ]
        let error = try #require(throws: CambiumError.self) { try Self.template(other) }
        #expect(error.code == .unsupported && error.message.contains("rag"))
    }

    @Test("reads members without a value as missing, and reasoning under every name")
    func members() throws {
        let json =
            #"[{"role": "assistant", "content": null, "reasoning": "r"}, {"role": "user", "content": "x"}]"#
        let source =
            "{% for m in messages %}{{ 'content' in m }}{{ m.thinking }}{{ m.reasoning_content }};{% endfor %}"
        #expect(
            try Self.text(
                ["chat_template.jinja": source], Chat(json: Array(json.utf8), source: "c"))
                == "Falserr;True;")
    }

    @Test(
        "conversations that are none are refused",
        arguments: [
            "{}", "[1]", #"[{"content": "x"}]"#, #"{"messages": 1}"#,
            #"{"messages": [{"role": "user"}], "tools": [1]}"#, "[", #"[{"role": 1}]"#,
        ])
    func hostile(_ json: String) throws {
        #expect(throws: CambiumError.self) { try Chat(json: Array(json.utf8), source: "chat.json") }
    }

    private static let thought = "<|channel|>analysis<|message|>Well."

    @Test(
        "an answer in channels goes on as its final text, wherever it broke off",
        arguments: [
            (thought + "<|end|><|start|>assistant<|channel|>final<|message|>Yes", "Yes", "Well."),
            (thought + "<|end|><|start|>assistant<|channel|>final<|message|>", "", "Well."),
            (thought + "<|end|><|start|>assistant<|channel|>final", "", "Well."),
            (thought + "<|end|><|start|>assistant", "", "Well."), (thought, "", "Well."),
            ("<|channel|>analysis<|message|>", "", nil), ("<|channel|>", "", nil), ("", "", nil),
            (
                thought
                    + "<|end|><|start|>assistant<|channel|>commentary to=functions.f <|constrain|>json<|message|>{\"a\": 1}<|call|>",
                "", "Well.\n{\"a\": 1}"
            ),
            (
                thought
                    + "<|end|><|start|>assistant to=functions.f<|channel|>commentary json<|message|>{\"a\"",
                "", "Well.\n{\"a\""
            ),
            (" to=functions.f<|channel|>commentary <|constrain|>json<|message|>{}", "", "{}"),
            (
                "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=f<|message|>{}",
                "I look.", "{}"
            ),
            ("<|channel|>final<|message|>a < b <| c <|x|>", "a < b <| c <|x|>", nil),
            ("plain words", "plain words", nil),
            (thought + "<|channel|>final<|message|>x<|return|>", "x", "Well."),
        ] as [(String, String, String?)])
    func channels(_ answer: String, _ content: String, _ reasoning: String?) throws {
        var chat = Self.question
        chat.add(answer: answer, inChannels: true)
        #expect(chat.messages[1]["content"] == .string(content))
        #expect(chat.messages[1]["reasoning_content"] == reasoning.map { .string($0) })
    }

    @Test("an answer of a model without channels goes on as it is, whatever it quotes")
    func quoted() throws {
        var chat = Self.question
        let answer = "<think>a</think>say <|channel|>final<|message|>"
        chat.add(answer: answer, inChannels: false)
        #expect(chat.messages[1]["content"] == .string(answer))
    }

    @Test(
        "templates by name come as a list or as an object, and a default one that is no text is told"
    )
    func forms() throws {
        func files(_ template: String) -> [String: String] {
            ["tokenizer_config.json": "{\"chat_template\": \(template)}"]
        }
        #expect(
            try Self.text(files(#"{"default": "D", "tool_use": "T", "rag": 5}"#), Self.question)
                == "D")
        for broken in [
            #"[{"name": "default", "template": 5}, {"name": "rag", "template": "R"}]"#,
            #"[{"name": "default"}]"#, #"{"default": null, "rag": "R"}"#, #"{"tool_use": []}"#,
        ] {
            let error = try #require(throws: CambiumError.self) {
                try Self.template(files(broken))
            }
            #expect(error.code == .badTokenizer && error.message.contains("is no text"))
        }
    }

    @Test("a template that writes nothing is told as such")
    func nothing() throws {
        for source in ["", "{% if false %}x{% endif %}"] {
            let error = try #require(throws: CambiumError.self) {
                try Self.text(["chat_template.jinja": source], Self.question)
            }
            #expect(error.code == .badInput && error.message.contains("makes no text"))
        }
    }

    @Test("words of any length that a template refuses with are cut")
    func long() throws {
        for source in [
            "{{ raise_exception('x' * 100000) }}", "{{ ''['x' * 100000].y }}",
            "{{ \(String(repeating: "x", count: 100_000)).y }}",
            "{{ 1|\(String(repeating: "x", count: 100_000)) }}",
            "{{ raise_exception('e' ~ '\u{301}' * 100000) }}",
        ] {
            let error = try #require(throws: CambiumError.self) {
                try Self.text(["chat_template.jinja": source], Self.question)
            }
            #expect(error.message.unicodeScalars.count < 1100)
        }
    }

    @Test("a system message goes in front, in the place of another")
    func system() throws {
        var chat = Self.question
        chat.begin(role: "system", content: "a")
        chat.begin(role: "system", content: "b")
        #expect(chat.messages.map { $0["role"]?.string } == ["system", "user"])
        #expect(chat.messages[0]["content"] == .string("b"))
    }

    @Test("damaged files are told by name")
    func damaged() throws {
        for files in [
            ["tokenizer_config.json": "{"], ["tokenizer_config.json": #"{"chat_template": 3}"#],
            ["chat_template.jinja": "{{"],
        ] {
            let error = try #require(throws: CambiumError.self) { try Self.template(files) }
            #expect(error.code == .badTokenizer)
        }
    }
}
