/// What settles some conflicts of a merge, decided one by one: `1/7=law`, `router 0/*=mean`.
///
/// On the left is what is meant (docs/merging.md, "Entities"), on the right of the last `=` the side whose
/// version is taken, by any name of its commit, or a policy.
public struct MergeTake: Sendable {
    /// As it was written.
    public let text: String
    let pattern: EntityPattern
    /// The right side.
    let value: String

    /// The policy on the right side; nil when a side is named.
    public var policy: MergePolicy? { MergePolicy(rawValue: value) }

    /// Reads one decision.
    ///
    /// - Throws: `usage` for a text that is none.
    public init(_ text: String) throws {
        let line = text.trimmed
        guard let sign = line.lastIndex(of: "=") else {
            throw CambiumError(
                .usage,
                "'\(line)' decides nothing: write ENTITY=SIDE or ENTITY=POLICY, for example 1/7=main"
            )
        }
        let value = String(line[line.index(after: sign)...]).trimmed
        guard !value.isEmpty else {
            throw CambiumError(.usage, "'\(line)' names no side and no policy after the '='")
        }
        self.text = line
        self.value = value
        pattern = try EntityPattern(String(line[..<sign]))
    }

    /// Reads decisions from a text, one in a line; empty lines and those that begin with `#` are skipped.
    ///
    /// - Throws: `usage`, with the line's number.
    public static func list(_ text: String) throws -> [MergeTake] {
        var takes: [MergeTake] = []
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let line = String(line).trimmed
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            do {
                takes.append(try MergeTake(line))
            } catch let error as CambiumError {
                throw CambiumError(error.code, "line \(index + 1): \(error.message)")
            }
        }
        return takes
    }
}
