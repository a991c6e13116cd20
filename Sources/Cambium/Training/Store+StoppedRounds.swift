internal import Training

/// A round of training that was stopped, or was trained and not committed.
public struct StoppedRoundInfo: Sendable, Encodable {
    /// The branch that it would be committed to; empty when an older version wrote the file and no branch
    /// of the store has it.
    public let branch: String
    /// When it was stopped, in seconds since 1970; 0 when an older version wrote the file.
    public let time: Int64
    /// Who started it.
    public let author: String
    /// The message of its commit.
    public let message: String
    /// Steps done.
    public let steps: Int
    /// Bits per byte, mean of the last steps.
    public let loss: Double
    /// Seconds trained.
    public let seconds: Double
    /// Length of its file.
    public let bytes: Int
    /// What the commit would tell of the round.
    public let options: [String: String]
    /// How the round was asked for, for example a command line.
    public let request: String?
    /// Which of several rounds it is, when they were planned at once.
    public let plan: RoundPlan?
    /// How the loss went.
    public let curve: [CurvePoint]
    /// The name of its file in the store's folder `training`.
    public let file: String
}

extension StoppedRoundInfo {
    fileprivate init(_ round: StoredRound) {
        let fields = round.fields
        let number = fields["plan_round"].flatMap { Int($0) } ?? 0
        self.init(
            branch: round.branch, time: fields["time"].flatMap { Int64($0) } ?? 0,
            author: fields["author"] ?? "", message: fields["message"] ?? "",
            steps: round.state.step, loss: round.state.loss, seconds: round.state.seconds,
            bytes: round.byteCount, options: round.record, request: fields["request"],
            plan: number > 0 ? fields["plan"].map { RoundPlan(commit: $0, number: number) } : nil,
            curve: round.curve.points.map { CurvePoint(step: $0.step, value: $0.loss) },
            file: round.file)
    }
}

extension Store {
    /// The rounds that were stopped and can go on, by branch.
    ///
    /// A file that is no such round is left out.
    public func stoppedRounds() throws -> [StoppedRoundInfo] {
        try snapshots.stoppedRounds().map { StoppedRoundInfo($0) }
    }

    /// The stopped round of a branch.
    ///
    /// - Throws: `not-found`.
    public func stoppedRound(of branch: String) throws -> StoppedRoundInfo {
        StoppedRoundInfo(try snapshots.stoppedRound(of: branch))
    }

    /// Forgets a round that was stopped: what it had learned is gone.
    ///
    /// - Returns: What it was.
    /// - Throws: `not-found`.
    @discardableResult
    public func discardStoppedRound(of branch: String) throws -> StoppedRoundInfo {
        let round = try snapshots.stoppedRound(of: branch)
        try round.remove()
        return StoppedRoundInfo(round)
    }
}
