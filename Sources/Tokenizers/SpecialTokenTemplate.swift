internal import Elements

/// The tokens that are put before and behind those of a text.
struct SpecialTokenTemplate: Sendable {
    private(set) var before: [Int] = []
    private(set) var behind: [Int] = []

    /// Tokens around a text; a file may name a list of them many times.
    private static let greatestCount = 4096

    /// Reads the value of `post_processor`.
    static func read(_ value: JSONValue?) throws -> SpecialTokenTemplate {
        var template = SpecialTokenTemplate()
        guard let value, value != .null else { return template }
        switch value["type"]?.string {
        // It moves the places of tokens in the text alone.
        case "ByteLevel": break
        case "Sequence":
            for part in value["processors"]?.array ?? [] {
                let inner = try read(part)
                template.before = inner.before + template.before
                template.behind += inner.behind
                try template.check()
            }
        case "TemplateProcessing": try template.add(value)
        case "BertProcessing", "RobertaProcessing":
            template.before = [try token(value["cls"])]
            template.behind = [try token(value["sep"])]
        case let type:
            throw CambiumError.unsupportedTokenizer(
                "a post-processor of the type \(shown(type ?? "?"))")
        }
        return template
    }

    private func check() throws {
        guard before.count + behind.count <= Self.greatestCount else {
            throw CambiumError(
                .tooHard,
                "tokenizer.json: a template that puts more than \(Self.greatestCount) tokens around a text"
            )
        }
    }

    /// The id of ["token", id].
    private static func token(_ value: JSONValue?) throws -> Int {
        guard let parts = value?.array, parts.count == 2, let id = parts[1].integer,
            (0..<Int(Int32.max)).contains(id)
        else {
            throw CambiumError.badTokenizer("a post-processor whose cls or sep is no token and id")
        }
        return id
    }

    private mutating func add(_ value: JSONValue) throws {
        var hasText = false
        for part in value["single"]?.array ?? [] {
            if part["Sequence"] != nil {
                guard !hasText else {
                    throw CambiumError.badTokenizer("a template that has its text twice")
                }
                hasText = true
                continue
            }
            guard let name = part["SpecialToken"]?["id"]?.string,
                let list = value["special_tokens"]?[name]?["ids"]?.array
            else {
                throw CambiumError.badTokenizer(
                    "a template with a special token that it does not define")
            }
            for entry in list {
                guard let id = entry.integer, (0..<Int(Int32.max)).contains(id) else {
                    throw CambiumError.badTokenizer("a template's token \(shown(name)) without ids")
                }
                if hasText { behind.append(id) } else { before.append(id) }
            }
            try check()
        }
        guard hasText else { throw CambiumError.badTokenizer("a template without the text itself") }
    }
}
