internal import Models
package import Objects

/// What a commit tells of the training that made it.
extension RoundRequest {
    /// All that the result depends on besides the model before, by the key of the commit's metadata.
    ///
    /// Texts are named, and given by the id that their bytes would have as a file.
    ///
    /// - Parameters:
    ///   - parent: The commit whose weights the round started from; nil for a new base.
    ///   - mixesCounts: Whether counts predict beside the model after the round.
    ///   - evidenceOrder: Bytes in an n-gram of the round's evidence.
    ///   - hasRows: Whether the model has hashed experts.
    package func record(
        from parent: ObjectID?, mixesCounts: Bool, evidenceOrder: Int, hasRows: Bool
    ) throws -> [String: String] {
        var record = try target.record()
        if case .adapter = target { record["train.start-from"] = adapterStart.words }
        record["train.budget"] = budget.words
        record["train.seed"] = "\(seed)"
        record["train.windows"] = "\(windows)"
        record["train.parts"] = "\(try settings().parts)"
        record["train.rate"] = "\(rate)"
        if hasRows {
            record["train.row-rate"] = "\(rowRate ?? 0.1)"
            record["train.row-drop"] = "\(rowDrop)"
        }
        record["train.warm-up"] = "\(warmUp)"
        record["train.kl"] = "\(divergenceWeight)"
        if let hold {
            record["train.hold"] = "\(hold.output)"
            record["train.hold-router"] = "\(hold.router)"
        }
        record["train.mix-counts"] = "\(mixesCounts)"
        record["train.evidence-order"] = "\(evidenceOrder)"
        record["train.from"] = parent?.hex
        try record.name(texts, "train.text")
        try record.name(heldOut, "train.held-out")
        return record
    }
}

extension RoundTarget {
    fileprivate func record() throws -> [String: String] {
        switch self {
        case .adapter(let name, let kind, let pool):
            var record = [
                "train.target": "cohort", "train.cohort": name, "train.kind": kind.words,
            ]
            record["train.new-experts"] = pool?.words
            return record
        case .model(let freezesTrunk, let freezesExperts, let initial):
            let frozen = (freezesTrunk ? ["trunk"] : []) + (freezesExperts ? ["experts"] : [])
            var record = [
                "train.target": "model",
                "train.freeze": frozen.isEmpty ? "nothing" : frozen.joined(separator: ","),
            ]
            record["train.init"] = try initial.map { try ObjectID(ofFile: $0).hex }
            return record
        case .experts(let count, let background):
            var record = ["train.target": "experts", "train.edit-experts": "\(count)"]
            try record.name(background, "train.background")
            return record
        }
    }
}

extension [String: String] {
    /// Notes texts as `PREFIX.1`, `PREFIX.2`, …: id, length in bytes, and name.
    fileprivate mutating func name(_ texts: [RoundText], _ prefix: String) throws {
        for (index, text) in texts.enumerated() {
            let id = try ObjectID(ofFile: text.bytes).hex
            self["\(prefix).\(index + 1)"] =
                "\(id) \(text.bytes.count)\(text.name.map { " \($0)" } ?? "")"
        }
    }
}

extension TrainingBudget {
    /// For example `400 steps`.
    fileprivate var words: String {
        switch self {
        case .steps(let count): "\(count) steps"
        case .tokens(let count): "\(count) tokens"
        case .seconds(let seconds): "\(seconds) seconds"
        case .processorSeconds(let seconds): "\(seconds) seconds of the processor"
        }
    }
}

extension Adapter.Kind {
    /// `dense`, `small` or `lora:RANK`.
    fileprivate var words: String {
        switch self {
        case .dense: "dense"
        case .small: "small"
        case .lowRank(let rank): "lora:\(rank)"
        }
    }
}

extension NewPool {
    /// For example `1024 neurons` or `2 swiglu of width 256, 1 picked`.
    fileprivate var words: String {
        switch self {
        case .neurons(let count): "\(count) neurons"
        case .swiglu(let count, let width, let topK):
            "\(count) swiglu of width \(width), \(topK) picked"
        }
    }
}

// What stopped rounds are known by: words that stay, whatever the code calls things.

extension RoundRequest {
    /// All that the result depends on besides texts and start.
    package var identity: String {
        var words = "\(target.identity) \(budget.identity) \(seed) \(windows) \(rate) \(warmUp)"
        if let rowRate, rowRate != 0.1 { words += " rows(\(rowRate))" }
        if rowDrop > 0 { words += " drop(\(rowDrop))" }
        if adapterStart != .nothing { words += " \(adapterStart.words)" }
        if divergenceWeight > 0 { words += " \(divergenceWeight)" }
        if let hold { words += " hold(\(hold.output), \(hold.router))" }
        if case .adapter(_, _, let pool?) = target { words += " \(pool.identity)" }
        return words
    }
}

extension RoundTarget {
    fileprivate var identity: String {
        switch self {
        case .adapter(let name, .dense, _):
            "cohort(\(name.debugDescription), Cambium.CohortForm.dense)"
        case .adapter(let name, .lowRank(let rank), _):
            "cohort(\(name.debugDescription), Cambium.CohortForm.lowRank(\(rank)))"
        case .adapter(let name, .small, _): "adapter(\(name.debugDescription), small)"
        case .model(let freezesTrunk, let freezesExperts, _):
            "model(freezesTrunk: \(freezesTrunk), freezesExperts: \(freezesExperts))"
        case .experts(let count, _): "experts(\(count))"
        }
    }
}

extension TrainingBudget {
    fileprivate var identity: String {
        switch self {
        case .steps(let count): "steps(\(count))"
        case .tokens(let count): "tokens(\(count))"
        case .seconds(let seconds), .processorSeconds(let seconds): "seconds(\(seconds))"
        }
    }
}

extension NewPool {
    fileprivate var identity: String {
        switch self {
        case .neurons(let count): "neurons(\(count))"
        case .swiglu(let count, let width, let topK):
            "swiglu(\(count), width: \(width), picks: \(topK))"
        }
    }
}
