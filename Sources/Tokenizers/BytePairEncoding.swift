internal import Elements
internal import HeapModule

/// Byte-pair encoding (Sennrich et al., 1508.07909) of one word at a time: as long as two neighbours
/// are a pair that merges, those of the lowest rank do, of equal ones the first.
///
/// It follows the `BPE` model of Hugging Face's tokenizers, token by token.
struct BytePairEncoding: Sendable {
    /// What a word is divided into at first.
    enum Symbols: Sendable { case bytes, scalars }

    let symbols: Symbols
    /// The words as they come from the text: bytes for byte-level vocabularies.
    private let words: Vocabulary
    private let merges: MergeTable
    /// Whether a word that is a token is one, whatever its merges make of it.
    private let ignoresMerges: Bool
    private let unknown: UInt32?
    private let fusesUnknown: Bool
    /// The tokens `<0x00>` to `<0xFF>` with `byte_fallback`.
    private let byteTokens: ByteTokens
    /// Tokens of single bytes below 0x80 (of all bytes, when these are the symbols); -1 for none.
    private let singles: [Int64]

    /// - Parameter vocabulary: By contents as the file has them.
    init(
        _ model: ModelFile, _ vocabulary: Vocabulary, symbols: Symbols
    ) throws {
        self.symbols = symbols
        merges = try model.mergeTable(vocabulary)
        ignoresMerges = model.ignoresMerges
        fusesUnknown = model.fusesUnknown
        unknown = try model.unknownToken.map { token in
            guard let id = vocabulary.id(of: Array(token.utf8)[...]) else {
                throw CambiumError.badTokenizer(
                    "the unknown token \(shown(token)) is not in the vocabulary")
            }
            return id
        }
        byteTokens = ByteTokens(vocabulary, areUsed: model.fallsBackToBytes)
        var words = vocabulary
        if symbols == .bytes {
            words = Vocabulary(capacity: vocabulary.count)
            for index in 0..<vocabulary.count {
                guard let bytes = ByteAlphabet.bytes(of: vocabulary.contents[index]) else {
                    continue
                }
                try words.insert(bytes[...], id: Int(vocabulary.ids[index]))
            }
        }
        self.words = words
        singles = (0..<(symbols == .bytes ? 256 : 128)).map { byte in
            words.id(of: [UInt8(byte)][...]).map { Int64($0) } ?? -1
        }
    }

    /// Memory that the words of a text reuse.
    struct Scratch {
        fileprivate var tokens: [UInt32] = []
        fileprivate var merges: [MergeTable.Merge?] = []
        fileprivate var next: [Int32] = []
        fileprivate var previous: [Int32] = []
        fileprivate var queue = Heap<WaitingMerge>()
    }

    /// Appends the tokens of a word.
    ///
    /// - Complexity: O(n log n) in the word's length.
    func encode(_ word: ArraySlice<UInt8>, into ids: inout [UInt32], _ scratch: inout Scratch) {
        if word.isEmpty { return }
        if ignoresMerges, let id = words.id(of: word) { return ids.append(id) }
        scratch.tokens.removeAll(keepingCapacity: true)
        divide(word, into: &scratch.tokens)
        if scratch.tokens.count <= 24 { mergeFew(&scratch) } else { mergeMany(&scratch) }
        ids.append(contentsOf: scratch.tokens)
    }

    /// The tokens of a word's symbols.
    private func divide(_ word: ArraySlice<UInt8>, into tokens: inout [UInt32]) {
        var at = word.startIndex
        // An unknown token waits for the next known one, so that neighbours can become one.
        var pending: UInt32?
        while at < word.endIndex {
            let length = symbols == .bytes ? 1 : UTF8Text.scalar(word, at).length
            let symbol = word[at..<min(at + length, word.endIndex)]
            at = symbol.endIndex
            let token =
                length == 1 && Int(word[symbol.startIndex]) < singles.count
                ? singles[Int(word[symbol.startIndex])]
                : words.id(of: symbol).map { Int64($0) } ?? -1
            if token >= 0 {
                if let id = pending { tokens.append(id) }
                pending = nil
                tokens.append(UInt32(token))
            } else if let bytes = fallback(symbol) {
                tokens.append(contentsOf: bytes)
            } else if let unknown {
                if let id = pending, !fusesUnknown { tokens.append(id) }
                pending = unknown
            }
        }
        if let id = pending { tokens.append(id) }
    }

    private func fallback(_ symbol: ArraySlice<UInt8>) -> [UInt32]? {
        // Of byte-level words a symbol is the character that stands for the byte.
        symbols == .bytes
            ? byteTokens.tokens(of: ByteAlphabet.characters(of: symbol))
            : byteTokens.tokens(of: symbol)
    }

    /// Looks at every pair for every merge: fastest for short words.
    private func mergeFew(_ scratch: inout Scratch) {
        scratch.merges.removeAll(keepingCapacity: true)
        for index in scratch.tokens.indices.dropLast() {
            scratch.merges.append(
                merges.find(scratch.tokens[index], scratch.tokens[index + 1]))
        }
        while true {
            var (best, rank) = (-1, UInt32.max)
            for (index, merge) in scratch.merges.enumerated() {
                if let merge, merge.rank < rank || best < 0 { (best, rank) = (index, merge.rank) }
            }
            guard best >= 0, let merge = scratch.merges[best] else { return }
            scratch.tokens[best] = merge.token
            scratch.tokens.remove(at: best + 1)
            scratch.merges.remove(at: best)
            if best < scratch.merges.count {
                scratch.merges[best] = merges.find(
                    scratch.tokens[best], scratch.tokens[best + 1])
            }
            if best > 0 {
                scratch.merges[best - 1] = merges.find(
                    scratch.tokens[best - 1], scratch.tokens[best])
            }
        }
    }

    /// Keeps the merges in a queue and the symbols in a list.
    private func mergeMany(_ scratch: inout Scratch) {
        let count = scratch.tokens.count
        scratch.next = (1...count).map { $0 == count ? -1 : Int32($0) }
        scratch.previous = (0..<count).map { Int32($0) - 1 }
        var isGone = [Bool](repeating: false, count: count)
        for index in 0..<count - 1 {
            guard let merge = merges.find(scratch.tokens[index], scratch.tokens[index + 1])
            else { continue }
            scratch.queue.insert(WaitingMerge(merge, at: index))
        }
        while let first = scratch.queue.popMin() {
            let (position, token) = (first.position, first.token)
            let right = Int(scratch.next[position])
            if isGone[position] || right < 0 { continue }
            // A pair that has changed since is another one, or none.
            let now = merges.find(scratch.tokens[position], scratch.tokens[right])
            guard now?.token == token else { continue }
            scratch.tokens[position] = token
            isGone[right] = true
            let after = scratch.next[right]
            scratch.next[position] = after
            if after >= 0 {
                scratch.previous[Int(after)] = Int32(position)
                if let merge = merges.find(token, scratch.tokens[Int(after)]) {
                    scratch.queue.insert(WaitingMerge(merge, at: position))
                }
            }
            let before = Int(scratch.previous[position])
            if before >= 0, let merge = merges.find(scratch.tokens[before], token) {
                scratch.queue.insert(WaitingMerge(merge, at: before))
            }
        }
        var kept = 0
        for index in 0..<count where !isGone[index] {
            scratch.tokens[kept] = scratch.tokens[index]
            kept += 1
        }
        scratch.tokens.removeLast(count - kept)
    }
}

/// Merges that wait, the lowest rank first, of equal ones the first position.
private struct WaitingMerge: Comparable {
    /// Rank, then position.
    let key: UInt64
    let token: UInt32

    init(_ merge: MergeTable.Merge, at position: Int) {
        (key, token) = (UInt64(merge.rank) << 32 | UInt64(position), merge.token)
    }

    var position: Int { Int(UInt32(truncatingIfNeeded: key)) }

    static func < (left: Self, right: Self) -> Bool { left.key < right.key }
}
