import Foundation
import Testing
import Tokenizers

/// What Hugging Face's library made of some texts (`tools/golden/tokens.py`).
struct GoldenCases: Decodable {
    struct Style: Decodable {
        let ids: [[Int]]
        let decoded: [String]
        /// Ids at random, special ones among them, and their text with these.
        let random: [[Int]]
        let randomDecoded: [String]
    }

    let texts: [String]
    let styles: [String: Style]

    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Fixtures")
    static let names = [
        "olmoe", "llama3", "o200k", "deepseek", "llama2", "mixtral", "metaspace", "unfused",
        "kimi", "xlm-roberta", "unigram-bytes", "bert", "bert-cased",
    ]

    static func load() throws -> GoldenCases {
        try JSONDecoder().decode(
            Self.self, from: Data(contentsOf: folder.appending(path: "cases.json")))
    }

    static func json(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appending(path: "\(name).json")))
    }
}

/// Whether two texts are the same scalars; `==` takes canonically equivalent ones for equal.
func areIdentical(_ one: String, _ two: String) -> Bool {
    one.unicodeScalars.elementsEqual(two.unicodeScalars)
}

@Suite("Hugging Face's tokens")
struct GoldenTests {
    @Test("are ours, and so is the text of tokens and of streams", arguments: GoldenCases.names)
    func golden(name: String) throws {
        let golden = try GoldenCases.load()
        let style = try #require(golden.styles[name])
        let tokenizer = try TextTokenizer(json: GoldenCases.json(name))
        #expect(golden.texts.count > 20 && style.ids.count == golden.texts.count)
        for (index, text) in golden.texts.enumerated() {
            let ids = try tokenizer.encode(text)
            #expect(ids == style.ids[index], "\(text.debugDescription)")
            #expect(areIdentical(tokenizer.decode(ids), style.decoded[index]), "\(text)")
            #expect(areIdentical(streamed(tokenizer, ids, true), style.decoded[index]))
        }
        for (ids, text) in zip(style.random, style.randomDecoded) {
            let ours = tokenizer.decode(ids, skipsSpecialTokens: false)
            #expect(areIdentical(ours, text), "\(ids)")
            #expect(areIdentical(streamed(tokenizer, ids, false), text))
        }
    }

    @Test("come with the template's token unless that is declined")
    func template() throws {
        let tokenizer = try TextTokenizer(json: GoldenCases.json("mixtral"))
        let start = try #require(tokenizer.id(of: "<s>"))
        let ids = try tokenizer.encode("and so")
        #expect(ids.first == start)
        #expect(try tokenizer.encode("and so", addsSpecialTokens: false) == Array(ids.dropFirst()))
        #expect(tokenizer.decode(ids) == "and so")
        #expect(tokenizer.decode(ids, skipsSpecialTokens: false) == "<s> and so")
        #expect(tokenizer.decode([start, 1 << 40, -1] + ids.dropFirst()) == "and so")
    }

    private func streamed(_ tokenizer: TextTokenizer, _ ids: [Int], _ skips: Bool) -> String {
        var stream = TokenStream(tokenizer, skipsSpecialTokens: skips)
        return ids.map { stream.push($0) }.joined() + stream.finish()
    }

    @Test("of a stream never end in the middle of a character")
    func incomplete() throws {
        let tokenizer = try TextTokenizer(json: GoldenCases.json("olmoe"))
        let ids = try tokenizer.encode("a漢😀")
        var stream = TokenStream(tokenizer)
        let parts = ids.map { stream.push($0) }
        #expect(parts.filter { !$0.isEmpty } == ["a", "漢", "😀"] && stream.finish().isEmpty)
        // The last byte does not come.
        stream = TokenStream(tokenizer)
        #expect(ids.dropLast().map { stream.push($0) }.joined() == "a漢")
        #expect(stream.finish() == "\u{FFFD}")
    }
}
