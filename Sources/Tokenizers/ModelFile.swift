internal import Elements

/// The `model` of a tokenizer.json.
struct ModelFile {
    /// The types that are known.
    enum Kind: String {
        case pairs = "BPE"
        case unigram = "Unigram"
        case wordPiece = "WordPiece"
    }

    /// What the file says; nil when it says nothing.
    private var stated: Kind?
    private(set) var vocabulary = Vocabulary()
    /// Of Unigram, by id.
    private(set) var scores: [Double] = []
    private(set) var unknownID: Int?
    /// Of WordPiece, before pieces that begin no word.
    private(set) var continuingPrefix: String?
    private(set) var longestWord = 100
    private(set) var unknownToken: String?
    private(set) var fusesUnknown = false
    private(set) var fallsBackToBytes = false
    private(set) var ignoresMerges = false
    /// The sides of all merges, one after the other.
    private var sides: [[UInt8]] = []
    private var hasVocabulary = false
    /// Whether there is a list of merges, and a bound of words.
    private var hasMerges = false
    private var hasLongestWord = false

    init() {}

    /// Reads the object that comes next.
    init(_ reader: inout JSONReader) throws {
        var (file, seen) = (ModelFile(), Set<String>())
        var failure: (any Error)?
        try reader.object { reader, key in
            guard seen.insert(key).inserted else { throw reader.duplicate(key) }
            switch key {
            case "vocab":
                file.hasVocabulary = true
                if reader.next() == UInt8(ascii: "[") {
                    return try reader.array { reader in
                        let piece = try JSONValue(&reader)
                        do { try file.add(piece) } catch { failure = failure ?? error }
                    }
                }
                try reader.object { reader, token in
                    let id = try reader.wholeNumber()
                    if failure != nil { return }
                    try file.add(token, id)
                }
            case "merges":
                file.hasMerges = true
                try reader.array { reader in
                    try file.addMerge(&reader)
                }
            default:
                let value = try JSONValue(&reader)
                do { try file.set(key, value) } catch {
                    failure = failure ?? error
                }
            }
        }
        if let failure { throw failure }
        guard file.hasVocabulary, file.vocabulary.count > 0 else {
            throw CambiumError.badTokenizer("the model has no vocabulary")
        }
        guard (file.kind == .unigram) == !file.scores.isEmpty else {
            throw CambiumError.badTokenizer(
                "the vocabulary of a model of the type \(file.kind.rawValue) is "
                    + (file.scores.isEmpty ? "no list of pieces with scores" : "a list"))
        }
        guard file.kind == .wordPiece || (file.continuingPrefix ?? "").isEmpty else {
            throw CambiumError.unsupportedTokenizer(
                "the model's continuing_subword_prefix; it must be null")
        }
        self = file
    }

    /// Of a file without a type, as older ones are, what has the parts of one.
    var kind: Kind {
        if let stated { return stated }
        guard scores.isEmpty else { return .unigram }
        return !hasMerges && hasLongestWord && continuingPrefix != nil ? .wordPiece : .pairs
    }

    /// Reads ["piece", score].
    private mutating func add(_ piece: JSONValue) throws {
        guard let parts = piece.array, parts.count == 2, let content = parts[0].string,
            let score = parts[1].number, score.isFinite
        else {
            throw CambiumError.badTokenizer(
                "piece \(scores.count) of the vocabulary is not a text and a score")
        }
        try add(content, scores.count)
        scores.append(score)
    }

    private mutating func add(_ token: String, _ id: Int) throws {
        let content = Array(token.utf8)
        guard vocabulary.contents.find(content[...]) == nil else {
            throw CambiumError.badTokenizer("the vocabulary has \(shown(token)) twice")
        }
        try vocabulary.insert(content[...], id: id)
    }

    /// Reads ["left", "right"], or the older "left right".
    private mutating func addMerge(_ reader: inout JSONReader) throws {
        var parts: [[UInt8]] = []
        if reader.next() == UInt8(ascii: "[") {
            try reader.array { reader in
                parts.append(Array(try reader.string().utf8))
            }
        } else {
            let line = try reader.string()
            if line.hasPrefix("#version") { return }
            parts = line.utf8.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
                .map { Array($0) }
        }
        guard parts.count == 2 else {
            throw reader.fault("merge \(sides.count / 2) does not have two sides")
        }
        sides += parts
    }

    private mutating func set(_ key: String, _ value: JSONValue) throws {
        func flag() throws -> Bool {
            if case .null = value { return false }
            guard let flag = value.bool else {
                throw CambiumError.badTokenizer("the model's \(key) is not a boolean")
            }
            return flag
        }
        switch key {
        case "type":
            guard let kind = value.string.flatMap(Kind.init) else {
                throw CambiumError.unsupportedTokenizer(
                    "a model of the type \(shown(value.string ?? "?")); BPE, Unigram and WordPiece are supported"
                )
            }
            stated = kind
        case "unk_token":
            if case .null = value { return }
            guard let token = value.string else {
                throw CambiumError.badTokenizer("unk_token is not a string")
            }
            unknownToken = token
        case "fuse_unk": fusesUnknown = try flag()
        case "byte_fallback": fallsBackToBytes = try flag()
        case "ignore_merges": ignoresMerges = try flag()
        case "unk_id":
            if case .null = value { return }
            guard let id = value.integer else {
                throw CambiumError.badTokenizer("unk_id is not a whole number")
            }
            unknownID = id
        case "continuing_subword_prefix":
            if case .null = value { return }
            guard let prefix = value.string else {
                throw CambiumError.badTokenizer("continuing_subword_prefix is not a string")
            }
            continuingPrefix = prefix
        case "max_input_chars_per_word":
            guard let most = value.integer, most >= 0 else {
                throw CambiumError.badTokenizer(
                    "max_input_chars_per_word is not a whole number of at least 0")
            }
            longestWord = most
            hasLongestWord = true
        case "dropout", "end_of_word_suffix", "alpha", "nbest_size":
            switch value {
            case .null, .string(""), .integer(0), .number(0): return
            default: throw CambiumError.unsupportedTokenizer("the model's \(key); it must be null")
            }
        default: return
        }
    }

    /// The merges by the ids of their sides.
    ///
    /// - Throws: `.badTokenizer` when a side, or what two sides become, is no token.
    func mergeTable(_ vocabulary: Vocabulary) throws -> MergeTable {
        var table = MergeTable(capacity: sides.count / 2)
        for rank in 0..<sides.count / 2 {
            let (left, right) = (sides[2 * rank], sides[2 * rank + 1])
            var found: [UInt32] = []
            for content in [left, right, left + right] {
                guard let id = vocabulary.id(of: content[...]) else {
                    throw CambiumError.badTokenizer(
                        "merge \(rank) needs the token \(shown(text(content[...]))), which is missing"
                    )
                }
                found.append(id)
            }
            table.insert(
                found[0], found[1], MergeTable.Merge(rank: UInt32(rank), token: found[2]))
        }
        return table
    }
}
