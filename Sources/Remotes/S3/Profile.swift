internal import Elements
internal import Files

/// What the files of the AWS command line say of one profile.
struct Profile {
    let name: String
    private(set) var values: [String: String] = [:]

    private static let limit = 1 << 20

    /// - Parameter isNamed: Whether somebody asked for this one, so that it must be there.
    /// - Throws: `denied` for a profile that is not there; `usage` for files that are none of these.
    init(_ name: String, isNamed: Bool, variable: (String) -> String?) throws {
        self.name = name
        let home = variable("HOME") ?? ""
        let files = [
            ("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        ].map { (name, file) -> (path: String, variable: String?) in
            guard let path = variable(name) else { return ("\(home)/.aws/\(file)", nil) }
            return (path.hasPrefix("~/") ? home + path.dropFirst() : path, name)
        }
        let config = try Self.sections(files[0].path, of: files[0].variable)
        let shared = try Self.sections(files[1].path, of: files[1].variable)
        let found = [
            config["profile \(name)"] ?? (name == "default" ? config["default"] : nil),
            shared[name],
        ]
        guard !isNamed || found.contains(where: { $0 != nil }) else {
            throw CambiumError(
                .denied,
                "there is no profile \(quoted(name)) in \(files[1].path) or \(files[0].path)")
        }
        // Credentials of the one file count before those of the other.
        for section in found { values.merge(section ?? [:]) { $1 } }
        if let services = values["services"],
            let endpoint = config["services \(services)"]?["s3.endpoint_url"]
        {
            values["endpoint_url"] = endpoint
        }
    }

    /// The sections of a file; one that is not there has none, unless a variable names it.
    ///
    /// Lines that are set in belong to the name above them: `s3 =`, then `  endpoint_url = …` is `s3.endpoint_url`.
    private static func sections(
        _ path: String, of variable: String?
    ) throws -> [String: [String: String]] {
        // Where scripts send what they do not want read.
        guard path != "/dev/null" else { return [:] }
        guard fileExists(path) else {
            guard let variable else { return [:] }
            throw CambiumError(
                .usage,
                "\(variable) is \(quoted(path)), where there is no file; unset it or mend it")
        }
        var text = String(decoding: try readFile(path, limit: limit), as: UTF8.self)
        if text.hasPrefix("\u{FEFF}") { text.removeFirst() }
        var sections: [String: [String: String]] = [:]
        var (section, above): (String?, String) = (nil, "")
        for (number, whole) in text.split(
            omittingEmptySubsequences: false, whereSeparator: \.isNewline
        ).enumerated() {
            let line = String(whole).trimmed
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if let name = Self.section(line) {
                section = name
                above = ""
                continue
            }
            // What it says is not repeated: it may be a secret.
            guard let section, let sign = line.firstIndex(where: { $0 == "=" || $0 == ":" }) else {
                throw CambiumError(
                    .usage, "\(path), line \(number + 1), is neither [a section] nor a name = value"
                )
            }
            let isNested = whole.first?.isWhitespace ?? false
            let name = String(line[..<sign]).trimmed.lowercased()
            let value = String(line[line.index(after: sign)...]).trimmed
            if !isNested { above = name }
            let key = isNested && !above.isEmpty ? "\(above).\(name)" : name
            if !value.isEmpty { sections[section, default: [:]][key] = value }
        }
        return sections
    }

    /// The name in `[profile "my lab"] # comment`; nil for what is no such line.
    private static func section(_ line: String) -> String? {
        guard line.hasPrefix("["), let end = line.firstIndex(of: "]") else { return nil }
        let rest = String(line[line.index(after: end)...]).trimmed
        guard rest.isEmpty || rest.hasPrefix("#") || rest.hasPrefix(";") else { return nil }
        let words = line[..<end].dropFirst().split(whereSeparator: \.isWhitespace)
        return words.joined(separator: " ").filter { $0 != "\"" && $0 != "'" }
    }
}
