internal import Checkpoints
internal import Elements
internal import Files
internal import KeyValue
internal import Objects
internal import Snapshots

/// A round that was stopped, or was trained and not committed, kept in a file beside the store's data so that
/// it can go on.
///
/// A safetensors file of the optimiser's numbers; docs/format.md, "Stopped rounds".
struct StoppedRound {
    private let store: SnapshotStore
    private let branch: String
    /// Names everything that the round's result depends on.
    private let fingerprint: String
    private let request: RoundRequest
    /// The same in words, by the keys of the commit's metadata.
    private let record: [String: String]

    /// - Parameters:
    ///   - start: Names the weights that the round starts from.
    ///   - record: What the commit will tell of the round.
    init(
        _ store: SnapshotStore, _ branch: String, start: String, _ request: RoundRequest,
        _ record: [String: String]
    ) throws {
        self.store = store
        self.branch = branch
        self.request = request
        self.record = record
        var text = "\(start) \(request.identity)"
        if case .experts(_, let background) = request.target {
            for other in background { text += " beside " + (try ObjectID(ofFile: other.bytes).hex) }
        }
        for own in request.texts { text += " " + (try ObjectID(ofFile: own.bytes).hex) }
        fingerprint = try ObjectID(ofFile: Array(text.utf8)).hex
    }

    private func path() throws -> String { try StoredRound.path(of: branch, in: store) }

    func save(_ state: TrainingState, _ curve: LossCurve) throws {
        try makeStoreFolder(store.roundDirectory)
        let entries = state.numbers.enumerated().map {
            TensorEntry("numbers.\($0)", TensorShape(.f32, [$1.count]))
        }
        var fields = [
            ("round", fingerprint), ("step", "\(state.step)"), ("sampler", "\(state.sampler)"),
            ("loss", "\(state.loss)"), ("seconds", "\(state.seconds)"),
            ("processor_seconds", "\(state.processorSeconds)"), ("branch", branch),
            ("message", request.commit.note.message), ("author", request.commit.note.author),
            ("time", "\(fixedTime() ?? secondsSince1970())"), ("curve", curve.text),
        ]
        fields += request.origin.map { ($0.key, $0.value) }
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
                "no stopped round of branch '\(branch)' is there to go on with (Ctrl-C and SIGTERM keep one, SIGKILL "
                    + "does not); "
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
        return (stored.state, stored.curve)
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
