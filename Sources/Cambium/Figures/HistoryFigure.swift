internal import Objects
internal import Snapshots

/// How branches part and meet, with what is known of each commit.
public struct HistoryFigure: Sendable, Encodable {
    /// One commit.
    public struct Entry: Sendable, Encodable {
        /// The commit's id.
        public let id: String
        /// Ids of its parents.
        public let parents: [String]
        /// The first line of its message.
        public let subject: String
        /// Who committed.
        public let author: String
        /// Seconds since 1970-01-01 00:00 UTC.
        public let time: Int64
        /// Branches and tags that point here.
        public let references: [String]
        /// Numbers by name: the commit's, and over them those of its notes.
        public let metrics: [String: Double]
        /// Bytes of the model's tensors and experts, as in a checkpoint.
        public let bytes: Int
    }

    /// The branch that HEAD is on; nil when it is detached.
    public let branch: String?
    /// Newest first, each before its parents.
    public let commits: [Entry]
}

extension Figures {
    /// How branches part and meet.
    ///
    /// - Complexity: Reads the records of each tree once.
    public func history() throws -> HistoryFigure {
        let sizes = try store.snapshots.modelSizes(
            ofTrees: try commits.map { try id(ofHex: $0.tree) })
        return HistoryFigure(
            branch: branch,
            commits: zip(zip(commits, numbers), sizes).map { entry, bytes in
                HistoryFigure.Entry(
                    id: entry.0.id, parents: entry.0.parents, subject: entry.0.subject,
                    author: entry.0.author, time: entry.0.time, references: entry.0.references,
                    metrics: entry.1, bytes: bytes)
            })
    }

    func id(ofHex hex: String) throws -> ObjectID {
        guard let id = ObjectID(hex: hex) else {
            throw CambiumError(.badRevision, "'\(hex)' is no id")
        }
        return id
    }
}
