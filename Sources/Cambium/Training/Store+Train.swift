internal import Models
internal import Snapshots
internal import Training

extension Store {
    /// Trains a round and commits it: an adapter on the frozen model of a branch, or the model itself.
    ///
    /// Training holds no lock; other processes may read and commit meanwhile. An adapter is committed on the
    /// branch's head of that moment, as long as the base below it is the same; all old weights keep their
    /// ids, which is checked. The texts are counted as evidence in the same commit, so that the gate knows
    /// the adapter.
    ///
    /// The seconds that it took are a metric of the commit, unless `SOURCE_DATE_EPOCH` fixes its time: then the
    /// same round gives the same commit again.
    ///
    /// - Parameters:
    ///   - options: The data, what is trained, and for how long.
    ///   - progress: Called after each step, with loss and speed in its detail.
    ///   - isStopped: Asked after each step; true stops the round, keeps its state in the store's folder
    ///     for `resumes`, and throws `cancelled`.
    /// - Throws: `usage` for options or texts that cannot be; `not-found` for a branch without a model;
    ///   `diverged`; `cancelled`; `branch-moved` when the base changed meanwhile. Then nothing is committed.
    @discardableResult
    public func train(
        _ options: TrainOptions, progress: ProgressReporter = { _ in },
        isStopped: () -> Bool = { false }
    ) throws -> TrainResult {
        let branch = try options.commit.branch ?? currentBranch() ?? ""
        let running = RunningRound(
            in: snapshots.directory, branch: branch, message: options.commit.message,
            started: options.commit.signature.time)
        defer { running.end() }
        return TrainResult(
            try snapshots.train(
                options.roundRequest(),
                progress: {
                    running.note($0)
                    try progress($0)
                }, isStopped: isStopped))
    }

    /// The adapters of deltas in a revision's model, by ascending name.
    ///
    /// - Throws: `corrupt` or `unsupported` for an adapter that does not fit the model.
    public func adapters(_ revision: String) throws -> [String] {
        try StoredAdapters(map(revision)).names
    }
}
