internal import Elements
internal import Interchange
internal import KeyValue
internal import Objects
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

    /// - Parameter start: Names the weights that the round starts from.
    init(
        _ store: Store, _ branch: String, start: String, _ options: TrainOptions
    ) throws(StoreError) {
        self.store = store
        self.branch = branch
        var text = "\(start) \(options.target) \(options.budget) \(options.seed) \(options.windows)"
        text += " \(options.rate) \(options.warmUp)"
        if options.divergenceWeight > 0 { text += " \(options.divergenceWeight)" }
        if let experts = options.newExperts { text += " \(experts)" }
        for bytes in options.background { text += " beside " + (try Store.fileID(bytes).hex) }
        for bytes in options.texts { text += " " + (try Store.fileID(bytes).hex) }
        fingerprint = try Store.fileID(Array(text.utf8)).hex
    }

    private var directory: String { store.path + "/training" }

    private func path() throws(StoreError) -> String {
        "\(directory)/\(try Store.fileID(Array(branch.utf8)).hex.prefix(16)).safetensors"
    }

    func save(_ state: TrainingState) throws(StoreError) {
        do throws(KeyValueError) { try makeDirectory(directory) } catch { throw StoreError(error) }
        let entries = state.numbers.enumerated().map {
            TensorEntry("numbers.\($0)", TensorShape(.f32, [$1.count]))
        }
        let fields = [
            ("round", fingerprint), ("step", "\(state.step)"), ("sampler", "\(state.sampler)"),
            ("loss", "\(state.loss)"), ("seconds", "\(state.seconds)"),
            ("processor_seconds", "\(state.processorSeconds)"),
        ]
        let metadata = HeaderMetadata(
            entries: fields.map { HeaderMetadata.Entry(key: $0.0, value: $0.1) })
        try SafetensorsWriter.write(entries, metadata: metadata, to: path()) {
            (index, sink: inout TensorSink<StoreError>) throws(StoreError) in
            try sink.append(state.numbers[index].littleEndianBytes.raw)
        }
    }

    /// - Throws: `not-found` without a stopped round; `usage` when it is another one.
    func load() throws(StoreError) -> TrainingState {
        let path = try path()
        guard fileExists(path) else {
            throw StoreError(
                .notFound,
                "no stopped round of branch '\(branch)' is there to go on with; start one without --resume"
            )
        }
        let file = try reading { () throws(InterchangeError) in try SafetensorsFile(opening: path) }
        let fields = Dictionary(
            (file.header.metadata?.entries ?? []).map { ($0.key, $0.value) },
            uniquingKeysWith: { $1 })
        guard fields["round"] == fingerprint else {
            throw StoreError(
                .usage,
                "the stopped round of branch '\(branch)' had other data or options; give the same ones, or "
                    + "start anew without --resume")
        }
        var numbers: [[Float]] = []
        while let position = file.header.tensors.firstIndex(where: {
            $0.name == "numbers.\(numbers.count)"
        }) { numbers.append(file.bytes(of: position).floats) }
        guard let step = fields["step"].flatMap({ Int($0) }), step >= 0,
            let sampler = fields["sampler"].flatMap({ UInt64($0) }),
            let loss = fields["loss"].flatMap({ Double($0) }), loss.isFinite,
            let seconds = fields["seconds"].flatMap({ Double($0) }), seconds.isFinite,
            let processor = fields["processor_seconds"].flatMap({ Double($0) }),
            processor.isFinite
        else {
            throw StoreError(
                .corrupt, "\(path) is not a stopped round; remove it and start anew")
        }
        return TrainingState(
            step: step, seconds: seconds, processorSeconds: processor, loss: loss,
            sampler: sampler, numbers: numbers)
    }

    /// Forgets the round; what cannot be removed is overwritten by the next stop.
    func remove() {
        guard let path = try? path(), fileExists(path) else { return }
        try? removeFile(path)
    }
}

extension MappedBytes {
    /// The elements of little-endian 32-bit floats.
    fileprivate var floats: [Float] {
        let bytes = bytes
        return (0..<count / 4).map { Float(bitPattern: bytes.number(at: 4 * $0)) }
    }
}
