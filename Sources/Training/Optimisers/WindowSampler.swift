internal import Elements
internal import Models

/// Random windows of some texts, from a seed.
struct WindowSampler {
    private let texts: [TrainingText]
    private let length: Int
    private let total: Double
    private var generator: SplitMix64

    /// Where the random windows are; set to go on from there.
    var state: UInt64 {
        get { generator.state }
        set { generator = SplitMix64(seed: newValue) }
    }

    /// Bytes, and those one further on.
    struct Batch: Sendable {
        var inputs: [UInt8] = []
        var targets: [UInt8] = []
    }

    init(_ texts: [TrainingText], length: Int, seed: UInt64) throws {
        for text in texts {
            guard text.bytes.count > length + 1 else {
                throw CambiumError(
                    .usage,
                    "a text has \(text.bytes.count) bytes; windows of \(length) need more than "
                        + "\(length + 1)")
            }
            guard text.share > 0, text.share.isFinite else {
                throw CambiumError(.usage, "a text's share is \(text.share)")
            }
        }
        guard !texts.isEmpty else {
            throw CambiumError(.usage, "there is no text to train on")
        }
        self.texts = texts
        self.length = length
        total = texts.reduce(0) { $0 + $1.share }
        generator = SplitMix64(seed: seed)
    }

    mutating func next(windows: Int) -> Batch {
        var batch = Batch()
        for _ in 0..<windows {
            var point = generator.nextUnit() * total
            var index = 0
            while index + 1 < texts.count, point >= texts[index].share {
                point -= texts[index].share
                index += 1
            }
            let bytes = texts[index].bytes
            let start = Int(generator.nextUnit() * Double(bytes.count - length - 1))
            batch.inputs += bytes[start..<start + length]
            batch.targets += bytes[start + 1..<start + length + 1]
        }
        return batch
    }
}
