internal import Objects
internal import Snapshots

extension Store {
    /// The commits that lead to the revisions (HEAD when none is given), newest first.
    ///
    /// - Parameters:
    ///   - revisions: Where to start.
    ///   - all: Start from every branch and tag.
    ///   - limit: At most this many.
    ///   - since: Leaves out commits before this time (seconds since 1970).
    public func log(
        _ revisions: [String] = [], all: Bool = false, limit: Int? = nil, since: Int64? = nil
    ) throws -> [CommitInfo] {
        var query = LogQuery(revisions)
        query.all = all
        query.limit = limit
        query.since = since
        return try log(query)
    }

    /// The commits that a query asks for.
    ///
    /// - Throws: `not-found` for a revision, or a path that no commit has; `usage` for a path that
    ///   names nothing.
    /// - Complexity: Where history does not part, a limit costs what it lets through. With a path,
    ///   each commit's small records are read, and of the models only what changed.
    public func log(_ query: LogQuery) throws -> [CommitInfo] {
        let references = try snapshots.references()
        let (tips, hidden) = try ends(of: query, references)
        let isSorted = query.order != nil
        var entries: [HistoryEntry]
        if let path = query.path {
            let entity = try entity(path, in: tips)
            let changes = try snapshots.changes(
                of: entity, in: try snapshots.history(from: tips, without: hidden))
            guard !changes.isEmpty || !hidden.isEmpty else {
                throw CambiumError(
                    .notFound,
                    "no commit of \(query.revisions.first ?? "HEAD") has '\(path)'; `cambium ls` lists "
                        + "what a model consists of")
            }
            entries = changes.map(\.entry).filter { query.wants($0.commit) }
        } else {
            entries = try snapshots.history(
                from: tips, without: hidden, limit: isSorted ? nil : query.limit
            ) { query.wants($0.commit) }
        }
        let names = references.names
        let ids = entries.map(\.id)
        let notes = try snapshots.notes(of: ids)
        var commits = entries.map { CommitInfo($0.id, $0.commit, names, notes[$0.id] ?? []) }
        if let order = query.order { commits = order.sorted(commits) }
        return Array(commits.prefix(query.limit ?? .max))
    }

    /// The commits that a query starts from, and those that it leaves out with all their history.
    private func ends(
        of query: LogQuery, _ references: References
    ) throws -> (tips: [ObjectID], hidden: [ObjectID]) {
        var (tips, hidden): ([ObjectID], [ObjectID]) = ([], [])
        for revision in query.revisions.isEmpty && !query.all ? ["HEAD"] : query.revisions {
            guard let dots = revision.firstRange(of: "..") else {
                tips.append(try id(revision))
                continue
            }
            let (old, new) = (revision[..<dots.lowerBound], revision[dots.upperBound...])
            guard !new.hasPrefix("."), !new.contains("..") else {
                throw CambiumError(
                    .usage, "'\(revision)' is no range: write A..B for what B has and A has not")
            }
            hidden.append(try id(old.isEmpty ? "HEAD" : String(old)))
            tips.append(try id(new.isEmpty ? "HEAD" : String(new)))
        }
        if query.all { tips += Array(references.branches.values) + Array(references.tags.values) }
        return (tips, hidden)
    }

    /// What a path of a query names.
    private func entity(
        _ path: String, in tips: [ObjectID]
    ) throws -> ModelEntity {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if parts.count == 2 || parts.count == 3, let layer = UInt32(parts[0]),
            let ordinal = parts.last.flatMap({ Int($0) }), ordinal >= 0
        {
            let cohort = parts.count == 3 ? parts[1] : Cohort.base
            return .expert(layer: layer, cohort: cohort, ordinal: ordinal)
        }
        guard !path.isEmpty, !parts.allSatisfy({ UInt32($0) != nil }) else {
            throw CambiumError(
                .usage,
                "'\(path)' names nothing with a history of its own: write LAYER/ORDINAL, "
                    + "LAYER/COHORT/ORDINAL, a tensor's or file's name, or TENSOR:ROW")
        }
        guard let colon = path.lastIndex(of: ":"), let row = Int(path[path.index(after: colon)...]),
            row >= 0
        else { return .named(path) }
        // A tensor may be named so.
        for tip in tips where try tree(tip.hex).names(path) { return .named(path) }
        return .row(row, of: String(path[..<colon]))
    }
}

extension Tree {
    /// Whether a file, or a tensor of the trunk or of a router, has this name.
    fileprivate func names(_ name: String) -> Bool {
        files[name] != nil || trunk.tensors[name] != nil
            || layers.values.contains { layer in
                layer.cohorts.values.contains { $0.router[name] != nil }
            }
    }
}

extension LogQuery {
    fileprivate func wants(_ commit: Commit) -> Bool {
        (since.map { commit.time >= $0 } ?? true) && (until.map { commit.time <= $0 } ?? true)
            && (author.map { commit.author.mentions($0) } ?? true)
            && (message.map { commit.message.mentions($0) } ?? true)
    }
}

extension LogQuery.MetricOrder {
    fileprivate func sorted(_ commits: [CommitInfo]) -> [CommitInfo] {
        let valued = commits.enumerated().map { ($0.offset, $0.element.value(of: name)) }
        let order = valued.sorted { left, right in
            switch (left.1, right.1) {
            case (let first?, let second?) where first != second:
                return descending ? first > second : first < second
            case (_?, nil): return true
            case (nil, _?): return false
            default: return left.0 < right.0
            }
        }
        return order.map { commits[$0.0] }
    }
}

extension CommitInfo {
    /// A metric's value: of the newest note that has it, else the commit's own; nil when there is
    /// none, or no number.
    fileprivate func value(of metric: String) -> Double? {
        let value = notes.last { $0.metrics[metric] != nil }?.metrics[metric] ?? metrics[metric]
        return value.flatMap { $0.isNaN ? nil : $0 }
    }
}

extension String {
    /// Whether a text occurs in this one, in capitals or not.
    fileprivate func mentions(_ text: String) -> Bool {
        text.isEmpty || lowercased().contains(text.lowercased())
    }
}
