internal import Files
internal import KeyValue

/// Defaults that a store or a user has for what options and environment variables may say.
///
/// A text file of lines `NAME = VALUE`; `#` begins a comment. It stands in the store's folder as `config`,
/// and for a user as `cambium/config` below `XDG_CONFIG_HOME` or `~/.config`. The command line applies it,
/// in this order: option, environment variable, store, user. The library does not.
public struct Settings: Sendable {
    /// What can be set.
    public enum Name: String, Sendable, CaseIterable {
        /// Who commits, as `CAMBIUM_AUTHOR`.
        case author
        /// How long a collection lets the reflog keep commits, as `CAMBIUM_GRACE`.
        case grace
        /// How progress is shown, as `CAMBIUM_PROGRESS`.
        case progress
        /// `auto`, `always` or `never`, as `CLICOLOR_FORCE` and `NO_COLOR`.
        case color
        /// Where experts are copied rather than mapped, as `CAMBIUM_MEMORY_LIMIT`.
        case memoryLimit = "memory-limit"
        /// The program that shows long output, as `CAMBIUM_PAGER`; a user's alone, since a store may come from
        /// somebody else.
        case pager

        /// Whether a store may have it.
        public var isForStores: Bool { self != .pager }
    }

    /// The file.
    public let path: String
    /// Whether it is a user's, not a store's.
    public let isUsers: Bool
    /// What it says, by name; other names are left alone.
    public private(set) var values: [Name: String]
    private var lines: [String]

    private static let limit = 1 << 16

    /// Reads a store's settings; without a file there are none.
    ///
    /// - Throws: `io`, `usage` for a line that says nothing.
    public static func ofStore(at directory: String) throws -> Settings {
        try Settings(path: directory + "/config", isUsers: false)
    }

    /// Reads the user's settings; without a file there are none.
    ///
    /// Nil where there is no home.
    public static func ofUser() throws -> Settings? {
        let home = environmentVariable("HOME").map { $0 + "/.config" }
        guard
            let folder = environmentVariable("XDG_CONFIG_HOME").flatMap({ $0.isEmpty ? nil : $0 })
                ?? home
        else { return nil }
        return try Settings(path: folder + "/cambium/config", isUsers: true)
    }

    init(path: String, isUsers: Bool) throws {
        self.path = path
        self.isUsers = isUsers
        values = [:]
        lines = []
        guard fileExists(path) else { return }
        let bytes: [UInt8] = try readStoreFile(path, limit: Self.limit + 1)
        guard bytes.count <= Self.limit else {
            throw CambiumError(.usage, "\(path) has more than 64 KiB: no file of settings")
        }
        lines = String(decoding: bytes, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        for (index, line) in lines.enumerated() {
            let text = line.trimmed
            if text.isEmpty || text.hasPrefix("#") { continue }
            guard let sign = text.firstIndex(of: "=") else {
                throw CambiumError(
                    .usage, "\(path), line \(index + 1): write NAME = VALUE, or # in front")
            }
            // A name of a later version, or a store's that is a user's alone, is left alone.
            guard let name = Name(rawValue: String(text[..<sign]).trimmed),
                isUsers || name.isForStores
            else { continue }
            values[name] = String(text[text.index(after: sign)...]).trimmed
        }
    }

    /// Sets a value, or with nil removes it, and writes the file; other lines stay.
    ///
    /// - Throws: `usage` for a name that a store may not have, or a value of several lines; `read-only`, `io`.
    public mutating func set(_ name: Name, to value: String?) throws {
        guard isUsers || name.isForStores else {
            throw CambiumError(
                .usage,
                "\(name.rawValue) is a user's setting: what a store from somebody else says would run on "
                    + "your machine; give --user")
        }
        if let value {
            let isLine = value.unicodeScalars.allSatisfy {
                $0.value >= 32 && $0.value != 127
            }
            guard isLine, !value.trimmed.isEmpty, value.utf8.count <= 1_024 else {
                throw CambiumError(.usage, "the value of \(name.rawValue) must be one line of text")
            }
        }
        var kept = lines.filter { line in
            let text = line.trimmed
            guard !text.hasPrefix("#"), let sign = text.firstIndex(of: "=") else { return true }
            return String(text[..<sign]).trimmed != name.rawValue
        }
        if let value { kept.append("\(name.rawValue) = \(value.trimmed)") }
        try write(kept)
        lines = kept
        values[name] = value?.trimmed
    }

    private func write(_ lines: [String]) throws {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
        let new = "\(path).\(UInt64.random(in: 0 ... .max))"
        if isUsers { try makeDirectories(folder) }
        try writeStoreFile(new, Array(lines.map { $0 + "\n" }.joined().utf8))
        do {
            try replaceFile(path, with: new, in: folder.isEmpty ? "/" : folder)
        } catch {
            try? removeFile(new)
            throw error
        }
    }
}
