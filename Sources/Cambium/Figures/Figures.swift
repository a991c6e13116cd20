internal import Snapshots

/// What the pictures of a report show, each as a value that can be encoded.
///
/// ```swift
/// let figures = try store.figures()
/// print(figures.forgetting().domains.map(\.name))
/// ```
///
/// A figure is put together when it is asked for; the history that most are about is read once.
public struct Figures: Sendable {
    /// The revisions that were named; empty for every branch and tag.
    public let revisions: [String]
    /// The commits that lead to them, newest first, each before its parents.
    public let commits: [CommitInfo]
    /// The branch that HEAD is on; nil when it is detached.
    public let branch: String?
    /// The revision whose model the figures of experts are about; nil in a store without commits.
    public let subject: String?
    let store: Store

    init(_ store: Store, _ revisions: [String]) throws {
        var query = LogQuery(revisions)
        query.all = revisions.isEmpty
        self.store = store
        self.revisions = revisions
        commits = try store.log(query)
        branch = try store.currentBranch()
        let named = revisions.first.map { $0.split(separator: "..").last.map(String.init) ?? $0 }
        let head = (try? store.resolve("HEAD")) == nil ? commits.first?.id : "HEAD"
        subject = commits.isEmpty ? nil : named ?? head
    }

    /// What became known of each commit: its metrics, and those of its notes, the newest first in effect.
    var numbers: [[String: Double]] {
        commits.map { commit in
            commit.notes.reduce(commit.metrics) { $0.merging($1.metrics) { $1 } }
        }
    }
}

extension Store {
    /// What the pictures of a report show.
    ///
    /// - Parameter revisions: Where the history starts, or `A..B`; none for every branch and tag. The first is
    ///   the one whose experts are shown.
    /// - Throws: `not-found`, `bad-revision`.
    public func figures(_ revisions: [String] = []) throws -> Figures {
        try Figures(self, revisions)
    }
}

extension CommitInfo {
    /// The first line of the message.
    var subject: String { String(message.prefix { !$0.isNewline }) }
}
