internal import Elements

/// A text file of lines `NAME = VALUE`; `#` begins a comment.
package struct SettingsFile: Sendable {
    package let path: String
    /// What it says, by name.
    package private(set) var values: [String: String] = [:]
    private var lines: [String] = []

    private static let limit = 1 << 16

    /// Reads a file; one that is not there says nothing.
    ///
    /// - Throws: `io`, `usage` for a line that says nothing.
    package init(_ path: String) throws {
        self.path = path
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
            values[Self.name(text, sign)] = String(text[text.index(after: sign)...]).trimmed
        }
    }

    private static func name(_ text: String, _ sign: String.Index) -> String {
        String(text[..<sign]).trimmed
    }

    /// Sets a value, or with nil removes it, and writes the file; other lines stay.
    ///
    /// - Parameter makesFolder: Whether the folder is made when it is missing.
    /// - Throws: `usage` for a value of several lines; `read-only`, `io`.
    package mutating func set(_ name: String, to value: String?, makesFolder: Bool) throws {
        if let value {
            let isLine = value.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
            guard isLine, !value.trimmed.isEmpty, value.utf8.count <= 1_024 else {
                throw CambiumError(.usage, "the value of \(name) must be one line of text")
            }
        }
        var kept = lines.filter { line in
            let text = line.trimmed
            guard !text.hasPrefix("#"), let sign = text.firstIndex(of: "=") else { return true }
            return Self.name(text, sign) != name
        }
        if let value { kept.append("\(name) = \(value.trimmed)") }
        try write(kept, makesFolder)
        lines = kept
        values[name] = value?.trimmed
    }

    private func write(_ lines: [String], _ makesFolder: Bool) throws {
        let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
            .joined(separator: "/")
        let new = "\(path).\(UInt64.random(in: 0 ... .max))"
        if makesFolder { try makeDirectories(folder) }
        try writeStoreFile(new, Array(lines.map { $0 + "\n" }.joined().utf8))
        do {
            try replaceFile(path, with: new, in: folder.isEmpty ? "/" : folder)
        } catch {
            try? removeFile(new)
            throw error
        }
    }
}
