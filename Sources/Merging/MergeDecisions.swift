internal import Elements
internal import Objects
package import Snapshots
internal import Synchronization

/// What settles some conflicts of a merge, decided one by one: `1/7=law`, `router 0/*=mean`.
package struct MergeDecision: Sendable {
    /// As it was written.
    package let text: String
    package let pattern: EntityPattern
    /// The right side: a side or a policy.
    package let value: String

    package var policy: PolicyKind? { PolicyKind(rawValue: value) }

    /// - Throws: `usage` for a text that is none.
    package init(_ text: String) throws {
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
    package static func list(_ text: String) throws -> [MergeDecision] {
        var decisions: [MergeDecision] = []
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let line = String(line).trimmed
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            do {
                decisions.append(try MergeDecision(line))
            } catch let error as CambiumError {
                throw CambiumError(error.code, "line \(index + 1): \(error.message)")
            }
        }
        return decisions
    }
}

/// Decisions about single conflicts, with the sides that they name looked up.
///
/// Which one settles a conflict does not depend on their order: where two say different things of one
/// conflict, neither does, and the merge is refused.
final class MergeDecisions: ConflictDecisions {
    private struct Entry {
        let pattern: EntityPattern
        /// The side's first name, or the policy.
        let value: String
        let settlement: ConflictSettlement
        /// As it was written.
        let text: String
    }

    private let entries: [Entry]
    /// Those that name one expert, by it.
    private let exact: [MergeEntity: [Int]]
    private let patterns: [Int]
    private let used = Mutex<Set<Int>>([])
    /// The policies among them.
    let policies: Set<PolicyKind>

    /// - Parameters:
    ///   - sides: The commits of the merge, the target's first.
    ///   - names: What each side may be called, the first of which is recorded.
    ///   - id: Finds the commit of any other name.
    ///   - policy: Makes a policy.
    /// - Throws: `usage` for a name that is no side's.
    init(
        _ takes: [MergeDecision], _ sides: [ObjectID], _ names: [[String]],
        id: (String) throws -> ObjectID,
        policy: (PolicyKind) throws -> (any ConflictPolicy)?
    ) throws {
        var entries: [Entry] = []
        var exact: [MergeEntity: [Int]] = [:]
        var patterns: [Int] = []
        var made: [PolicyKind: any ConflictPolicy] = [:]
        var known: Set<String> = []
        for take in takes {
            let found: (value: String, settlement: ConflictSettlement)
            if let kind = take.policy {
                guard !names.joined().contains(take.value) else {
                    throw CambiumError(
                        .usage,
                        "'\(take.text)': '\(take.value)' is a policy and one of the sides; write "
                            + "the side's commit id for the side")
                }
                guard kind != .none else {
                    throw CambiumError(
                        .usage, "'\(take.text)' settles nothing; leave it out to see the conflict")
                }
                if made[kind] == nil { made[kind] = try policy(kind) }
                guard let chosen = made[kind] else { continue }
                found = (take.value, .policy(chosen))
            } else {
                let side = try Self.side(take, sides, names, id)
                found = (names[side].first ?? sides[side].hex, .side(side))
            }
            guard known.insert("\(take.pattern)=\(found.value)").inserted else { continue }
            if let expert = take.pattern.expert {
                exact[expert, default: []].append(entries.count)
            } else {
                patterns.append(entries.count)
            }
            entries.append(
                Entry(
                    pattern: take.pattern, value: found.value, settlement: found.settlement,
                    text: take.text))
        }
        self.entries = entries
        self.exact = exact
        self.patterns = patterns
        policies = Set(made.keys)
    }

    private static func side(
        _ take: MergeDecision, _ sides: [ObjectID], _ names: [[String]],
        _ id: (String) throws -> ObjectID
    ) throws -> Int {
        if let side = names.firstIndex(where: { $0.contains(take.value) }) { return side }
        let all = names.compactMap(\.first).joined(separator: ", ")
        let commit: ObjectID
        do {
            commit = try id(take.value)
        } catch let error as CambiumError where error.code == .notFound {
            let policies = PolicyKind.allCases.dropFirst().map(\.rawValue)
            throw CambiumError(
                .usage,
                "'\(take.text)': '\(take.value)' is neither a side of this merge (\(all)) nor a "
                    + "policy (\(policies.joined(separator: ", ")))")
        }
        guard let side = sides.firstIndex(of: commit) else {
            throw CambiumError(
                .usage,
                "'\(take.text)': '\(take.value)' is no side of this merge, which are \(all)")
        }
        return side
    }

    func settlement(of entity: MergeEntity) throws -> ConflictSettlement? {
        let found =
            (exact[entity] ?? []) + patterns.filter { entries[$0].pattern.matches(entity) }
        guard let first = found.first else { return nil }
        used.withLock { $0.formUnion(found) }
        if let other = found.first(where: { entries[$0].value != entries[first].value }) {
            let texts = [entries[first].text, entries[other].text].sorted(by: isBefore)
            throw CambiumError(
                .usage,
                "'\(texts[0])' and '\(texts[1])' contradict each other about \(entity.path); nothing "
                    + "was written: leave one of them out")
        }
        return entries[first].settlement
    }

    func finish() throws {
        let used = used.withLock { $0 }
        let unused = entries.indices.filter { !used.contains($0) }.map { entries[$0].text }
        guard !unused.isEmpty else { return }
        let shown = unused.sorted(by: isBefore).prefix(5).map { "'\($0)'" }
        let more = unused.count > 5 ? " and \(unused.count - 5) more" : ""
        throw CambiumError(
            .usage,
            "\(shown.joined(separator: ", "))\(more) settle\(unused.count == 1 ? "s" : "") nothing: no "
                + "conflict of this merge is named so; nothing was written. The merge without --take "
                + "lists the conflicts")
    }

    /// What the commit says of them: sorted, experts with one answer drawn together.
    ///
    /// Long lists are cut, and end with how many more there are and the id that the whole text would have
    /// as a file.
    func recorded() throws -> String {
        var texts: Set<String> = []
        var pools: [String: EntityPattern.Form] = [:]
        for entry in entries {
            guard case .experts(let layer, let pool, let ordinal) = entry.pattern.form else {
                texts.insert("\(entry.pattern)=\(entry.value)")
                continue
            }
            let key = "\(layer)/\(pool.text)=\(entry.value)"
            var all = ordinal
            if case .experts(_, _, let known) = pools[key] { all = all.union(known) }
            pools[key] = .experts(layer: layer, pool: pool, ordinal: all)
        }
        for (key, form) in pools {
            let value = key[key.index(after: key.lastIndex(of: "=") ?? key.startIndex)...]
            texts.insert("\(EntityPattern(form))=\(value)")
        }
        return try recordedText(texts.sorted(by: isBefore))
    }
}
