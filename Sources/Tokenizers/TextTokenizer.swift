internal import Elements

/// A tokenizer as Hugging Face's `tokenizer.json` describes it: text to token ids and back.
///
/// Models of the types BPE, byte-level (GPT-2, Llama 3, Qwen, OLMoE, DeepSeek, GPT-OSS, Kimi) and with
/// characters (SentencePiece's: Llama 2, Mixtral), Unigram (SentencePiece's: T5, XLM-RoBERTa) and WordPiece (BERT).
/// What a file asks for beyond that is refused when it is read. Chat templates are not part of the file.
package struct TextTokenizer: Sendable {
    fileprivate let vocabulary: Vocabulary
    private let model: WordModel
    private let normalizer: Normalizer?
    private let preTokenizer: PreTokenizer?
    private let added: AddedTokens
    private let template: SpecialTokenTemplate
    private let decoder: TokenDecoder
    /// The ids of special tokens.
    package let special: Set<Int>

    /// Words whose tokens are remembered while one text is encoded; longer ones are not.
    private static let remembered = 1 << 16
    private static let rememberedLength = 48

    /// Reads a tokenizer.json.
    ///
    /// - Throws: `.badTokenizer` for one that is damaged or lacks something, `.unsupported` for what
    ///   Cambium does not do.
    package init(json: [UInt8]) throws {
        var reader = JSONReader(json, source: "tokenizer.json", code: .badTokenizer)
        var (parts, file): ([String: JSONValue], ModelFile?) = ([:], nil)
        try reader.object { reader, key in
            guard parts[key] == nil else { throw reader.duplicate(key) }
            if key == "model" {
                parts[key] = .null
                file = try ModelFile(&reader)
            } else {
                parts[key] = try JSONValue(&reader)
            }
        }
        try reader.end()
        guard let file else { throw CambiumError.badTokenizer("it has no model") }
        try self.init(file, parts)
    }

    private init(_ file: ModelFile, _ parts: [String: JSONValue]) throws {
        normalizer = try Normalizer.read(parts["normalizer"])
        preTokenizer = try PreTokenizer.read(parts["pre_tokenizer"])
        template = try SpecialTokenTemplate.read(parts["post_processor"])
        decoder = try TokenDecoder.read(parts["decoder"])
        let tokens = try AddedTokens.read(parts["added_tokens"])
        var vocabulary = file.vocabulary
        model = try WordModel(file, isByteLevel: preTokenizer?.isByteLevel == true)
        for token in tokens { try vocabulary.insert(token.content[...], id: token.id) }
        for id in template.before + template.behind where vocabulary.content(of: id) == nil {
            throw CambiumError.badTokenizer("the template's token \(id) is not in the vocabulary")
        }
        added = try AddedTokens(tokens, normalizer)
        try decoder.check(longest: vocabulary.longest)
        special = Set(tokens.filter(\.isSpecial).map(\.id))
        self.vocabulary = vocabulary
    }

    /// One more than the greatest id.
    package var idBound: Int { vocabulary.bound }

    /// The id of a token as the file writes it; nil when there is none.
    package func id(of token: String) -> Int? {
        vocabulary.id(of: Array(token.utf8)[...]).map { Int($0) }
    }

    /// What the file's template puts in front of a text.
    package var startTokens: [Int] { template.before }

    /// The tokens of a text.
    ///
    /// - Parameter addsSpecialTokens: Whether the file's template (a token for the start, for
    ///   example) is put around them.
    /// - Throws: `.tooHard` when the file's own pattern runs away on this text, and when its own steps make many
    ///   times as much of it.
    /// - Complexity: O(n log n) in the length of the longest word, O(n) in that of the text.
    package func encode(
        _ text: String, addsSpecialTokens: Bool = true
    ) throws -> [Int] {
        var ids = addsSpecialTokens ? template.before : []
        var memory = Memory()
        var isStart = true
        var bound = TextBound(text.utf8.count)
        for piece in try added.divide(Array(text.utf8), normalizer, &bound) {
            switch piece {
            case .token(let id): ids.append(id)
            case .text(let bytes):
                var words = Words(bytes, isStart: isStart)
                try preTokenizer?.apply(&words, bound)
                try bound.take(max(0, words.bytes.count - bytes.count))
                for range in words.ranges { encode(words.bytes[range], into: &ids, &memory) }
            }
            isStart = false
        }
        if addsSpecialTokens { ids += template.behind }
        return ids
    }

    /// The tokens of the words of one text.
    private struct Memory {
        var words = ByteTable()
        /// Where the tokens of each word end.
        var ends: [Int] = []
        var tokens: [UInt32] = []
        var scratch = WordModel.Scratch()
        var fresh: [UInt32] = []
    }

    private func encode(
        _ word: ArraySlice<UInt8>, into ids: inout [Int], _ memory: inout Memory
    ) {
        if word.count <= Self.rememberedLength, memory.words.count < Self.remembered {
            let (index, isNew) = memory.words.insert(word)
            if isNew {
                model.encode(word, into: &memory.tokens, &memory.scratch)
                memory.ends.append(memory.tokens.count)
            }
            let start = index == 0 ? 0 : memory.ends[index - 1]
            for at in start..<memory.ends[index] { ids.append(Int(memory.tokens[at])) }
            return
        }
        memory.fresh.removeAll(keepingCapacity: true)
        model.encode(word, into: &memory.fresh, &memory.scratch)
        for token in memory.fresh { ids.append(Int(token)) }
    }

    /// The text of some tokens; ids that the file does not know are left out, as Hugging Face does.
    ///
    /// - Parameter skipsSpecialTokens: Whether special tokens are left out.
    package func decode(_ ids: some Sequence<Int>, skipsSpecialTokens: Bool = true) -> String {
        var stream = TokenStream(self, skipsSpecialTokens: skipsSpecialTokens)
        var bytes: [UInt8] = []
        for id in ids { bytes += stream.bytes(of: id) }
        return String(decoding: bytes + stream.rest(), as: UTF8.self)
    }

    /// A decoder at the start of a text.
    fileprivate var freshDecoder: TokenDecoder { decoder }
}

/// Decodes tokens one after the other: the parts together are what ``TextTokenizer/decode(_:skipsSpecialTokens:)``
/// makes of all.
package struct TokenStream: Sendable {
    private let tokenizer: TextTokenizer
    private let skipsSpecialTokens: Bool
    private var decoder: TokenDecoder

    package init(_ tokenizer: TextTokenizer, skipsSpecialTokens: Bool = true) {
        self.tokenizer = tokenizer
        self.skipsSpecialTokens = skipsSpecialTokens
        decoder = tokenizer.freshDecoder
    }

    /// The text that a token makes certain: none while a character is incomplete.
    package mutating func push(_ id: Int) -> String {
        String(decoding: bytes(of: id), as: UTF8.self)
    }

    /// What was held back, at the end.
    package mutating func finish() -> String { String(decoding: rest(), as: UTF8.self) }

    fileprivate mutating func bytes(of id: Int) -> [UInt8] {
        guard let content = tokenizer.vocabulary.content(of: id),
            !skipsSpecialTokens || !tokenizer.special.contains(id)
        else { return [] }
        return decoder.push(content)
    }

    fileprivate mutating func rest() -> [UInt8] { decoder.finish() }
}
