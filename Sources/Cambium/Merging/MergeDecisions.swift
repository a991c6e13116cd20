internal import Elements
internal import Objects
internal import Snapshots
internal import Synchronization

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
    let policies: Set<MergePolicy>

    /// - Parameters:
    ///   - sides: The commits of the merge, the target's first.
    ///   - names: What each side may be called, the first of which is recorded.
    ///   - id: Finds the commit of any other name.
    ///   - policy: Makes a policy.
    /// - Throws: `usage` for a name that is no side's.
    init(
        _ takes: [MergeTake], _ sides: [ObjectID], _ names: [[String]],
        id: (String) throws -> ObjectID,
        policy: (MergePolicy) throws -> any ConflictPolicy
    ) throws {
        var entries: [Entry] = []
        var exact: [MergeEntity: [Int]] = [:]
        var patterns: [Int] = []
        var made: [MergePolicy: any ConflictPolicy] = [:]
        var known: Set<String> = []
        for take in takes {
            let found: (value: String, settlement: ConflictSettlement)
            if let kind = MergePolicy(rawValue: take.value) {
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
        _ take: MergeTake, _ sides: [ObjectID], _ names: [[String]],
        _ id: (String) throws -> ObjectID
    ) throws -> Int {
        if let side = names.firstIndex(where: { $0.contains(take.value) }) { return side }
        let all = names.compactMap(\.first).joined(separator: ", ")
        let commit: ObjectID
        do {
            commit = try id(take.value)
        } catch let error as CambiumError where error.code == .notFound {
            let policies = MergePolicy.allCases.dropFirst().map(\.rawValue)
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
            guard case .experts(let layer, let cohort, let ordinal) = entry.pattern.form else {
                texts.insert("\(entry.pattern)=\(entry.value)")
                continue
            }
            let key = "\(layer)/\(cohort.text)=\(entry.value)"
            var all = ordinal
            if case .experts(_, _, let known) = pools[key] { all = all.union(known) }
            pools[key] = .experts(layer: layer, cohort: cohort, ordinal: all)
        }
        for (key, form) in pools {
            let value = key[key.index(after: key.lastIndex(of: "=") ?? key.startIndex)...]
            texts.insert("\(EntityPattern(form))=\(value)")
        }
        return try recordedText(texts.sorted(by: isBefore))
    }
}

/// Joins what a commit records of many things, bounded.
func recordedText(_ texts: [String], limit: Int = 16_384) throws -> String {
    let whole = texts.joined(separator: "; ")
    guard whole.utf8.count > limit else { return whole }
    var (length, count) = (0, 0)
    for text in texts {
        length += text.utf8.count + 2
        guard length <= limit else { break }
        count += 1
    }
    let id = try ObjectID(ofFile: Array(whole.utf8)).hex
    return texts.prefix(count).joined(separator: "; ")
        + "; and \(texts.count - count) more, all of them \(id)"
}
