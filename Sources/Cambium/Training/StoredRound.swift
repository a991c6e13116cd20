internal import Checkpoints
internal import Elements
internal import KeyValue
internal import Objects
internal import Snapshots
internal import Training

/// The file of a round that was stopped, or trained and not committed.
struct StoredRound {
    let path: String
    /// The metadata of its header.
    let fields: [String: String]
    private let file: SafetensorsFile

    /// - Throws: `corrupt` for a file that is none.
    init(_ path: String) throws {
        self.path = path
        file = try SafetensorsFile(opening: path)
        fields = Dictionary(
            (file.header.metadata?.entries ?? []).map { ($0.key, $0.value) },
            uniquingKeysWith: { $1 })
    }

    /// The file of a branch's round.
    static func path(of branch: String, in store: Store) throws -> String {
        let name = try ObjectID(ofFile: Array(branch.utf8)).hex.prefix(16)
        return "\(store.trainingDirectory)/\(name).safetensors"
    }

    /// What the commit would have told of the round.
    var record: [String: String] { fields.filter { $0.key.hasPrefix("train.") } }

    /// Which of several planned rounds it is.
    var plan: RoundPlan? {
        guard let commit = fields["plan"], let number = fields["plan_round"].flatMap({ Int($0) }),
            number > 0
        else { return nil }
        return RoundPlan(commit: commit, number: number)
    }

    /// - Throws: `corrupt` when something is missing.
    func state() throws -> (state: TrainingState, curve: LossCurve) {
        guard let step = fields["step"].flatMap({ Int($0) }), step >= 0,
            let sampler = fields["sampler"].flatMap({ UInt64($0) }),
            let loss = fields["loss"].flatMap({ Double($0) }), loss.isFinite,
            let seconds = fields["seconds"].flatMap({ Double($0) }), seconds.isFinite,
            let processor = fields["processor_seconds"].flatMap({ Double($0) }),
            processor.isFinite
        else {
            throw CambiumError(
                .corrupt, "\(path) is not a stopped round; remove it and start anew")
        }
        var numbers: [[Float]] = []
        while let position = file.header.tensors.firstIndex(where: {
            $0.name == "numbers.\(numbers.count)"
        }) { numbers.append(file.bytes(of: position).floats) }
        return (
            TrainingState(
                step: step, seconds: seconds, processorSeconds: processor, loss: loss,
                sampler: sampler, numbers: numbers),
            fields["curve"].flatMap { LossCurve(text: $0) } ?? LossCurve()
        )
    }
}

extension Store {
    /// Where rounds are kept that were stopped.
    var trainingDirectory: String { path + "/training" }
}

extension LossCurve {
    /// The curve as numbers with spaces between them, which ``init(text:)`` reads back to the bit.
    var text: String {
        "\(stride) \(rest.count) \(rest.sum)" + values.map { " \($0)" }.joined()
    }

    init?(text: String) {
        let words = text.split(separator: " ")
        let numbers = words.dropFirst(2).compactMap { Double($0) }
        guard words.count >= 3, numbers.count == words.count - 2, let stride = Int(words[0]),
            let count = Int(words[1])
        else { return nil }
        self.init(
            stride: stride, values: Array(numbers.dropFirst()), sum: numbers[0], count: count)
    }
}

extension MappedBytes {
    /// The elements of little-endian 32-bit floats.
    fileprivate var floats: [Float] {
        let bytes = bytes
        return (0..<count / 4).map { Float(bitPattern: bytes.number(at: 4 * $0)) }
    }
}
