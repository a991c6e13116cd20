internal import Elements
internal import Snapshots

/// One of many tasks that are rounds of training: the fields that stand for `{field}` in its command and branch.
public struct RoundTask: Sendable, Hashable {
    /// Its place among the tasks, from 0.
    public let index: Int
    /// The field `name`, else the number; its branch is named after it.
    public let name: String
    /// The task as one line of JSON, with sorted fields.
    public let json: String
    /// The fields as text, `name` and `index` among them; those of an array by their numbers.
    private let fields: [String: String]

    private init(_ index: Int, _ fields: [String: String], json: String) {
        self.index = index
        self.json = json
        name = fields["name"] ?? "\(index)"
        self.fields = fields.merging(["name": name, "index": "\(index)"]) { given, _ in given }
    }

    /// Tasks that differ by their number alone, which is also `{0}`.
    public static func numbered(_ count: Int) throws -> [RoundTask] {
        guard (1...mostTasks).contains(count) else {
            throw CambiumError(.usage, "\(count) tasks: give 1 to \(mostTasks)")
        }
        return (0..<count).map { RoundTask($0, ["0": "\($0)"], json: "\($0)") }
    }

    /// More are no list that anybody wrote.
    private static let mostTasks = 100_000
    /// A line becomes an environment variable, of which Linux takes 128 KiB (`execve(2)`).
    private static let longestLine = 64 << 10

    /// What tells the task to its command.
    public var variables: [String: String] {
        var variables = ["CAMBIUM_TASK": json]
        for (field, value) in fields { variables[Self.variable(of: field)] = value }
        return variables
    }

    private static func variable(of field: String) -> String {
        "CAMBIUM_TASK_" + field.uppercased().replacing("-", with: "_")
    }

    /// A text with each `{field}` replaced by the task's.
    ///
    /// `{{word}}` stands for `{word}`; `${word}`, and braces around anything else than a word, stay.
    ///
    /// - Throws: `usage` for a field that the task does not have.
    public func filling(_ text: String) throws -> String {
        var result = ""
        var rest = text[...]
        while let brace = rest.firstIndex(of: "{") {
            let isShells = rest[..<brace].hasSuffix("$")
            result += rest[..<brace]
            rest = rest[brace...]
            if let word = Self.word(rest.dropFirst()), !isShells {
                guard let value = fields[word] else {
                    throw CambiumError(
                        .usage,
                        "task \(index) has no field '\(word)' for {\(word)}: it has "
                            + fields.keys.sorted().joined(separator: ", ")
                            + "; write {{\(word)}} for these very characters")
                }
                result += value
                rest = rest.dropFirst(word.count + 2)
            } else if let word = Self.word(rest.dropFirst(2)), rest.hasPrefix("{{"), !isShells,
                rest.dropFirst(word.count + 3).hasPrefix("}")
            {
                result += "{\(word)}"
                rest = rest.dropFirst(word.count + 4)
            } else {
                result += "{"
                rest = rest.dropFirst()
            }
        }
        return result + rest
    }

    /// The word before a closing brace.
    private static func word(_ text: Substring) -> String? {
        guard let end = text.firstIndex(of: "}"), isField(text[..<end]) else { return nil }
        return String(text[..<end])
    }

    private static func isField(_ text: Substring) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

extension RoundTask {
    /// Reads tasks, one line of JSON each: an object of fields, an array (`{0}`, `{1}`), or one value (`{0}`).
    ///
    /// Values are text, numbers, true and false; numbers stay as they are written. Empty lines are skipped.
    ///
    /// - Parameters:
    ///   - bytes: The file.
    ///   - source: Its name, for messages.
    /// - Throws: `bad-input` for what is no such line, with its number; `duplicate-name` for a field given twice or two
    ///   tasks of one name; `too-large`.
    public static func list(_ bytes: [UInt8], source: String) throws -> [RoundTask] {
        var tasks: [RoundTask] = []
        var names: [String: Int] = [:]
        for (number, line) in bytes.split(
            separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false
        ).enumerated() where !line.allSatisfy({ [0x20, 0x09, 0x0D].contains($0) }) {
            let place = "\(source), line \(number + 1)"
            guard line.count <= longestLine else {
                throw CambiumError(
                    .tooLarge,
                    "\(place): \(line.count) bytes, and a task may have \(longestLine); name a file in it"
                )
            }
            guard tasks.count < mostTasks else {
                throw CambiumError(
                    .tooLarge, "\(place): more than \(mostTasks) tasks; submit them in parts")
            }
            let task = try RoundTask(reading: Array(line), index: tasks.count, place)
            if let other = names.updateValue(number + 1, forKey: task.name) {
                throw CambiumError(
                    .duplicateName,
                    "\(place): the task of line \(other) is named \(quoted(task.name)) too; each has a "
                        + "branch of its own")
            }
            tasks.append(task)
        }
        guard !tasks.isEmpty else {
            throw CambiumError(
                .badInput,
                "\(source) has no tasks; write one in a line, as in {\"name\": \"swahili\"}")
        }
        return tasks
    }

    private init(reading bytes: [UInt8], index: Int, _ place: String) throws {
        var reader = JSONReader(bytes, source: place, code: .badInput)
        var values: [(field: String, value: TaskValue)] = []
        let first = reader.next()
        switch first {
        case UInt8(ascii: "{"):
            var variables: Set<String> = []
            try reader.object { reader, field in
                try Self.check(field, reader)
                guard !values.contains(where: { $0.field == field }) else {
                    throw reader.duplicate(field)
                }
                guard variables.insert(Self.variable(of: field)).inserted else {
                    throw CambiumError(
                        .duplicateName,
                        "\(place): two fields would be the variable \(Self.variable(of: field)); name one "
                            + "of them differently")
                }
                values.append((field, try TaskValue(&reader, field)))
            }
        case UInt8(ascii: "["):
            try reader.array { reader in
                values.append(("\(values.count)", try TaskValue(&reader, "\(values.count)")))
            }
        default: values.append(("0", try TaskValue(&reader, "0")))
        }
        try reader.end()
        let sorted = values.sorted { $0.field.utf8.lexicographicallyPrecedes($1.field.utf8) }
        let json =
            switch first {
            case UInt8(ascii: "{"):
                "{" + sorted.map { "\"\($0.field)\":\($0.value.json)" }.joined(separator: ",") + "}"
            case UInt8(ascii: "["): "[" + values.map(\.value.json).joined(separator: ",") + "]"
            default: values[0].value.json
            }
        self.init(
            index, Dictionary(values.map { ($0.field, $0.value.text) }, uniquingKeysWith: { $1 }),
            json: json)
    }

    private static func check(_ field: String, _ reader: JSONReader) throws {
        guard isField(field[...]), field.utf8.first.map({ !(48...57).contains($0) }) == true else {
            throw reader.fault(
                "\(quoted(field)) cannot name a field: use letters, digits, - and _, at most 64, not a "
                    + "digit first")
        }
        guard field != "index" else {
            throw reader.fault("the field index is the task's number by itself; take another name")
        }
    }
}

/// A value of a task: as its text, and as JSON.
private struct TaskValue {
    let text: String
    let json: String

    init(_ reader: inout JSONReader, _ field: String) throws {
        switch reader.next() {
        case UInt8(ascii: "\""):
            text = try reader.string()
            guard !text.utf8.contains(0) else {
                throw reader.fault("field \(quoted(field)) has a NUL, which no argument can have")
            }
            var bytes: [UInt8] = []
            appendJSON(text, to: &bytes)
            json = String(decoding: bytes, as: UTF8.self)
        case UInt8(ascii: "{"), UInt8(ascii: "["):
            throw reader.fault("field \(quoted(field)) is not text, a number, true or false")
        default:
            if reader.takeWord("null") {
                throw reader.fault("field \(quoted(field)) is null; leave it out")
            }
            text =
                if reader.takeWord("true") {
                    "true"
                } else if reader.takeWord("false") {
                    "false"
                } else {
                    try reader.numberText()
                }
            json = text
        }
    }
}
