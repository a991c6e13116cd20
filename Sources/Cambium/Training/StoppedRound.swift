internal import Checkpoints
internal import Elements
internal import Files
internal import Objects
internal import Snapshots
internal import Training

/// A round that was stopped, or was trained and not committed, kept in a file beside the store's data so that
/// it can go on.
///
/// A safetensors file of the optimiser's numbers; docs/format.md, "Stopped rounds".
struct StoppedRound {
    private let store: Store
    private let branch: String
    /// Names everything that the round's result depends on.
    private let fingerprint: String
    /// The same in words, by the keys of the commit's metadata.
    private let record: [String: String]
    private let commit: CommitOptions
    private let request: String?
    private let plan: RoundPlan?

    /// - Parameters:
    ///   - start: Names the weights that the round starts from.
    ///   - record: What the commit will tell of the round.
    init(
        _ store: Store, _ branch: String, start: String, _ options: TrainOptions,
        _ record: [String: String]
    ) throws {
        self.store = store
        self.branch = branch
        self.record = record
        commit = options.commit
        request = options.request
        plan = options.plan
        var text = "\(start) \(options.target) \(options.budget) \(options.seed) \(options.windows)"
        text += " \(options.rate) \(options.warmUp)"
        if options.divergenceWeight > 0 { text += " \(options.divergenceWeight)" }
        if let experts = options.newExperts { text += " \(experts)" }
        for bytes in options.background { text += " beside " + (try ObjectID(ofFile: bytes).hex) }
        for bytes in options.texts { text += " " + (try ObjectID(ofFile: bytes).hex) }
        fingerprint = try ObjectID(ofFile: Array(text.utf8)).hex
    }

    private var directory: String { store.trainingDirectory }

    private func path() throws -> String {
        try StoredRound.path(of: branch, in: store)
    }

    func save(_ state: TrainingState, _ curve: LossCurve) throws {
        try makeStoreFolder(directory)
        let entries = state.numbers.enumerated().map {
            TensorEntry("numbers.\($0)", TensorShape(.f32, [$1.count]))
        }
        var fields = [
            ("round", fingerprint), ("step", "\(state.step)"), ("sampler", "\(state.sampler)"),
            ("loss", "\(state.loss)"), ("seconds", "\(state.seconds)"),
            ("processor_seconds", "\(state.processorSeconds)"), ("branch", branch),
            ("message", commit.message), ("author", commit.signature.author),
            ("time", "\(Signature.current.time)"), ("curve", curve.text),
        ]
        if let request { fields.append(("request", request)) }
        if let plan { fields += [("plan", plan.commit), ("plan_round", "\(plan.number)")] }
        fields += record.sorted { isBefore($0.key, $1.key) }.map { ($0.key, $0.value) }
        let metadata = HeaderMetadata(
            entries: fields.map { HeaderMetadata.Entry(key: $0.0, value: $0.1) })
        try SafetensorsWriter.write(entries, metadata: metadata, to: path()) {
            (index, sink: inout TensorSink) in
            try sink.append(state.numbers[index].littleEndianBytes.raw)
        }
    }

    /// - Throws: `not-found` without a stopped round; `usage` when it is another one.
    func load() throws -> (state: TrainingState, curve: LossCurve) {
        let path = try path()
        guard fileExists(path) else {
            let others = try store.stoppedRounds().map(\.branch)
            throw CambiumError(
                .notFound,
                "no stopped round of branch '\(branch)' is there to go on with; "
                    + (others.isEmpty
                        ? "start one without --resume"
                        : "there are rounds of \(others.joined(separator: ", ")): name one with "
                            + "--branch, or start one without --resume"))
        }
        let stored = try StoredRound(path)
        guard stored.fields["round"] == fingerprint else {
            throw CambiumError(
                .usage,
                "the stopped round of branch '\(branch)' had other data or options"
                    + difference(from: stored)
                    + "; give the same ones, start anew without --resume, or "
                    + "look at it with `cambium round show \(branch)`")
        }
        return try stored.state()
    }

    /// What the round of the file had that this one has not.
    private func difference(from stored: StoredRound) -> String {
        let old = stored.record
        // A round of an older version says nothing of itself.
        guard !old.isEmpty else { return "" }
        let changes = Set(old.keys).union(record.keys).sorted(by: isBefore)
            .filter { old[$0] != record[$0] }
            .map { "\($0) \(old[$0] ?? "none"), not \(record[$0] ?? "none")" }
        return changes.isEmpty ? "" : " (\(changes.joined(separator: "; ")))"
    }

    /// Forgets the round; what cannot be removed is overwritten by the next stop.
    func remove() {
        guard let path = try? path(), fileExists(path) else { return }
        try? removeFile(path)
    }
}
