import Testing
import Tokenizers

/// SplitMix64.
struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

/// A tokenizer of the letters a to d and some merges at random, without anything else.
private struct RandomMerges {
    private(set) var tokens = ["a", "b", "c", "d"]
    private(set) var merges: [(String, String)] = []

    init(seed: UInt64, count: Int) {
        var numbers = SeededNumbers(state: seed)
        while merges.count < count {
            func token() -> String { tokens[Int.random(in: tokens.indices, using: &numbers)] }
            let pair = (token(), token())
            guard pair.0.count + pair.1.count <= 9, !merges.contains(where: { $0 == pair }) else {
                continue
            }
            merges.append(pair)
            if !tokens.contains(pair.0 + pair.1) { tokens.append(pair.0 + pair.1) }
        }
    }

    var json: [UInt8] {
        let vocabulary = tokens.enumerated().map { "\"\($1)\":\($0)" }.joined(separator: ",")
        let list = merges.map { "[\"\($0)\",\"\($1)\"]" }.joined(separator: ",")
        return Array(
            "{\"model\":{\"type\":\"BPE\",\"vocab\":{\(vocabulary)},\"merges\":[\(list)]}}".utf8)
    }

    /// The definition itself: the best pair of all merges, until there is none.
    func encode(_ word: String) -> [Int] {
        var parts = word.map(String.init)
        while true {
            let best = zip(parts, parts.dropFirst()).enumerated().compactMap { index, pair in
                merges.firstIndex { $0 == pair }.map { (rank: $0, index: index) }
            }.min { $0 < $1 }
            guard let best else { return parts.compactMap { tokens.firstIndex(of: $0) } }
            parts[best.index] += parts.remove(at: best.index + 1)
        }
    }
}

@Suite("Byte-pair encoding")
struct MergeTests {
    @Test("merges as its definition does, short words and long ones", arguments: 0..<12)
    func definition(seed: UInt64) throws {
        let random = RandomMerges(seed: seed, count: 60)
        let tokenizer = try TextTokenizer(json: random.json)
        var numbers = SeededNumbers(state: seed &+ 100)
        for length in [0, 1, 2, 5, 23, 24, 25, 26, 60, 130] {
            let word = (0..<length).map { _ in
                ["a", "b", "c", "d"][Int.random(in: 0..<4, using: &numbers)]
            }.joined()
            #expect(try tokenizer.encode(word) == random.encode(word), "seed \(seed): \(word)")
        }
    }

    @Test("keeps tokens apart that Unicode calls equivalent")
    func equivalent() throws {
        let json = """
            {"model":{"type":"BPE","vocab":{"\\u2126":0,"\\u03a9":1,"e\\u0301":2,"\\u00e9":3,"e":4,
            "\\u0301":5},"merges":[["e","\\u0301"]]}}
            """
        let tokenizer = try TextTokenizer(json: Array(json.utf8))
        #expect(try tokenizer.encode("\u{2126}\u{3A9}e\u{301}\u{E9}") == [0, 1, 2, 3])
    }

    @Test("of unknown characters leaves out, names or joins them, as the file says")
    func unknown() throws {
        func ids(_ options: String) throws -> [Int] {
            let json = """
                {"model":{"type":"BPE","vocab":{"a":0,"?":1,"<0xC3>":2,"<0xA9>":3},"merges":[]
                \(options)}}
                """
            return try TextTokenizer(json: Array(json.utf8)).encode("xyaéz")
        }
        #expect(try ids("") == [0])
        #expect(try ids(",\"unk_token\":\"?\"") == [1, 1, 0, 1, 1])
        #expect(try ids(",\"unk_token\":\"?\",\"fuse_unk\":true") == [1, 0, 1])
        #expect(try ids(",\"byte_fallback\":true") == [0, 2, 3])
        #expect(
            try ids(",\"byte_fallback\":true,\"unk_token\":\"?\",\"fuse_unk\":true")
                == [1, 0, 2, 3, 1])
    }

    @Test("of a long text without spaces takes no square of its length")
    func long() throws {
        let tokenizer = try TextTokenizer(json: RandomMerges(seed: 1, count: 60).json)
        let text = String(repeating: "abcdabdcabba", count: 4_000)
        let ids = try tokenizer.encode(text)
        #expect(ids.count < text.count && tokenizer.decode(ids).filter { $0 != " " } == text)
    }
}
