internal import KeyValue
package import Objects

extension SnapshotStore {
    /// The commit that a revision names, as in git: `main`, `HEAD`, `v1`, a hash prefix of at least
    /// four digits, each with `~N` (N-th first parent), `^N` (N-th parent) or `@{N}` (where the
    /// branch was N moves ago).
    ///
    /// - Throws: `.notFound`, `.ambiguous` with the candidates, `.badRevision`.
    package func resolve(_ revision: String) throws(SnapshotError) -> ObjectID {
        let end = revision.firstIndex { $0 == "~" || $0 == "^" } ?? revision.endIndex
        // The whole text is read before anything is looked up.
        var steps: [(mark: Character, number: Int)] = []
        var rest = revision[end...]
        while let mark = rest.first {
            rest = rest.dropFirst()
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            guard let number = digits.isEmpty ? 1 : Int(digits), number <= 1_000_000,
                mark == "~" || mark == "^"
            else {
                throw SnapshotError(
                    .badRevision, "'\(revision)' is no revision: after the name come ~N or ^N")
            }
            steps.append((mark, number))
        }
        var id = try resolveName(String(revision[..<end]))
        for step in steps {
            if step.mark == "~" {
                for _ in 0..<step.number { id = try parent(1, of: id, revision) }
            } else if step.number > 0 {
                id = try parent(step.number, of: id, revision)
            }
        }
        return id
    }

    private func parent(
        _ number: Int, of id: ObjectID, _ revision: String
    ) throws(SnapshotError) -> ObjectID {
        let parents = try commit(id).parents
        guard number <= parents.count else {
            throw SnapshotError(
                .notFound,
                "'\(revision)' goes too far back: \(id.short) has \(parents.count) parent(s)")
        }
        return parents[number - 1]
    }

    private func resolveName(_ name: String) throws(SnapshotError) -> ObjectID {
        if let at = name.firstIndex(of: "@"), name.hasSuffix("}"),
            name[at...].hasPrefix("@{"), let steps = Int(name[at...].dropFirst(2).dropLast())
        {
            return try resolveReflog(String(name[..<at]), steps, name)
        }
        let references = try references()
        if name == "HEAD" || name.isEmpty {
            guard !name.isEmpty else {
                throw SnapshotError(.badRevision, "an empty text is no revision")
            }
            guard let id = references.headCommit else {
                throw SnapshotError(.notFound, "HEAD has no commit yet; commit a checkpoint first")
            }
            return id
        }
        if let id = references.branches[name] ?? references.tags[name] { return id }
        if references.head == .branch(name) {
            throw SnapshotError(
                .notFound, "branch '\(name)' has no commit yet; commit a checkpoint first")
        }
        if let id = try resolvePrefix(name) { return id }
        let known = (Array(references.branches.keys) + Array(references.tags.keys)).sorted(
            by: isBefore)
        throw SnapshotError(
            .notFound,
            "there is no branch, tag or commit '\(name)'. Known names: "
                + (known.isEmpty ? "none yet" : known.prefix(20).joined(separator: ", "))
                + (known.count > 20 ? " and \(known.count - 20) more" : ""))
    }

    private func resolveReflog(
        _ name: String, _ steps: Int, _ revision: String
    ) throws(SnapshotError) -> ObjectID {
        let reference = name.isEmpty || name == "HEAD" ? "HEAD" : "heads/" + name
        let moves = try reflog(of: reference)
        guard steps >= 0, steps < moves.count, let id = moves[steps].new else {
            throw SnapshotError(
                .notFound, "'\(revision)': the reflog of \(reference) has \(moves.count) entries")
        }
        return id
    }

    private func resolvePrefix(_ name: String) throws(SnapshotError) -> ObjectID? {
        let prefix = name.lowercased()
        guard (4...64).contains(prefix.count), prefix.allSatisfy({ $0.isASCII && $0.isHexDigit })
        else { return nil }
        let matches = try environment.read { (transaction) throws(SnapshotError) in
            let reader = try ObjectReader.of(transaction)
            var commits: [ObjectID] = []
            do throws(ObjectError) {
                for id in try reader.ids(prefix: prefix, transaction) {
                    let object = try reader.object(id, transaction)
                    if object.header.kind == .commit { commits.append(id) }
                }
            } catch {
                throw SnapshotError(error)
            }
            return commits
        }
        guard matches.count <= 1 else {
            throw SnapshotError(
                .ambiguous,
                "'\(name)' is ambiguous: " + matches.map(\.short).joined(separator: ", ")
                    + "; give more digits")
        }
        return matches.first
    }
}
