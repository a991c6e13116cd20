import Elements
import Testing
import Tokenizers

/// Words of a text as a Split pre-tokenizer makes them: each character is a token, and a word's tokens
/// merge.
private func split(
    _ text: String, by pattern: String, _ behavior: String = "Isolated", inverted: Bool = false
)
    throws -> [String]
{
    // One token for each character and for each part of the text, so that a word is one token.
    let scalars = Array(text.unicodeScalars)
    var (tokens, ids) = ([String](), Set<[UInt32]>())
    for start in scalars.indices {
        for end in start..<scalars.count
        where ids.insert(scalars[start...end].map(\.value)).inserted {
            var token = ""
            token.unicodeScalars.append(contentsOf: scalars[start...end])
            tokens.append(token)
        }
    }
    func quoted(_ text: String) -> String {
        "\"" + text.utf16.map { "\\u" + String(0x10000 + Int($0), radix: 16).dropFirst() }.joined()
            + "\""
    }
    let vocabulary = tokens.enumerated().map { "\(quoted($1)):\($0)" }.joined(separator: ",")
    let json = """
        {"pre_tokenizer":{"type":"Split","pattern":{"Regex":\(quoted(pattern))},
        "behavior":"\(behavior)","invert":\(inverted)},
        "model":{"type":"BPE","ignore_merges":true,"vocab":{\(vocabulary)},"merges":[]}}
        """
    return try TextTokenizer(json: Array(json.utf8)).encode(text).map { tokens[$0] }
}

@Suite("Split patterns")
struct PatternTests {
    @Test(
        "match as Oniguruma does",
        arguments: [
            (#"\s+(?!\S)|\s+"#, "a   b  ", ["a", "  ", " ", "b", "  "]),
            (#"\p{N}{1,3}"#, "12345678x٣", ["123", "456", "78", "x", "٣"]),
            (#"(?i:'s|'ll)|\p{L}+"#, "I'LL's'ſ", ["I", "'LL", "'s", "'ſ"]),
            (#"[^\r\n\p{L}]?\p{L}+"#, "\nab,cd", ["\n", "ab", ",cd"]),
            (#"[a-c\-\]]+"#, "ab-]cd", ["ab-]c", "d"]),
            (#"a*+a|b"#, "aaab", ["aaa", "b"]),
            (#"(?:ab)?c|a"#, "abcac", ["abc", "a", "c"]),
            (#"x(?=y)."#, "xyxz", ["xy", "xz"]),
            (#"\s+$|\s"#, " a  ", [" ", "a", "  "]),
            (#"b$|a"#, "ab\nb", ["a", "b", "\n", "b"]),
            (#"b$"#, "bb\nb", ["b", "b", "\n", "b"]),
            (#"\s+"#, "a \u{85}\u{3000}b\u{180e}c", ["a", " \u{85}\u{3000}", "b\u{180e}c"]),
            (#"[\S]+"#, "a\u{180e} b", ["a\u{180e}", " ", "b"]),
            (#"\P{L}+"#, "ab12c", ["ab", "12", "c"]),
            (#"[\p{Lu}\p{Lt}]+[\p{Ll}]*"#, "ABcǅdE", ["ABc", "ǅd", "E"]),
            (#"😀+."#, "a😀😀b", ["a", "😀😀b"]),
            (#"a{2}|a{3,}"#, "aaaaa", ["aa", "aa", "a"]),
            (#"[\p{Han}]+|[\p{L}\p{M}&&[^\p{Han}]]+"#, "ab漢字か한é。", ["ab", "漢字", "か한é", "。"]),
            (#"[a-f&&[^b-d]]{2}"#, "abaefcfa", ["ab", "ae", "fc", "fa"]),
        ])
    func matches(pattern: String, text: String, parts: [String]) throws {
        #expect(try split(text, by: pattern) == parts)
    }

    @Test(
        "give their matches the place that the file says",
        arguments: [
            ("Removed", false, ["a", "b", "c"]), ("Removed", true, ["-", "-", "-"]),
            ("Isolated", false, ["a", "-", "b", "-", "-", "c"]),
            ("MergedWithPrevious", false, ["a-", "b-", "-", "c"]),
            ("MergedWithNext", false, ["a", "-b", "-", "-c"]),
            ("Contiguous", false, ["a", "-", "b", "--", "c"]),
        ])
    func behaviors(behavior: String, inverted: Bool, parts: [String]) throws {
        #expect(try split("a-b--c", by: "-", behavior, inverted: inverted) == parts)
    }

    @Test(
        "that are not understood are refused, with the place",
        arguments: [
            "(", ")", "[a", "a**", "a+?", "*a", "^a", "\\", #"\p{Common}"#, #"\p"#, #"\w"#,
            "(?<a>b)",
            "(ab)+", "[a&&b]", "[^a&&[b]]", "[a&&[b&&[c]]]", "[a&&[b]c]", "[&&[a]]", "[a&&[b]",
            "[[:alpha:]]", "[b-a]", "a{2", "a{3,2}", "(?i:é)", "(?i:[a])",
            #"\1"#, #"\a"#, #"[\e]"#, #"\N"#, #"\y"#, #"\M-a"#, #"\o{101}"#, "(?i:ss)", "(?i:Fi)",
            "(?i:ast)",
            String(repeating: "(", count: 2_000),
        ])
    func refused(pattern: String) throws {
        let error = #expect(throws: CambiumError.self) { try split("ab", by: pattern) }
        #expect(error?.code == .unsupported && error?.message.contains("at character") == true)
    }

    @Test(
        "that run away stop with an error", .timeLimit(.minutes(2)),
        arguments: [
            String(repeating: "a*", count: 12) + "[bc]",
            String(repeating: "a?", count: 40) + "[bc]",
            String(repeating: "(?:a|a)", count: 400) + "[bc]",
            String(repeating: "a{1,8}", count: 40) + "[bc]", "a*a++[bc]|x", "(?=a*a*b)a",
            String(repeating: "(?:|)", count: 16) + "a{3900}[bd]",
            String(repeating: "(?:|)", count: 17) + String(repeating: "[ab]", count: 900) + "[cd]",
            String(repeating: "a?", count: 8) + "a{3900}[bd]",
            Array(repeating: String(repeating: "a?", count: 8) + "[bc]", count: 190)
                .joined(separator: "|"),
        ])
    func tooHard(pattern: String) throws {
        let tokenizer = try TextTokenizer(
            json: Array(
                """
                {"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\(pattern)"},"behavior":"Isolated"},
                "model":{"vocab":{"a":0},"merges":[]}}
                """.utf8))
        let error = #expect(throws: CambiumError.self) {
            try tokenizer.encode(String(repeating: "a", count: 5_000) + "xb")
        }
        #expect(error?.code == .tooHard)
    }

    @Test("that match where there is nothing are refused", arguments: ["(?=x)", "b*", "$", "a|"])
    func empty(pattern: String) throws {
        let error = #expect(throws: CambiumError.self) { try split("ab", by: pattern) }
        #expect(error?.code == .unsupported && error?.message.contains("nothing") == true)
    }

    @Test(
        "with counts above what is counted at once match as others do",
        arguments: [
            ("a{33}", 33, 33), ("a{64}", 64, 64), ("a{70}", 70, 70), ("a{33,}", 33, Int.max),
            ("a{40,45}", 40, 45), ("a{32,33}", 32, 33),
        ])
    func counts(pattern: String, least: Int, most: Int) throws {
        for length in [least - 1, least, least + 1, 90] {
            // Greedy matches one after the other; what is left of the letters stays.
            var left = length
            while left >= least { left -= min(most, left) }
            let text = String(repeating: "a", count: length) + "b"
            let parts = try split(text, by: pattern, "Removed")
            #expect(parts == [String(repeating: "a", count: left) + "b"])
        }
    }

    @Test("of a long run of spaces take few steps")
    func spaces() throws {
        let pattern = #"\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"#
        let tokenizer = try TextTokenizer(
            json: Array(
                """
                {"pre_tokenizer":{"type":"Split","pattern":{"Regex":"\(pattern)"},"behavior":"Removed"},
                "model":{"vocab":{"x":0},"merges":[]}}
                """.utf8))
        #expect(try tokenizer.encode(String(repeating: " ", count: 100_000) + "x") == [0])
    }
}
