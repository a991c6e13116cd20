internal import Elements
internal import Objects

extension SnapshotStore {
    /// The commits that lead to some revisions, newest first, with their notes.
    ///
    /// - Parameters:
    ///   - revisions: Where to start, or `A..B` for what leads to B and not to A.
    ///   - all: Starts from every branch and tag as well; if not, no revision means HEAD.
    ///   - path: Only commits that changed what it names; see ``ModelEntity``.
    ///   - limit: At most this many, of those that all else lets through.
    ///   - order: Sorted by a metric of the newest note that has it, else of the commit; those without come last.
    ///   - isWanted: Which commits count.
    /// - Throws: `.notFound` for a revision, or a path that no commit has; `.usage` for a path that names nothing.
    package func log(
        _ revisions: [String], all: Bool, path: String?, limit: Int?,
        order: (metric: String, descending: Bool)?, where isWanted: (Commit) -> Bool
    ) throws -> [(entry: HistoryEntry, notes: [Note])] {
        let (tips, hidden) = try ends(revisions, all: all)
        let entries: [HistoryEntry]
        if let path {
            let changes = try changes(
                of: try entity(path, in: tips), in: try history(from: tips, without: hidden))
            guard !changes.isEmpty || !hidden.isEmpty else {
                throw CambiumError(
                    .notFound,
                    "no commit of \(revisions.first ?? "HEAD") has '\(path)'; `cambium ls` lists "
                        + "what a model consists of")
            }
            entries = changes.map(\.entry).filter { isWanted($0.commit) }
        } else {
            entries = try history(
                from: tips, without: hidden, limit: order == nil ? limit : nil
            ) { isWanted($0.commit) }
        }
        let notes = try notes(of: entries.map(\.id))
        var result = entries.map { (entry: $0, notes: notes[$0.id] ?? []) }
        if let order {
            let values = result.map { Self.value(of: order.metric, $0.entry.commit, $0.notes) }
            let sorted = values.indices.sorted { left, right in
                switch (values[left], values[right]) {
                case (let first?, let second?) where first != second:
                    return order.descending ? first > second : first < second
                case (_?, nil): return true
                case (nil, _?): return false
                default: return left < right
                }
            }
            result = sorted.map { result[$0] }
        }
        return Array(result.prefix(limit ?? .max))
    }

    /// A metric's value; nil when there is none, or no number.
    private static func value(of metric: String, _ commit: Commit, _ notes: [Note]) -> Double? {
        let value = notes.last { $0.metrics[metric] != nil }?.metrics[metric]
        return (value ?? commit.metrics[metric]).flatMap { $0.isNaN ? nil : $0 }
    }

    /// The commits that revisions start from, and those that they leave out with all their history.
    private func ends(
        _ revisions: [String], all: Bool
    ) throws -> (tips: [ObjectID], hidden: [ObjectID]) {
        var (tips, hidden): ([ObjectID], [ObjectID]) = ([], [])
        for revision in revisions.isEmpty && !all ? ["HEAD"] : revisions {
            guard let dots = revision.firstRange(of: "..") else {
                tips.append(try resolve(revision))
                continue
            }
            let (old, new) = (revision[..<dots.lowerBound], revision[dots.upperBound...])
            guard !new.hasPrefix("."), !new.contains("..") else {
                throw CambiumError(
                    .usage, "'\(revision)' is no range: write A..B for what B has and A has not")
            }
            hidden.append(try resolve(old.isEmpty ? "HEAD" : String(old)))
            tips.append(try resolve(new.isEmpty ? "HEAD" : String(new)))
        }
        if all {
            let references = try references()
            tips += Array(references.tips)
        }
        return (tips, hidden)
    }

    /// What a path names, of which commits have a history.
    private func entity(_ path: String, in tips: [ObjectID]) throws -> ModelEntity {
        if let place = ModelEntity.expert(at: path), place.ordinal >= 0 {
            return .expert(layer: place.layer, pool: place.pool, ordinal: place.ordinal)
        }
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !path.isEmpty, !parts.allSatisfy({ UInt32($0) != nil }) else {
            throw CambiumError(
                .usage,
                "'\(path)' names nothing with a history of its own: write LAYER/ORDINAL, "
                    + "LAYER/POOL/ORDINAL, a tensor's or file's name, or TENSOR:ROW")
        }
        guard let colon = path.lastIndex(of: ":"), let row = Int(path[path.index(after: colon)...]),
            row >= 0
        else { return .named(path) }
        // A tensor may be named so.
        for tip in tips {
            let tree = try tree(try commit(tip).tree)
            if tree.files[path] != nil || tree.tensor(named: path) != nil { return .named(path) }
        }
        return .row(row, of: String(path[..<colon]))
    }
}

extension Commit {
    /// Whether it was made in a time, by an author and with a message that have these texts in them, in capitals or
    /// not; nil is anything.
    package func matches(
        since: Int64?, until: Int64?, author: String?, message: String?
    ) -> Bool {
        func mentions(_ text: String, _ part: String?) -> Bool {
            guard let part, !part.isEmpty else { return true }
            return text.lowercased().contains(part.lowercased())
        }
        return time >= since ?? .min && time <= until ?? .max && mentions(self.author, author)
            && mentions(self.message, message)
    }
}
