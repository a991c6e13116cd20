internal import Elements

/// The longest piece that a word begins with, then the longest that its rest does, as one that begins no word (BERT's,
/// 1609.08144).
///
/// It follows the `WordPiece` model of Hugging Face's tokenizers: a word of which a part is no piece is unknown whole.
struct WordPieceModel: Sendable {
    private let heads: PieceTable
    private let tails: PieceTable
    private let unknown: UInt32
    private let longestWord: Int

    init(_ file: ModelFile) throws {
        let name = file.unknownToken ?? "[UNK]"
        guard let id = file.vocabulary.id(of: Array(name.utf8)[...]) else {
            throw CambiumError.badTokenizer(
                "the unknown token \(shown(name)) is not in the vocabulary")
        }
        unknown = id
        longestWord = file.longestWord
        let prefix = Array((file.continuingPrefix ?? "##").utf8)
        heads = PieceTable(file.vocabulary) { $0 }
        tails = PieceTable(file.vocabulary) {
            $0.starts(with: prefix) ? $0.dropFirst(prefix.count) : nil
        }
    }

    /// Appends the tokens of a word, of UTF-8.
    ///
    /// - Complexity: O(n l) for n bytes and pieces of l.
    func encode(_ word: ArraySlice<UInt8>, into ids: inout [UInt32]) {
        // Bytes that do not go on with a character.
        guard word.count(where: { $0 & 0xC0 != 0x80 }) <= longestWord else {
            return ids.append(unknown)
        }
        let before = ids.count
        var at = word.startIndex
        while at < word.endIndex {
            var found: (end: Int, id: UInt32)?
            (at == word.startIndex ? heads : tails).matches(in: word, at: at) { end, id in
                found = (end, id)
            }
            guard let found else {
                ids.removeLast(ids.count - before)
                return ids.append(unknown)
            }
            ids.append(found.id)
            at = found.end
        }
    }
}
