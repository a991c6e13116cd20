import Cambium
import Testing

@Suite("A tokenizer")
struct TokenizerTests {
    private let json = """
        {"added_tokens":[{"id":3,"content":"<end>","special":true}],
        "decoder":{"type":"ByteLevel"},"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
        "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"\u{C3}":4,"\u{A9}":5},"merges":["a b"]}}
        """

    @Test("encodes, decodes and streams text")
    func roundTrip() throws {
        let tokenizer = try Tokenizer(json: Array(json.utf8))
        let ids = try tokenizer.encode("abaé<end>")
        #expect(ids == [2, 0, 4, 5, 3] && tokenizer.idBound == 6)
        #expect(tokenizer.id(of: "<end>") == 3 && tokenizer.id(of: "c") == nil)
        #expect(tokenizer.decode(ids) == "abaé")
        #expect(tokenizer.decode(ids, skipsSpecialTokens: false) == "abaé<end>")
        var stream = Tokenizer.Stream(tokenizer)
        #expect(ids.map { stream.push($0) } == ["ab", "a", "", "é", ""] && stream.finish() == "")
    }

    @Test("of a damaged or foreign file is refused with a code")
    func refused() {
        for (text, code) in [
            ("{}", "bad-tokenizer"), ("{\"model\":{\"type\":\"WordLevel\"}}", "unsupported"),
        ] {
            let error = #expect(throws: CambiumError.self) { try Tokenizer(json: Array(text.utf8)) }
            #expect(error?.code.rawValue == code)
        }
    }
}
