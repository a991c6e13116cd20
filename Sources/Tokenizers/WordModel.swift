internal import Elements

/// What divides a word into tokens.
enum WordModel: Sendable {
    case pairs(BytePairEncoding)
    case unigram(UnigramModel)
    case wordPiece(WordPieceModel)

    /// - Parameter isByteLevel: Whether characters of the vocabulary stand for bytes.
    /// - Throws: `.unsupported` for Unigram and WordPiece over such a vocabulary.
    init(_ file: ModelFile, isByteLevel: Bool) throws {
        guard !isByteLevel || file.kind == .pairs else {
            throw CambiumError.unsupportedTokenizer(
                "a model of the type \(file.kind.rawValue) behind ByteLevel")
        }
        switch file.kind {
        case .pairs:
            self = .pairs(
                try BytePairEncoding(
                    file, file.vocabulary, symbols: isByteLevel ? .bytes : .scalars))
        case .unigram: self = .unigram(try UnigramModel(file))
        case .wordPiece: self = .wordPiece(try WordPieceModel(file))
        }
    }

    /// Memory that the words of a text reuse.
    struct Scratch {
        fileprivate var pairs = BytePairEncoding.Scratch()
        fileprivate var unigram = UnigramModel.Scratch()
    }

    /// Appends the tokens of a word.
    func encode(_ word: ArraySlice<UInt8>, into ids: inout [UInt32], _ scratch: inout Scratch) {
        switch self {
        case .pairs(let model): model.encode(word, into: &ids, &scratch.pairs)
        case .unigram(let model): model.encode(word, into: &ids, &scratch.unigram)
        case .wordPiece(let model): model.encode(word, into: &ids)
        }
    }
}
