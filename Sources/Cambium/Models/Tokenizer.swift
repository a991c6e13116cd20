internal import Tokenizers

/// Turns text into a model's token ids and back, as a `tokenizer.json` of Hugging Face describes it.
///
/// Byte-pair encoding in its two families is supported: byte-level (GPT-2, Llama 3, Qwen, OLMoE,
/// DeepSeek, GPT-OSS) and with characters (SentencePiece's: Llama 2, Mixtral). A file that asks for
/// something else is refused when it is read. Chat templates are another matter: ``Chat``.
///
/// ```swift
/// let tokenizer = try Tokenizer(json: Array(Data(contentsOf: url)))
/// let ids = try tokenizer.encode("Once upon a time")
/// print(tokenizer.decode(ids))  // Once upon a time
/// ```
public struct Tokenizer: Sendable {
    fileprivate let tokens: TextTokenizer

    init(_ tokens: TextTokenizer) { self.tokens = tokens }

    /// Reads the bytes of a `tokenizer.json`.
    ///
    /// - Throws: `bad-tokenizer` for a file that is damaged or lacks something; `unsupported` for one
    ///   that needs what Cambium does not do, naming it.
    /// - Complexity: O(n) in the file's size; some tenths of a second for 100,000 tokens.
    public init(json: [UInt8]) throws { tokens = try TextTokenizer(json: json) }

    /// One more than the greatest token id; a model's vocabulary is at least as large.
    public var idBound: Int { tokens.idBound }

    /// The id of a token as the file writes it, for example `<|endoftext|>`; nil when there is none.
    public func id(of token: String) -> Int? { tokens.id(of: token) }

    /// The ids of a text.
    ///
    /// - Parameters:
    ///   - text: Special tokens in it, written as the file has them, become their ids.
    ///   - addsSpecialTokens: Whether the tokens that the file puts around every text, a start token
    ///     for example, are added.
    /// - Throws: `too-hard` when the file's own pattern takes too many steps on this text.
    public func encode(_ text: String, addsSpecialTokens: Bool = true) throws -> [Int] {
        try tokens.encode(text, addsSpecialTokens: addsSpecialTokens)
    }

    /// The text of some ids.
    ///
    /// - Parameters:
    ///   - ids: Those that the file does not know are left out. Bytes that are no UTF-8 become U+FFFD.
    ///   - skipsSpecialTokens: Whether special tokens are left out.
    public func decode(_ ids: [Int], skipsSpecialTokens: Bool = true) -> String {
        tokens.decode(ids, skipsSpecialTokens: skipsSpecialTokens)
    }

    /// Decodes ids as they come; the parts together are what `decode` makes of all of them.
    ///
    /// ```swift
    /// var stream = Tokenizer.Stream(tokenizer)
    /// for id in generated { print(stream.push(id), terminator: "") }
    /// print(stream.finish())
    /// ```
    public struct Stream: Sendable {
        private var stream: TokenStream

        /// Starts a text.
        public init(_ tokenizer: Tokenizer, skipsSpecialTokens: Bool = true) {
            stream = TokenStream(tokenizer.tokens, skipsSpecialTokens: skipsSpecialTokens)
        }

        /// The text that this id makes certain: empty while a character is incomplete.
        public mutating func push(_ id: Int) -> String { stream.push(id) }

        /// What was held back, at the end of the text.
        public mutating func finish() -> String { stream.finish() }
    }
}
