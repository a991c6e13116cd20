internal import Elements

/// The `model` of a tokenizer.json, of the type BPE.
struct BPEFile {
    private(set) var vocabulary = Vocabulary()
    private(set) var unknownToken: String?
    private(set) var fusesUnknown = false
    private(set) var fallsBackToBytes = false
    private(set) var ignoresMerges = false
    /// The sides of all merges, one after the other.
    private var sides: [[UInt8]] = []
    private var hasVocabulary = false

    init() {}

    /// Reads the object that comes next.
    init(_ reader: inout JSONReader) throws {
        var (file, seen) = (BPEFile(), Set<String>())
        var failure: (any Error)?
        try reader.object { reader, key in
            guard seen.insert(key).inserted else { throw reader.duplicate(key) }
            switch key {
            case "vocab":
                file.hasVocabulary = true
                if reader.next() == UInt8(ascii: "[") {
                    // A list of pieces with scores; the type may come behind it.
                    _ = try JSONValue(&reader)
                    failure =
                        failure
                        ?? CambiumError.unsupportedTokenizer(
                            "a model of the type Unigram; BPE is supported")
                    return
                }
                try reader.object { reader, token in
                    let id = try reader.wholeNumber()
                    if failure != nil { return }
                    try file.add(token, id)
                }
            case "merges":
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
        self = file
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
            guard value.string == "BPE" else {
                throw CambiumError.unsupportedTokenizer(
                    "a model of the type \(value.string ?? "?"); BPE is supported")
            }
        case "unk_token":
            if case .null = value { return }
            guard let token = value.string else {
                throw CambiumError.badTokenizer("unk_token is not a string")
            }
            unknownToken = token
        case "fuse_unk": fusesUnknown = try flag()
        case "byte_fallback": fallsBackToBytes = try flag()
        case "ignore_merges": ignoresMerges = try flag()
        case "dropout", "continuing_subword_prefix", "end_of_word_suffix":
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
