internal import Elements

/// Pieces of text, of which all that a text begins with at a place are found, the shortest first.
///
/// They lie in ascending order, and each further byte of the text narrows the range of those that go on so: a quarter of a
/// million pieces take the room of their bytes and 12 bytes more each.
struct PieceTable: Sendable {
    private var bytes: [UInt8] = []
    /// Where each begins, and the end of the last.
    private var starts: [Int] = [0]
    private var ids: [UInt32] = []
    /// Where the pieces that begin with a byte begin; 257 places.
    private var firsts = [Int](repeating: 0, count: 257)

    /// - Parameter include: Whether a token is a piece, by its content.
    init(_ vocabulary: Vocabulary, where include: (ArraySlice<UInt8>) -> ArraySlice<UInt8>?) {
        var pieces: [(content: ArraySlice<UInt8>, id: UInt32)] = []
        for index in 0..<vocabulary.count {
            guard let piece = include(vocabulary.contents[index]), !piece.isEmpty else { continue }
            pieces.append((piece, vocabulary.ids[index]))
        }
        pieces.sort { $0.content.lexicographicallyPrecedes($1.content) }
        for (content, id) in pieces {
            bytes += content
            starts.append(bytes.count)
            ids.append(id)
            firsts[Int(content[content.startIndex]) + 1] += 1
        }
        for byte in 1...256 { firsts[byte] += firsts[byte - 1] }
    }

    /// Calls `body` with the end and the id of each piece that stands at a place of a text.
    ///
    /// - Complexity: O(l log n) for the longest piece of l bytes that the text goes along, of n.
    func matches(
        in text: ArraySlice<UInt8>, at start: Int, _ body: (_ end: Int, _ id: UInt32) -> Void
    ) {
        guard start < text.endIndex else { return }
        var (low, high) = (firsts[Int(text[start])], firsts[Int(text[start]) + 1])
        var (at, depth) = (start + 1, 1)
        while low < high {
            // Of those that begin so the shortest comes first.
            if starts[low + 1] - starts[low] == depth {
                body(at, ids[low])
                low += 1
            }
            guard at < text.endIndex, low < high else { return }
            let byte = text[at]
            low = bound(low, high) { bytes[starts[$0] + depth] < byte }
            high = bound(low, high) { bytes[starts[$0] + depth] == byte }
            (at, depth) = (at + 1, depth + 1)
        }
    }

    /// The first place of a range where something no longer holds.
    private func bound(_ low: Int, _ high: Int, _ holds: (Int) -> Bool) -> Int {
        var (low, high) = (low, high)
        while low < high {
            let middle = (low + high) / 2
            if holds(middle) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
