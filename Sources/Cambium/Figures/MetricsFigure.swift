/// How numbers went from commit to commit.
public struct MetricsFigure: Sendable, Encodable {
    /// One commit.
    public struct Commit: Sendable, Encodable {
        /// Its id.
        public let id: String
        /// The first line of its message.
        public let subject: String
    }

    /// A number of one commit.
    public struct Point: Sendable, Encodable {
        /// The commit's place in ``MetricsFigure/commits``.
        public let commit: Int
        /// The number, finite or not.
        public let value: Double
        /// The nearest points that lead to it, by their places in the series: those that a line comes from.
        public let after: [Int]
    }

    /// One metric.
    public struct Series: Sendable, Encodable {
        /// Its name, for example `wikitext.bpb`.
        public let name: String
        /// Oldest first.
        public let points: [Point]
    }

    /// Oldest first.
    public let commits: [Commit]
    /// By name.
    public let series: [Series]
}

extension Figures {
    /// What tells how much was done and not how well.
    private static let amounts: Set<String> = ["train.steps", "train.tokens", "train.seconds"]
    /// Lines that come to one point, at most.
    private static let mostLines = 8

    /// How numbers went from commit to commit.
    public func metrics() -> MetricsFigure {
        let oldest = Array(zip(commits, numbers).reversed())
        let places = Dictionary(
            oldest.enumerated().map { ($1.0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let parents = oldest.map { $0.0.parents.compactMap { places[$0] } }
        let names = Set(oldest.flatMap(\.1.keys)).subtracting(Self.amounts).sorted()
        let series = names.map { name in
            var points: [MetricsFigure.Point] = []
            // Of each commit, the nearest points that lead to it, itself included.
            var nearest: [[Int]] = []
            nearest.reserveCapacity(oldest.count)
            for (index, entry) in oldest.enumerated() {
                var before: [Int] = []
                for parent in parents[index] {
                    for point in nearest[parent]
                    where !before.contains(point) && before.count < Self.mostLines {
                        before.append(point)
                    }
                }
                guard let value = entry.1[name] else {
                    nearest.append(before)
                    continue
                }
                nearest.append([points.count])
                points.append(MetricsFigure.Point(commit: index, value: value, after: before))
            }
            return MetricsFigure.Series(name: name, points: points)
        }
        return MetricsFigure(
            commits: oldest.map { .init(id: $0.0.id, subject: $0.0.subject) },
            series: series.filter { !$0.points.isEmpty })
    }
}
