internal import Elements
internal import Objects
internal import Snapshots

/// What makes a round the one that it is, wherever and how often it runs.
///
/// Its key is kept in the metadata of the round's commit. A task that is run again finds it on the remote, and so
/// knows that the round is finished.
public struct RoundIdentity: Sendable, Hashable {
    /// The commit that it starts from, by its id.
    public let base: String
    /// The branch that it ends on.
    public let branch: String
    /// What is run, word by word.
    public let command: [String]
    /// The task as JSON; nil of a round that is none of many.
    public let task: String?

    /// - Throws: `bad-name` for what cannot name a branch; `usage` without a command, or for a branch that is its
    ///   own base.
    public init(base: String, branch: String, command: [String], task: RoundTask? = nil) throws {
        try ReferenceName.check(branch, "branch")
        guard !command.isEmpty else {
            throw CambiumError(.usage, "there is no command to run; give it behind --")
        }
        self.base = base
        self.branch = branch
        self.command = command
        self.task = task?.json
    }

    private init(_ other: RoundIdentity, base: String) {
        self.base = base
        branch = other.branch
        command = other.command
        task = other.task
    }

    /// The same round from another base.
    func from(_ base: String) -> RoundIdentity { RoundIdentity(self, base: base) }

    /// The SHA-256 over base, branch, command and task, in hexadecimal (docs/rounds.md, "The key").
    public var key: String {
        ObjectID(hashing: Array("cambium round 1\n\(json)".utf8)).hex
    }

    /// What the round's commit tells of it.
    public var metadata: [String: String] {
        var metadata = [
            Self.keyName: key, Self.baseName: base, "round.command": Self.array(command),
        ]
        metadata["round.task"] = task
        return metadata
    }

    /// The name of the key in a commit's metadata.
    public static let keyName = "round.key"

    /// The name of the base in a commit's metadata.
    static let baseName = "round.base"

    /// The SHA-256 of some words, which names them together.
    public static func digest(of words: [String]) -> String {
        ObjectID(hashing: Array(array(words).utf8)).hex
    }

    private var json: String {
        "{\"base\":\(Self.text(base)),\"branch\":\(Self.text(branch)),"
            + "\"command\":\(Self.array(command)),\"task\":\(task ?? "null")}"
    }

    private static func array(_ words: [String]) -> String {
        "[" + words.map(text).joined(separator: ",") + "]"
    }

    private static func text(_ text: String) -> String {
        var bytes: [UInt8] = []
        appendJSON(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
