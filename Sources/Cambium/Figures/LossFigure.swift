/// How the loss went while rounds trained.
public struct LossFigure: Sendable, Encodable {
    /// One round's curve.
    public struct Curve: Sendable, Encodable {
        /// The round's commit; nil of a round that was stopped or is still to be committed.
        public let commit: String?
        /// The first line of its message.
        public let subject: String
        /// Branches and tags that point to the commit, or the branch of a stopped round.
        public let references: [String]
        /// Steps of the optimiser, and bits per byte: each value the mean since the point before.
        public let points: [CurvePoint]
    }

    /// Newest first, stopped rounds before all commits.
    public let curves: [Curve]
    /// Commits that have a curve besides, older ones.
    public let leftOut: Int
}

extension Figures {
    /// How the loss went while rounds trained.
    ///
    /// - Parameter limit: Rounds at most, the newest.
    public func loss(limit: Int = 12) throws -> LossFigure {
        let stopped = try store.stoppedRounds().map {
            LossFigure.Curve(
                commit: nil, subject: $0.message, references: [$0.branch], points: $0.curve)
        }
        let name = "train.loss"
        let trained = commits.filter { $0.notes.contains { $0.curves.contains(name) } }
        let curves = try trained.prefix(max(0, limit - stopped.count)).map {
            LossFigure.Curve(
                commit: $0.id, subject: $0.subject, references: $0.references,
                points: try store.curve($0.id, named: name))
        }
        let all = (stopped + curves).filter { !$0.points.isEmpty }
        return LossFigure(curves: all, leftOut: trained.count - curves.count)
    }
}
