import Cambium
import Testing

@testable import Serving

@Suite("requests")
struct RequestTests {
    private static func completion(_ json: String) throws -> CompletionRequest {
        try CompletionRequest(Array(json.utf8))
    }

    private static func chat(_ more: String) throws -> ChatRequest {
        try ChatRequest(
            Array(
                #"{"model": "m", "messages": [{"role": "user", "content": "Hi"}]\#(more)}"#.utf8))
    }

    @Test("for completions are read")
    func completions() throws {
        let request = try Self.completion(
            #"{"model": "main", "prompt": ["a", "b"], "n": 2, "max_tokens": 3, "stop": "x", "seed": -1, "user": "u", "logprobs": 2, "top_p": 0.5, "temperature": 0, "suffix": null}"#
        )
        #expect(request.model == "main" && request.prompts.count == 2)
        #expect(request.wishes.choices == 2 && request.wishes.count == 3)
        #expect(request.wishes.stops == [[120]] && request.wishes.seed == .max)
        #expect(request.alternatives == 2 && !request.echoes)
        for prompt in ["[1, 2]", "[[1, 2]]"] {
            let request = try Self.completion(#"{"model": "m", "prompt": \#(prompt)}"#)
            guard case .tokens([1, 2]) = request.prompts[0] else {
                Issue.record("\(prompt)")
                continue
            }
            #expect(request.prompts.count == 1 && request.wishes.count == 16)
        }
    }

    @Test(
        "that ask for what is not done, or make no sense, are refused by the field's name",
        arguments: [
            (#""foo": 1"#, "foo"), (#""logit_bias": {"1": 2}"#, "logit_bias"),
            (#""frequency_penalty": 0.5"#, "frequency_penalty"), (#""top_k": 5"#, "top_k"),
            (#""best_of": 3"#, "best_of"), (#""suffix": "x""#, "suffix"),
            (#""temperature": 3"#, "temperature"), (#""temperature": NaN"#, "temperature"),
            (#""top_p": 0"#, "top_p"), (#""n": 0"#, "n"), (#""n": 1.5"#, "n"),
            (#""max_tokens": -1"#, "max_tokens"), (#""stop": """#, "stop"),
            (#""stop": [1]"#, "stop"), (#""stream": 1"#, "stream"),
            (#""stream_options": {"include_usage": true}"#, "stream_options"),
            (#""stream": true, "stream_options": {"x": 1}"#, "stream_options.x"),
            (#""echo": true, "logprobs": 1, "stream": true"#, "echo"),
            (#""logprobs": 21"#, "logprobs"), (#""seed": "a""#, "seed"),
        ])
    func refused(_ more: String, _ field: String) {
        let error = #expect(throws: APIError.self) {
            try Self.completion(#"{"model": "m", "prompt": "p", \#(more)}"#)
        }
        #expect(error?.field == field && error?.status == 400)
    }

    @Test(
        "that are no such object are refused",
        arguments: [
            "", "x", "[]", "{}", #"{"model": 1, "prompt": "p"}"#, #"{"prompt": "p"}"#,
            #"{"model": "m"}"#, #"{"model": "m", "prompt": []}"#,
            #"{"model": "m", "prompt": [1, "a"]}"#, #"{"model": "m", "prompt": [-1]}"#,
            #"{"model": "m", "model": "m", "prompt": "p"}"#,
            String(repeating: "[", count: 100_000),
            #"{"model": "m", "prompt": "p", "metadata": "#
                + String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000) + "}",
        ])
    func malformed(_ json: String) {
        let error = #expect(throws: APIError.self) { try Self.completion(json) }
        #expect(error?.status == 400)
    }

    @Test("for conversations are read, with content in parts")
    func conversations() throws {
        let request = try Self.chat(
            #", "max_completion_tokens": 5, "logprobs": true, "top_logprobs": 2, "tools": [], "store": false, "response_format": {"type": "text"}, "reasoning_effort": "low", "chat_template_kwargs": {"a": 1}"#
        )
        #expect(request.wishes.count == 5 && request.alternatives == 2)
        let parts = try ChatRequest(
            Array(
                #"{"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}"#
                    .utf8))
        #expect(parts.chat.count == 1 && parts.wishes.count == nil)
    }

    @Test(
        "for conversations that ask for what is not done are refused by the field's name",
        arguments: [
            (#", "response_format": {"type": "json_object"}"#, "response_format"),
            (#", "tool_choice": "required""#, "tool_choice"), (#", "functions": []"#, "functions"),
            (#", "store": true"#, "store"), (#", "top_logprobs": 2"#, "top_logprobs"),
            (#", "modalities": ["audio"]"#, "modalities"), (#", "prompt": "x""#, "prompt"),
            (#", "max_tokens": 0"#, "max_tokens"), (#", "tools": {}"#, "tools"),
            (#", "documents": [1]"#, "documents"),
            (#", "chat_template_kwargs": 5"#, "chat_template_kwargs"),
            (#", "chat_template_kwargs": {"messages": 5}"#, "chat_template_kwargs"),
            (#", "reasoning_effort": 5"#, "reasoning_effort"),
        ])
    func refusedConversations(_ more: String, _ field: String) {
        let error = #expect(throws: APIError.self) { try Self.chat(more) }
        #expect(error?.field == field && error?.status == 400)
    }

    @Test("for conversations without a message, or with an image, are refused")
    func noMessages() {
        for messages in [
            "[]", "1", #"[{"content": "a"}]"#, #"[{"role": "user", "content": 5}]"#,
            #"[{"role": "user", "content": {"text": "a"}}]"#,
            #"[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]"#,
        ] {
            let error = #expect(throws: APIError.self) {
                try ChatRequest(Array(#"{"model": "m", "messages": \#(messages)}"#.utf8))
            }
            #expect(error?.field == "messages" && error?.status == 400)
        }
    }

    @Test(
        "for responses whose input is no text are refused",
        arguments: [
            ("5", "input"), ("{}", "input"), ("[]", "input"), ("[5]", nil),
            (#"[{"role": "user", "content": 5}]"#, "input.content"),
            (#"[{"role": "user", "content": [{"type": "input_image"}]}]"#, "input.content"),
        ] as [(String, String?)])
    func refusedResponses(_ input: String, _ field: String?) {
        let error = #expect(throws: APIError.self) {
            try ResponsesRequest(Array(#"{"model": "m", "input": \#(input)}"#.utf8))
        }
        #expect(error?.field == field && error?.status == 400)
    }

    @Test("blame the field that they have")
    func countFields() throws {
        #expect(
            try Self.chat(#", "max_completion_tokens": 5"#).wishes.countField
                == "max_completion_tokens")
        #expect(try Self.chat(#", "max_tokens": 5"#).wishes.countField == "max_tokens")
    }
}
