import Elements
import Testing
import Tokenizers

@Suite("Tokenizer files that make much of a little")
struct TextBoundTests {
    private static func json(_ parts: String, vocabulary: String = #"{"a":0,"b":1}"#) -> [UInt8] {
        Array("{\(parts),\"model\":{\"vocab\":\(vocabulary)}}".utf8)
    }

    private static func replace(_ old: String, _ new: String) -> String {
        #"{"type":"Replace","pattern":{"String":"\#(old)"},"content":"\#(new)"}"#
    }

    private static func sequence(_ name: String, _ list: String, _ steps: [String]) -> String {
        "\"\(name)\":{\"type\":\"Sequence\",\"\(list)\":[\(steps.joined(separator: ","))]}"
    }

    private static let ten = String(repeating: "a", count: 10)
    private static let tens = Array(repeating: replace("a", ten), count: 12)
    /// Each pair of steps makes about twice as many words.
    private static let marks = (0..<60).map {
        #"{"type":"Metaspace","replacement":"\#($0 % 2 == 0 ? " " : "b")","prepend_scheme":"always"}"#
    }

    @Test(
        "are stopped before the text is there",
        arguments: [
            sequence("normalizer", "normalizers", tens),
            sequence(
                "normalizer", "normalizers",
                Array(
                    repeating:
                        #"{"type":"Replace","pattern":{"Regex":"a"},"content":"\#(ten)"}"#,
                    count: 12)),
            #""normalizer":{"type":"Prepend","prepend":"\#(String(repeating: "a", count: 2 << 20))"}"#,
            #""normalizer":\#(replace("a", String(repeating: "a", count: 1 << 19)))"#,
            sequence("pre_tokenizer", "pretokenizers", marks),
        ])
    func grown(_ parts: String) throws {
        let tokenizer = try TextTokenizer(json: Self.json(parts))
        let error = try #require(throws: CambiumError.self) { try tokenizer.encode("aaaa") }
        #expect(error.code == .tooHard, "\(error)")
    }

    @Test("are stopped when many pieces between tokens grow, each of them a little")
    func pieces() throws {
        let tokenizer = try TextTokenizer(
            json: Self.json(
                #""added_tokens":[{"id":1,"content":"b","normalized":false}],"normalizer":"#
                    + Self.replace("a", String(repeating: "a", count: 1 << 16))))
        let text = String(repeating: "ab", count: 100)
        let error = try #require(throws: CambiumError.self) { try tokenizer.encode(text) }
        #expect(error.code == .tooHard)
        #expect(try tokenizer.encode("aba").count == 1 << 17 | 1)
    }

    @Test(
        "are refused when they are read, where no text is needed to see it",
        arguments: [
            sequence("decoder", "decoders", tens),
            sequence(
                "normalizer", "normalizers", Array(repeating: #"{"type":"NFC"}"#, count: 300)),
            sequence(
                "pre_tokenizer", "pretokenizers",
                Array(repeating: #"{"type":"Digits"}"#, count: 300)),
            sequence(
                "decoder", "decoders", Array(repeating: #"{"type":"ByteFallback"}"#, count: 300)),
            // A special token whose content the normalizer makes long.
            sequence("normalizer", "normalizers", tens)
                + #","added_tokens":[{"id":2,"content":"aaa"}]"#,
            #""post_processor":{"type":"TemplateProcessing","special_tokens":{"a":{"ids":[\#(Array(repeating: "0", count: 999).joined(separator: ","))]}},"single":[\#(Array(repeating: #"{"SpecialToken":{"id":"a"}}"#, count: 999).joined(separator: ",")),{"Sequence":{"id":"A"}}]}"#,
        ])
    func refused(_ parts: String) throws {
        let error = try #require(throws: CambiumError.self) {
            try TextTokenizer(json: Self.json(parts))
        }
        #expect(error.code == .tooHard, "\(error)")
    }

    @Test("are read where a text grows as much as published ones let it")
    func usual() throws {
        let tokenizer = try TextTokenizer(
            json: Self.json(
                sequence: [
                    Self.replace("a", "bbbbbbbbbbbbbbbb"), #"{"type":"Prepend","prepend":"b"}"#,
                ]))
        #expect(try tokenizer.encode(String(repeating: "a", count: 100_000)).count == 1_600_001)
    }

    @Test("whose pattern nearly fits everywhere take no longer for that", .timeLimit(.minutes(1)))
    func nearly() throws {
        let near = String(repeating: "a", count: 1 << 15)
        let tokenizer = try TextTokenizer(
            json: Self.json("\"normalizer\":" + Self.replace(near + "b", "b")))
        let text = String(repeating: "a", count: 1 << 17)
        #expect(try tokenizer.encode(text).count == 1 << 17)
        #expect(try tokenizer.encode(text + "b").last == 1)
        #expect(try tokenizer.encode(text + "b").count == (1 << 17) - (1 << 15) + 1)
    }

    @Test("that strip as many characters as there are numbers end at once", .timeLimit(.minutes(1)))
    func stripped() throws {
        let strip =
            #"{"type":"Strip","content":"a","start":9223372036854775807,"stop":9223372036854775807}"#
        for decoder in [strip, #"{"type":"Sequence","decoders":[{"type":"Fuse"},\#(strip)]}"#] {
            let tokenizer = try TextTokenizer(json: Self.json("\"decoder\":\(decoder)"))
            #expect(tokenizer.decode([0, 0, 1, 0]).allSatisfy { $0 == "b" })
        }
    }

    @Test("a WordPiece of an older file, which names no type, is one")
    func olderWordPiece() throws {
        let model =
            ###"{"model":{"unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":100,"vocab":{"[UNK]":0,"ab":1,"##c":2}}}"###
        let tokenizer = try TextTokenizer(json: Array(model.utf8))
        #expect(try tokenizer.encode("abc") == [1, 2])
        #expect(try tokenizer.encode("abd") == [0])
        let none = model.replacing(":100,", with: ":0,")
        #expect(try TextTokenizer(json: Array(none.utf8)).encode("abc") == [0])
    }
}

extension TextBoundTests {
    private static func json(sequence steps: [String]) -> [UInt8] {
        json(sequence("normalizer", "normalizers", steps))
    }
}
