import Cambium
import Elements
import Testing

@Suite("Tasks of rounds")
struct RoundTaskTests {
    private func list(_ text: String) throws -> [RoundTask] {
        try RoundTask.list(Array(text.utf8), source: "tasks.jsonl")
    }

    @Test("fields stand for themselves in a command, and as variables")
    func object() throws {
        let tasks = try list(
            "{\"steps\": 30, \"name\": \"swahili\", \"learning-rate\":1e-5, \"warm\":true}\r\n\n"
                + "{\"name\":\"meta \\u00e9\\\"\"}")
        #expect(tasks.map(\.index) == [0, 1])
        #expect(tasks.map(\.name) == ["swahili", "meta é\""])
        #expect(
            tasks[0].json == #"{"learning-rate":1e-5,"name":"swahili","steps":30,"warm":true}"#)
        #expect(tasks[1].json == #"{"name":"meta é\""}"#)
        #expect(
            try tasks[0].filling("{name}/{steps} {learning-rate} {warm} {index}")
                == "swahili/30 1e-5 true 0")
        #expect(
            tasks[0].variables == [
                "CAMBIUM_TASK": tasks[0].json, "CAMBIUM_TASK_NAME": "swahili",
                "CAMBIUM_TASK_STEPS": "30", "CAMBIUM_TASK_LEARNING_RATE": "1e-5",
                "CAMBIUM_TASK_WARM": "true", "CAMBIUM_TASK_INDEX": "0",
            ])
    }

    @Test("arrays, single values and numbers of tasks are counted")
    func counted() throws {
        let tasks = try list("[\"a\", 7]\n\"b\"\n")
        #expect(try tasks[0].filling("{0}-{1}-{name}") == "a-7-0")
        #expect(try tasks[1].filling("{0}-{name}") == "b-1")
        #expect(tasks.map(\.json) == ["[\"a\",7]", "\"b\""])
        let numbered = try RoundTask.numbered(3)
        #expect(try numbered.map { try $0.filling("{0}{name}{index}") } == ["000", "111", "222"])
        #expect(throws: CambiumError.self) { try RoundTask.numbered(0) }
        #expect(throws: CambiumError.self) { try RoundTask.numbered(100_001) }
    }

    @Test(
        "braces of other programs stay, and doubled ones are themselves",
        arguments: [
            ("find {} ;", "find {} ;"), ("${HOME}/{name}", "${HOME}/x"), ("{{name}}", "{name}"),
            (#"{"a": 1}"#, #"{"a": 1}"#), ("{", "{"), ("{name", "{name"), ("}{{name}", "}{x"),
            ("{name}{name}", "xx"), ("a{b c}", "a{b c}"), ("{{}}", "{{}}"),
        ])
    func braces(_ text: String, _ filled: String) throws {
        #expect(try list("{\"name\":\"x\"}")[0].filling(text) == filled)
    }

    @Test("a value with braces is not filled again")
    func once() throws {
        let task = try list("{\"name\":\"x\",\"text\":\"{name}\"}")[0]
        #expect(try task.filling("{text}") == "{name}")
    }

    @Test("a field that is not there is named, and what there is")
    func missing() throws {
        let error = #expect(throws: CambiumError.self) {
            try list("{\"name\":\"x\"}")[0].filling("text/{nmae}")
        }
        #expect(error?.code == .usage)
        #expect(error?.message.contains("'nmae'") == true)
        #expect(error?.message.contains("index, name") == true)
    }

    @Test(
        "what is no task is refused, with its line",
        arguments: [
            ("{}\n{\"a\"", "bad-input", "line 2"), ("{\"a\":[1]}", "bad-input", "\"a\""),
            ("{\"a\":null}", "bad-input", "null"), ("{\"a\":{}}", "bad-input", "\"a\""),
            ("{\"a b\":1}", "bad-input", "a b"), ("{\"1\":1}", "bad-input", "digit first"),
            ("{\"\":1}", "bad-input", "cannot name"), ("{\"index\":1}", "bad-input", "index"),
            ("{\"a\":1,\"a\":2}", "duplicate-name", "a"),
            ("{\"a-b\":1,\"a_b\":2}", "duplicate-name", "CAMBIUM_TASK_A_B"),
            ("{\"name\":\"a\"}\n\n{\"name\":\"a\"}", "duplicate-name", "line 3"),
            ("{\"name\":\"1\"}\n{}", "duplicate-name", "line 2"),
            ("{\"a\":\"\\u0000\"}", "bad-input", "NUL"), ("", "bad-input", "no tasks"),
            (" \n\t\n", "bad-input", "no tasks"), ("{} {}", "bad-input", "line 1"),
            ("nul", "bad-input", "line 1"), ("{\"a\":01}", "bad-input", "line 1"),
            ("[[1]]", "bad-input", "\"0\""), ("{\"a\":\"\u{1}\"}", "bad-input", "line 1"),
        ])
    func refused(_ text: String, _ code: String, _ word: String) throws {
        let error = #expect(throws: CambiumError.self) { try list(text) }
        #expect(error?.code.rawValue == code)
        #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
    }

    @Test("bytes that are no text, and lines without an end, are refused")
    func bytes() throws {
        #expect(throws: CambiumError.self) {
            try RoundTask.list([0x22, 0xFF, 0x22], source: "t")
        }
        let long = #expect(throws: CambiumError.self) {
            try RoundTask.list(Array(repeating: 0x5B, count: 1 << 20), source: "t")
        }
        #expect(long?.code == .tooLarge)
        #expect(throws: CambiumError.self) {
            try RoundTask.list(Array(repeating: 0x5B, count: 60_000), source: "t")
        }
    }

    @Test("the key tells rounds apart by base, branch, command and task")
    func key() throws {
        let task = try list("{\"name\":\"x\"}")[0]
        let one = try RoundIdentity(base: "ab", branch: "b", command: ["a", "b"], task: task)
        #expect(one.key == "ce6c306fecec97390af3033fe1096cf079cb378849584cbd8f71280a9a883c4b")
        #expect(one.metadata["round.command"] == #"["a","b"]"#)
        #expect(one.metadata["round.task"] == #"{"name":"x"}"#)
        let others = [
            try RoundIdentity(base: "ac", branch: "b", command: ["a", "b"], task: task),
            try RoundIdentity(base: "ab", branch: "c", command: ["a", "b"], task: task),
            try RoundIdentity(base: "ab", branch: "b", command: ["a b"], task: task),
            try RoundIdentity(base: "ab", branch: "b", command: ["a", "b"]),
        ]
        #expect(Set((others + [one]).map(\.key)).count == 5)
        #expect(throws: CambiumError.self) {
            try RoundIdentity(base: "ab", branch: "b c", command: ["a"])
        }
        #expect(throws: CambiumError.self) {
            try RoundIdentity(base: "ab", branch: "b", command: [])
        }
    }
}
