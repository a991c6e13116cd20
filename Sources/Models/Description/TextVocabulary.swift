package import Architectures
package import Elements
internal import Objects
package import Snapshots
internal import Synchronization
package import Templates
package import Tokenizers

/// How a model's tokens are spelled: as bytes, or by the tokenizer.json that was committed with it, which is read
/// when it is first asked for.
package final class TextVocabulary: Sendable {
    private let snapshot: MappedSnapshot
    private let description: ModelDescription
    private let read = Mutex<SharedTokenizer?>(nil)

    package init(_ snapshot: MappedSnapshot, _ description: ModelDescription) {
        self.snapshot = snapshot
        self.description = description
    }

    /// Nil where tokens are bytes and where no tokenizer was committed.
    package func tokenizer() throws -> TextTokenizer? {
        guard !description.readsBytes else { return nil }
        return try read.withLock { read in
            if let read { return read.tokenizer }
            guard let id = snapshot.tree.files[Self.fileName] else { return nil }
            let shared = try SharedTokenizer.of(id) {
                try snapshot.file(Self.fileName).map { try TextTokenizer(json: $0) }
            }
            read = shared
            return shared?.tokenizer
        }
    }

    private static let fileName = "tokenizer.json"

    /// The tokens of a text.
    ///
    /// - Parameter addsSpecialTokens: Whether the tokens that the tokenizer puts around a text are added.
    /// - Throws: `unsupported` for a vocabulary of other than 256 tokens without a tokenizer; `bad-tokenizer`,
    ///   `too-hard`.
    package func tokens(of text: [UInt8], addsSpecialTokens: Bool) throws -> [Int] {
        if let tokenizer = try tokenizer() {
            let ids = try tokenizer.encode(
                String(decoding: text, as: UTF8.self), addsSpecialTokens: addsSpecialTokens)
            guard let foreign = ids.first(where: { $0 >= description.vocabularySize }) else {
                return ids
            }
            throw CambiumError(
                .badTokenizer,
                "the tokenizer.json of \(snapshot.id.short) is not this model's: it gives token \(foreign), and the "
                    + "model knows 0 to \(description.vocabularySize - 1); commit the checkpoint with its own"
            )
        }
        try checkBytes()
        return text.map { Int($0) }
    }

    /// The tokens of a text that is read part by part where they are bytes, and else at once.
    ///
    /// - Throws: As ``tokens(of:addsSpecialTokens:)``; what reading throws.
    package func tokens(of text: TextSource) throws -> TokenSource {
        guard try tokenizer() == nil else {
            return .tokens(
                try tokens(of: text.bytes(0..<text.count), addsSpecialTokens: false))
        }
        try checkBytes()
        return .bytes(text)
    }

    /// The chat template that was committed with the model; nil where there is none.
    ///
    /// - Throws: As `ChatTemplate.init`.
    package func chatTemplate() throws -> ChatTemplate? {
        try ChatTemplate { try snapshot.file($0) }
    }

    /// Whether answers come in channels, between tokens of their own (GPT-OSS).
    package func hasChannels() throws -> Bool {
        guard let tokenizer = try tokenizer() else { return false }
        return ["<|channel|>", "<|message|>"].allSatisfy { tokenizer.id(of: $0) != nil }
    }

    /// What spells the tokens of a text.
    ///
    /// - Parameter skipsSpecialTokens: Whether special tokens are left out.
    /// - Throws: As ``tokens(of:addsSpecialTokens:)``.
    package func speller(
        skipsSpecialTokens: Bool = true
    ) throws -> @Sendable () -> any TokenSpeller {
        if let tokenizer = try tokenizer() {
            return {
                StreamSpeller(
                    stream: TokenStream(tokenizer, skipsSpecialTokens: skipsSpecialTokens))
            }
        }
        try checkBytes()
        return { ByteSpeller() }
    }

    private func checkBytes() throws {
        guard description.vocabularySize == 256 else {
            throw CambiumError(
                .unsupported,
                "\(snapshot.id.short) has no tokenizer.json to make tokens of text; put it beside the "
                    + "checkpoint and commit it with the model")
        }
    }
}

/// A tokenizer that all models whose file is the same share, as long as one of them is there.
private final class SharedTokenizer: Sendable {
    private struct Known {
        weak var shared: SharedTokenizer?
    }

    let tokenizer: TextTokenizer
    private static let known = Mutex<[ObjectID: Known]>([:])

    private init(_ tokenizer: TextTokenizer) { self.tokenizer = tokenizer }

    /// - Parameters:
    ///   - id: The file's.
    ///   - read: Reads it; nil for none.
    static func of(
        _ id: ObjectID, _ read: () throws -> TextTokenizer?
    ) throws -> SharedTokenizer? {
        if let found = known.withLock({ $0[id]?.shared }) { return found }
        guard let tokenizer = try read() else { return nil }
        return known.withLock { known in
            // Another thread may have read it meanwhile.
            if let found = known[id]?.shared { return found }
            let shared = SharedTokenizer(tokenizer)
            known = known.filter { $0.value.shared != nil }
            known[id] = Known(shared: shared)
            return shared
        }
    }
}

/// The tokens of a text, of which any part can be read.
package enum TokenSource: Sendable {
    case bytes(TextSource)
    case tokens([Int])

    package var count: Int {
        switch self {
        case .bytes(let text): text.count
        case .tokens(let tokens): tokens.count
        }
    }

    /// Some of them, as they are read.
    package func part(_ range: Range<Int>) throws -> [Int] {
        switch self {
        case .bytes(let text): try text.bytes(range).map { Int($0) }
        case .tokens(let tokens): Array(tokens[range])
        }
    }
}

/// Tokens as a tokenizer decodes them.
private struct StreamSpeller: TokenSpeller {
    var stream: TokenStream

    mutating func append(_ token: Int, to text: inout [UInt8]) {
        text.append(contentsOf: stream.push(token).utf8)
    }

    mutating func finish(_ text: inout [UInt8]) {
        text.append(contentsOf: stream.finish().utf8)
    }
}
