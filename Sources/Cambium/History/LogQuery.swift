/// Which commits a log has, and in which order.
public struct LogQuery: Sendable {
    /// The value of a metric, by which commits are sorted.
    public struct MetricOrder: Sendable, Hashable {
        /// The metric's name, for example `wikitext.bpb`.
        public let name: String
        /// Whether the greatest comes first.
        public let descending: Bool

        /// Orders by a metric, the least first unless said otherwise.
        public init(_ name: String, descending: Bool = false) {
            self.name = name
            self.descending = descending
        }
    }

    /// Where to start: revisions, or `A..B` for what leads to B and not to A.
    ///
    /// None means HEAD.
    public var revisions: [String]
    /// Starts from every branch and tag.
    public var all = false
    /// At most this many, of those that all else lets through.
    public var limit: Int?
    /// Leaves out commits before this time (seconds since 1970).
    public var since: Int64?
    /// Leaves out commits after this time (seconds since 1970).
    public var until: Int64?
    /// Only commits whose author has this in their name, in capitals or not.
    public var author: String?
    /// Only commits whose message has this in it, in capitals or not.
    public var message: String?
    /// Only commits that changed this: `LAYER/ORDINAL` or `LAYER/POOL/ORDINAL` for an expert, a
    /// tensor's or a file's name, or `TENSOR:ROW` for a row of a tensor.
    public var path: String?
    /// Sorted by a metric of the commits or of their notes; those without it come last.
    public var order: MetricOrder?

    /// All that leads to some revisions, newest first.
    public init(_ revisions: [String] = []) { self.revisions = revisions }
}
