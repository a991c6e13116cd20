/// What models know of each domain, round by round: from numbers named `DOMAIN.MEASURE`, such as `swahili.bpb`.
public struct ForgettingFigure: Sendable, Encodable {
    /// A commit with such numbers.
    public struct Round: Sendable, Encodable {
        /// Its id.
        public let commit: String
        /// The first line of its message.
        public let subject: String
        /// Seconds since 1970-01-01 00:00 UTC.
        public let time: Int64
        /// Branches and tags that point to it.
        public let references: [String]
    }

    /// One domain.
    public struct Domain: Sendable, Encodable {
        /// Its name.
        public let name: String
        /// The number that each round has of it, finite or not; nil where none was recorded.
        public let values: [Double?]
        /// The best finite number that any commit before had, of those that lead to the round; nil without one.
        public let bestBefore: [Double?]
    }

    /// What is measured, for example `bpb`; empty when nothing was recorded.
    public let measure: String
    /// Whether less is better.
    public let lowerIsBetter: Bool
    /// Oldest first.
    public let rounds: [Round]
    /// By name.
    public let domains: [Domain]
}

extension Figures {
    /// Measures of which more is better: these, and what these begin (`acc_norm`, `pass@1`, `rougeL`).
    private static let gains: Set<String> = ["em", "score", "auc", "mrr", "recall", "precision"]
    private static let gainsBegin = ["acc", "f1", "bleu", "exact_match", "pass@", "rouge", "ndcg"]

    private static func isGain(_ measure: String) -> Bool {
        let name = measure.lowercased()
        return gains.contains(name) || gainsBegin.contains { name.hasPrefix($0) }
    }

    /// What models know of each domain, round by round.
    ///
    /// The measure that most numbers have is taken; what training itself notes (`train.…`) is left out.
    public func forgetting() -> ForgettingFigure {
        let oldest = Array(zip(commits, numbers).reversed())
        var counts: [String: Int] = [:]
        for (_, numbers) in oldest {
            for name in numbers.keys {
                Self.parts(of: name).map { counts[$0.measure, default: 0] += 1 }
            }
        }
        let measure = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key ?? ""
        let isLower = !Self.isGain(measure)
        var values: [[String: Double]] = []
        for (_, numbers) in oldest {
            var own: [String: Double] = [:]
            for (name, value) in numbers {
                guard let parts = Self.parts(of: name), parts.measure == measure else { continue }
                own[parts.domain] = value
            }
            values.append(own)
        }
        let places = Dictionary(
            oldest.enumerated().map { ($1.0.id, $0) }, uniquingKeysWith: { first, _ in first })
        // Of each commit, the best that leads to it: of its parents and of what leads to them.
        var best: [[String: Double]] = []
        for (commit, _) in oldest {
            var found: [String: Double] = [:]
            for parent in commit.parents.compactMap({ places[$0] }) {
                for table in [best[parent], values[parent].filter(\.value.isFinite)] {
                    found.merge(table) { isLower ? min($0, $1) : max($0, $1) }
                }
            }
            best.append(found)
        }
        let rounds = values.indices.filter { !values[$0].isEmpty }
        let names = Set(rounds.flatMap { values[$0].keys }).sorted()
        return ForgettingFigure(
            measure: measure, lowerIsBetter: isLower,
            rounds: rounds.map {
                let commit = oldest[$0].0
                return .init(
                    commit: commit.id, subject: commit.subject, time: commit.time,
                    references: commit.references)
            },
            domains: names.map { name in
                .init(
                    name: name, values: rounds.map { values[$0][name] },
                    bestBefore: rounds.map { best[$0][name] })
            })
    }

    /// The domain and the measure that a metric's name tells; nil of what training notes, and of a name without a dot.
    private static func parts(of name: String) -> (domain: String, measure: String)? {
        guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return nil }
        let (domain, measure) = (name[..<dot], name[name.index(after: dot)...])
        guard !measure.isEmpty, domain != "train", !domain.hasPrefix("train.") else { return nil }
        return (String(domain), String(measure))
    }
}
