internal import Objects
internal import Snapshots
internal import Training

/// What a commit tells of the training that made it.
extension TrainOptions {
    /// All that the result depends on besides the model before, by the key of the commit's metadata.
    ///
    /// Texts are named, and given by the id that their bytes would have as a file.
    ///
    /// - Parameters:
    ///   - parent: The commit whose weights the round started from; nil for a new base.
    ///   - mixesCounts: Whether counts predict beside the model after the round.
    ///   - evidenceOrder: Bytes in an n-gram of the round's evidence.
    func record(
        from parent: ObjectID?, mixesCounts: Bool, evidenceOrder: Int
    ) throws -> [String: String] {
        let settings = try settings()
        var record = targetRecord
        record["train.budget"] = budget.words
        record["train.seed"] = "\(seed)"
        record["train.windows"] = "\(windows)"
        record["train.parts"] = "\(settings.parts)"
        record["train.rate"] = "\(rate)"
        record["train.warm-up"] = "\(warmUp)"
        record["train.kl"] = "\(divergenceWeight)"
        record["train.mix-counts"] = "\(mixesCounts)"
        record["train.evidence-order"] = "\(evidenceOrder)"
        record["train.from"] = parent?.hex
        if let initial { record["train.init"] = try ObjectID(ofFile: initial).hex }
        try Self.name(texts, textNames, "train.text", &record)
        try Self.name(background, backgroundNames, "train.background", &record)
        try Self.name(heldOut.map(\.bytes), heldOut.map(\.name), "train.held-out", &record)
        return record
    }

    private var targetRecord: [String: String] {
        switch target {
        case .cohort(let name, let form):
            var record = [
                "train.target": "cohort", "train.cohort": name, "train.kind": form.words,
            ]
            if let newExperts { record["train.new-experts"] = newExperts.words }
            return record
        case .model(let freezesTrunk, let freezesExperts):
            let frozen = (freezesTrunk ? ["trunk"] : []) + (freezesExperts ? ["experts"] : [])
            return [
                "train.target": "model",
                "train.freeze": frozen.isEmpty ? "nothing" : frozen.joined(separator: ","),
            ]
        case .experts(let count):
            return ["train.target": "experts", "train.edit-experts": "\(count)"]
        }
    }

    /// Notes texts as `PREFIX.1`, `PREFIX.2`, …: id, length in bytes, and name.
    private static func name(
        _ texts: [[UInt8]], _ names: [String], _ prefix: String, _ record: inout [String: String]
    ) throws {
        for (index, text) in texts.enumerated() {
            let id = try ObjectID(ofFile: text).hex
            let name = names.indices.contains(index) ? " \(names[index])" : ""
            record["\(prefix).\(index + 1)"] = "\(id) \(text.count)\(name)"
        }
    }
}

extension TrainBudget {
    /// For example `400 steps`.
    var words: String {
        switch self {
        case .steps(let count): "\(count) steps"
        case .tokens(let count): "\(count) tokens"
        case .seconds(let seconds): "\(seconds) seconds"
        }
    }
}

extension CohortForm {
    /// `dense` or `lora:RANK`.
    var words: String {
        switch self {
        case .dense: "dense"
        case .lowRank(let rank): "lora:\(rank)"
        }
    }
}

extension NewExperts {
    /// For example `1024 neurons` or `2 swiglu of width 256, 1 picked`.
    var words: String {
        switch self {
        case .neurons(let count): "\(count) neurons"
        case .swiglu(let count, let width, let picks):
            "\(count) swiglu of width \(width), \(picks) picked"
        }
    }
}
