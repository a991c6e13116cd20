internal import Elements

/// The likeliest way to divide a word into pieces that have scores, log probabilities (Kudo, 1804.10959).
///
/// It follows the `Unigram` model of Hugging Face's tokenizers, token by token: of equally likely ways the one whose last
/// piece begins first, runs of unknown characters as one token.
struct UnigramModel: Sendable {
    /// What an unknown character scores below the worst piece.
    private static let penalty = 10.0

    private let pieces: PieceTable
    private let vocabulary: Vocabulary
    private let scores: [Double]
    private let unknown: UInt32
    private let unknownScore: Double
    /// The tokens `<0x00>` to `<0xFF>` with `byte_fallback`.
    private let byteTokens: ByteTokens

    init(_ file: ModelFile) throws {
        guard let id = file.unknownID, file.scores.indices.contains(id) else {
            throw CambiumError.badTokenizer(
                "a Unigram model's unk_id is \(file.unknownID.map(String.init) ?? "missing"); it names a piece of "
                    + "its vocabulary")
        }
        vocabulary = file.vocabulary
        pieces = PieceTable(vocabulary) { $0 }
        scores = file.scores
        unknown = UInt32(id)
        unknownScore = (scores.min() ?? 0) - Self.penalty
        byteTokens = ByteTokens(vocabulary, areUsed: file.fallsBackToBytes)
    }

    /// Memory that the words of a text reuse.
    struct Scratch {
        fileprivate var ends: [End] = []
        fileprivate var tokens: [Range<Int>] = []
    }

    /// The best way to a place.
    fileprivate struct End {
        var score = 0.0
        /// Where its last piece begins; -1 when no way leads here.
        var start = -1
        var id: UInt32 = 0
    }

    /// Appends the tokens of a word, of UTF-8.
    ///
    /// - Complexity: O(n l) for n bytes and pieces of l.
    func encode(_ word: ArraySlice<UInt8>, into ids: inout [UInt32], _ scratch: inout Scratch) {
        let first = word.startIndex
        scratch.ends.removeAll(keepingCapacity: true)
        scratch.ends.append(contentsOf: repeatElement(End(), count: word.count + 1))
        var at = first
        while at < word.endIndex {
            let length = min(UTF8Text.scalar(word, at).length, word.endIndex - at)
            let score = scratch.ends[at - first].score
            var isKnown = false
            pieces.matches(in: word, at: at) { end, id in
                scratch.ends[end - first].take(score + scores[Int(id)], at - first, id)
                if end - at == length { isKnown = true }
            }
            if !isKnown {
                scratch.ends[at + length - first].take(
                    score + unknownScore, at - first, unknown)
            }
            at += length
        }
        // From the end to the start.
        scratch.tokens.removeAll(keepingCapacity: true)
        var (end, unknownEnd): (Int, Int?) = (word.count, nil)
        while end > 0 {
            let node = scratch.ends[end]
            if node.id == unknown {
                unknownEnd = unknownEnd ?? end
            } else {
                if let known = unknownEnd { scratch.tokens.append(end..<known) }
                unknownEnd = nil
                scratch.tokens.append(node.start..<end)
            }
            end = node.start
        }
        if let known = unknownEnd { scratch.tokens.append(0..<known) }
        for range in scratch.tokens.reversed() {
            append(word[first + range.lowerBound..<first + range.upperBound], to: &ids)
        }
    }

    private func append(_ piece: ArraySlice<UInt8>, to ids: inout [UInt32]) {
        if let id = vocabulary.id(of: piece) {
            ids.append(id)
        } else if let bytes = byteTokens.tokens(of: piece) {
            ids.append(contentsOf: bytes)
        } else {
            ids.append(unknown)
        }
    }
}

extension UnigramModel.End {
    fileprivate mutating func take(_ score: Double, _ start: Int, _ id: UInt32) {
        guard self.start < 0 || score > self.score else { return }
        (self.score, self.start, self.id) = (score, start, id)
    }
}
