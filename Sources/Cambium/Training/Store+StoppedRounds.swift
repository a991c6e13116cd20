internal import Elements
internal import Files
internal import KeyValue
internal import Objects
internal import Snapshots
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

extension Store {
    /// The rounds that were stopped and can go on, by branch.
    ///
    /// A file that is no such round is left out.
    public func stoppedRounds() throws -> [StoppedRoundInfo] {
        let directory = trainingDirectory
        guard fileExists(directory) else { return [] }
        var names: [String] = []
        names = try directoryContents(directory).filter(Self.isRound)
        let references = try snapshots.references()
        var branches = Array(references.branches.keys)
        if case .branch(let name) = references.head { branches.append(name) }
        var rounds: [StoppedRoundInfo] = []
        for name in names {
            let path = directory + "/" + name
            guard let stored = try? StoredRound(path), let (state, curve) = try? stored.state()
            else { continue }
            let fields = stored.fields
            let branch =
                fields["branch"]
                ?? branches.first { branch in
                    (try? StoredRound.path(of: branch, in: self)) == path
                }
            rounds.append(
                StoppedRoundInfo(
                    branch: branch ?? "", time: fields["time"].flatMap { Int64($0) } ?? 0,
                    author: fields["author"] ?? "", message: fields["message"] ?? "",
                    steps: state.step, loss: state.loss, seconds: state.seconds,
                    bytes: (try? fileLength(path)) ?? 0, options: stored.record,
                    request: fields["request"], plan: stored.plan,
                    curve: curve.points.map { CurvePoint(step: $0.step, value: $0.loss) },
                    file: name))
        }
        return rounds.sorted { isBefore($0.branch, $1.branch) }
    }

    /// The stopped round of a branch.
    ///
    /// - Throws: `not-found`.
    public func stoppedRound(of branch: String) throws -> StoppedRoundInfo {
        let rounds = try stoppedRounds()
        guard let round = rounds.first(where: { $0.branch == branch || $0.file == branch }) else {
            let known = rounds.map { $0.branch.isEmpty ? $0.file : $0.branch }
            throw CambiumError(
                .notFound,
                "there is no stopped round of '\(branch)'; "
                    + (known.isEmpty
                        ? "there is none at all" : "known: \(known.joined(separator: ", "))"))
        }
        return round
    }

    /// Forgets a round that was stopped: what it had learned is gone.
    ///
    /// - Returns: What it was.
    /// - Throws: `not-found`.
    @discardableResult
    public func discardStoppedRound(of branch: String) throws -> StoppedRoundInfo {
        let round = try stoppedRound(of: branch)
        try removeFile(trainingDirectory + "/" + round.file)
        return round
    }

    /// Whether a file's name is one that a stopped round has: 16 hexadecimal digits.
    private static func isRound(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[1] == "safetensors" && parts[0].utf8.count == 16
            && parts[0].allSatisfy { $0.isASCII && $0.isHexDigit }
    }
}
