internal import Checkpoints
internal import Elements
internal import Files
internal import Objects
package import Snapshots

/// A round that was stopped, or trained and not committed, as its file holds it.
package struct StoredRound {
    package let path: String
    /// The metadata of its header.
    package let fields: [String: String]
    package let state: TrainingState
    package let curve: LossCurve
    /// The branch that it would be committed to; empty when an older version wrote the file and no branch of
    /// the store has it.
    package fileprivate(set) var branch: String

    /// - Throws: `corrupt` for a file that is none.
    init(_ path: String) throws {
        self.path = path
        let file = try SafetensorsFile(opening: path)
        fields = Dictionary(
            (file.header.metadata?.entries ?? []).map { ($0.key, $0.value) },
            uniquingKeysWith: { $1 })
        guard let step = fields["step"].flatMap({ Int($0) }), step >= 0,
            let sampler = fields["sampler"].flatMap({ UInt64($0) }),
            let loss = fields["loss"].flatMap({ Double($0) }), loss.isFinite,
            let seconds = fields["seconds"].flatMap({ Double($0) }), seconds.isFinite,
            let processor = fields["processor_seconds"].flatMap({ Double($0) }),
            processor.isFinite
        else {
            throw CambiumError(.corrupt, "\(path) is not a stopped round; remove it and start anew")
        }
        var numbers: [[Float]] = []
        while let position = file.header.tensors.firstIndex(where: {
            $0.name == "numbers.\(numbers.count)"
        }) { numbers.append(file.bytes(of: position).floats) }
        state = TrainingState(
            step: step, seconds: seconds, processorSeconds: processor, loss: loss,
            sampler: sampler, numbers: numbers)
        curve = fields["curve"].flatMap { LossCurve(text: $0) } ?? LossCurve()
        branch = fields["branch"] ?? ""
    }

    /// The file of a branch's round.
    static func path(of branch: String, in store: SnapshotStore) throws -> String {
        let name = try ObjectID(ofFile: Array(branch.utf8)).hex.prefix(16)
        return "\(store.roundDirectory)/\(name).safetensors"
    }

    /// The file's name in its folder.
    package var file: String { String(path.split(separator: "/").last ?? "") }

    package var byteCount: Int { (try? fileLength(path)) ?? 0 }

    /// What the commit would have told of the round.
    package var record: [String: String] { fields.filter { $0.key.hasPrefix("train.") } }

    /// Forgets the round: what it had learned is gone.
    package func remove() throws { try removeFile(path) }
}

extension SnapshotStore {
    /// Where rounds are kept that were stopped.
    package var roundDirectory: String { directory + "/training" }

    /// The rounds that were stopped and can go on, by branch; a file that is no such round is left out.
    package func stoppedRounds() throws -> [StoredRound] {
        guard fileExists(roundDirectory) else { return [] }
        let names = try directoryContents(roundDirectory).filter(Self.isRound)
        let references = try references()
        var branches = Array(references.branches.keys)
        if case .branch(let name) = references.head { branches.append(name) }
        return names.compactMap { name in
            guard var round = try? StoredRound("\(roundDirectory)/\(name)") else { return nil }
            if round.branch.isEmpty {
                let path = round.path
                round.branch =
                    branches.first { (try? StoredRound.path(of: $0, in: self)) == path } ?? ""
            }
            return round
        }.sorted { isBefore($0.branch, $1.branch) }
    }

    /// The stopped round of a branch, or of a file's name.
    ///
    /// - Throws: `not-found`.
    package func stoppedRound(of branch: String) throws -> StoredRound {
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

    /// Whether a file's name is one that a stopped round has: 16 hexadecimal digits.
    private static func isRound(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && parts[1] == "safetensors" && parts[0].utf8.count == 16
            && parts[0].allSatisfy { $0.isASCII && $0.isHexDigit }
    }
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
        self.init(stride: stride, values: Array(numbers.dropFirst()), sum: numbers[0], count: count)
    }
}

extension MappedBytes {
    /// The elements of little-endian 32-bit floats.
    fileprivate var floats: [Float] {
        let bytes = bytes
        return (0..<count / 4).map { Float(bitPattern: bytes.number(at: 4 * $0)) }
    }
}
