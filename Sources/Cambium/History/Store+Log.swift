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
        let names = try snapshots.references().names
        return try snapshots.log(
            query.revisions, all: query.all, path: query.path, limit: query.limit,
            order: query.order.map { ($0.name, $0.descending) }
        ) {
            $0.matches(
                since: query.since, until: query.until, author: query.author,
                message: query.message)
        }.map { CommitInfo($0.entry.id, $0.entry.commit, names, $0.notes) }
    }
}
