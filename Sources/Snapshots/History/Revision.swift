internal import Elements
internal import KeyValue
package import Objects

extension SnapshotStore {
    /// The commit that a revision names, as in git: `main`, `HEAD`, `v1`, a hash prefix of at least
    /// four digits, each with `~N` (N-th first parent), `^N` (N-th parent) or `@{N}` (where the
    /// branch was N moves ago).
    ///
    /// - Throws: `.notFound`, `.ambiguous` with the candidates, `.badRevision`.
    package func resolve(_ revision: String) throws -> ObjectID {
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
                throw CambiumError(
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

    /// Whether a revision names a commit; another error than that it does not is thrown.
    package func has(_ revision: String) throws -> Bool {
        do {
            _ = try resolve(revision)
            return true
        } catch let error as CambiumError
            where [.notFound, .badRevision, .badName].contains(error.code)
        {
            return false
        }
    }

    /// The model tree of a revision.
    package func tree(at revision: String) throws -> Tree {
        try tree(try commit(try resolve(revision)).tree)
    }

    /// Maps a revision's model; what it needs is kept while the result lives.
    ///
    /// - Parameter keepsDecompressed: False where memory is limited.
    package func map(
        at revision: String, keepsDecompressed: Bool = true
    ) throws -> MappedSnapshot {
        try map(try resolve(revision), keepsDecompressed: keepsDecompressed)
    }

    private func parent(
        _ number: Int, of id: ObjectID, _ revision: String
    ) throws -> ObjectID {
        let parents = try commit(id).parents
        guard number <= parents.count else {
            throw CambiumError(
                .notFound,
                "'\(revision)' goes too far back: \(id.short) has \(parents.count) parent(s)")
        }
        return parents[number - 1]
    }

    private func resolveName(_ name: String) throws -> ObjectID {
        if let at = name.firstIndex(of: "@"), name.hasSuffix("}"),
            name[at...].hasPrefix("@{"), let steps = Int(name[at...].dropFirst(2).dropLast())
        {
            return try resolveReflog(String(name[..<at]), steps, name)
        }
        let references = try references()
        if name == "HEAD" || name.isEmpty {
            guard !name.isEmpty else {
                throw CambiumError(.badRevision, "an empty text is no revision")
            }
            guard let id = references.headCommit else {
                throw CambiumError(.notFound, "HEAD has no commit yet; commit a checkpoint first")
            }
            return id
        }
        if let (id, word) = references.named(name) {
            try checkShadow(name, id, word)
            return id
        }
        if references.head == .branch(name) {
            throw CambiumError(
                .notFound, "branch '\(name)' has no commit yet; commit a checkpoint first")
        }
        if let id = try resolvePrefix(name) { return id }
        let known =
            (Array(references.branches.keys) + Array(references.tags.keys)
            + Array(references.remotes.keys)).sorted(by: isBefore)
        throw CambiumError(
            .notFound,
            "there is no branch, tag or commit '\(name)'. Known names: "
                + (known.isEmpty ? "none yet" : known.prefix(20).joined(separator: ", "))
                + (known.count > 20 ? " and \(known.count - 20) more" : ""))
    }

    /// Refuses a name that is the beginning of another commit's id as well, since either may be meant.
    ///
    /// Such names cannot be given any more; old stores may have them.
    private func checkShadow(
        _ name: String, _ id: ObjectID, _ word: String
    ) throws {
        guard ReferenceName.isHexadecimal(name) else { return }
        let others = try commits(prefix: name).filter { $0 != id }
        guard let other = others.first else { return }
        throw CambiumError(
            .ambiguous,
            "'\(name)' is ambiguous: the \(word) of that name is at \(id.short), and "
                + (others.count == 1
                    ? "commit \(other.short) begins" : "\(others.count) commits begin")
                + " with it; write \(word == "tag" ? "tags" : "heads")/\(name), or more digits of the id"
        )
    }

    private func resolveReflog(
        _ name: String, _ steps: Int, _ revision: String
    ) throws -> ObjectID {
        let reference = name.isEmpty || name == "HEAD" ? "HEAD" : "heads/" + name
        let moves = try reflog(of: reference)
        guard steps >= 0, steps < moves.count, let id = moves[steps].new else {
            throw CambiumError(
                .notFound, "'\(revision)': the reflog of \(reference) has \(moves.count) entries")
        }
        return id
    }

    private func resolvePrefix(_ name: String) throws -> ObjectID? {
        guard ReferenceName.isHexadecimal(name) else { return nil }
        let matches = try commits(prefix: name)
        guard matches.count <= 1 else {
            throw CambiumError(
                .ambiguous,
                "'\(name)' is ambiguous: " + matches.map(\.short).joined(separator: ", ")
                    + "; give more digits")
        }
        return matches.first
    }

    /// The commits whose ids begin so.
    private func commits(prefix: String) throws -> [ObjectID] {
        try environment.read { transaction in
            let reader = try ObjectReader(transaction)
            var commits: [ObjectID] = []
            for id in try reader.ids(prefix: prefix.lowercased(), transaction) {
                let object = try reader.object(id, transaction)
                if object.header.kind == .commit { commits.append(id) }
            }
            return commits
        }
    }
}

extension References {
    /// What a name alone stands for: a branch before a tag; `heads/NAME` and `tags/NAME` say which.
    fileprivate func named(_ name: String) -> (id: ObjectID, word: String)? {
        if let id = branches[name] { return (id, "branch") }
        if let id = tags[name] { return (id, "tag") }
        if let id = remotes[name] { return (id, ReferenceKind.remote.word) }
        for (kind, table) in [
            (ReferenceKind.branch, branches), (.tag, tags), (.remote, remotes),
        ] {
            if name.hasPrefix(kind.rawValue),
                let id = table[String(name.dropFirst(kind.rawValue.count))]
            {
                return (id, kind.word)
            }
        }
        return nil
    }
}
