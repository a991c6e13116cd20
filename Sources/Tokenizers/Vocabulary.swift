internal import Elements

/// Tokens by content and by id.
struct Vocabulary: Sendable {
    private(set) var contents: ByteTable
    /// The id of each of `contents`.
    private(set) var ids: [UInt32] = []
    /// Positions + 1 in `contents` by id, 0 where there is none.
    private var indexes: [UInt32] = []

    init(capacity: Int = 0) { contents = ByteTable(capacity: capacity) }

    var count: Int { contents.count }

    /// Bytes of the longest token.
    var longest: Int { (0..<count).reduce(0) { max($0, contents[$1].count) } }

    /// One more than the greatest id.
    var bound: Int { indexes.count }

    /// Adds a token; one that is there with this id already stays as it is.
    ///
    /// - Throws: `.badTokenizer` for a content or an id that another token has, and for an id far
    ///   beyond the number of tokens, which would take memory without use.
    mutating func insert(_ content: ArraySlice<UInt8>, id: Int) throws {
        let limit = 4 * (count + 1) + (1 << 20)
        guard id >= 0, id < limit, id < Int(Int32.max) else {
            throw CambiumError.badTokenizer(
                "token \(shown(text(content))) has the id \(id); ids are 0 to \(limit - 1) here")
        }
        let (index, isNew) = contents.insert(content)
        if !isNew {
            guard ids[index] == UInt32(id) else {
                throw CambiumError.badTokenizer(
                    "token \(shown(text(content))) has the ids \(ids[index]) and \(id)")
            }
            return
        }
        if id >= indexes.count {
            indexes.append(
                contentsOf: repeatElement(0, count: id + 1 - indexes.count))
        }
        guard indexes[id] == 0 else {
            let other = text(contents[Int(indexes[id]) - 1])
            throw CambiumError.badTokenizer(
                "tokens \(shown(other)) and \(shown(text(content))) have one id, \(id)")
        }
        indexes[id] = UInt32(contents.count)
        ids.append(UInt32(id))
    }

    func id(of content: ArraySlice<UInt8>) -> UInt32? { contents.find(content).map { ids[$0] } }

    /// What a token stands for; nil when there is no such id.
    func content(of id: Int) -> ArraySlice<UInt8>? {
        guard indexes.indices.contains(id), indexes[id] != 0 else { return nil }
        return contents[Int(indexes[id]) - 1]
    }
}

func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
