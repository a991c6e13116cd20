internal import Elements
package import Routing
package import Tensors

/// Reads what a model's routers read and decide on a text, as evidence of routes that are to stay.
package struct RouteReader {
    /// Windows of old text that are kept as tokens, at most, by what they are for.
    private static let kept: [ExpertGrowth.Use: Int] = [.choose: 64, .check: 64, .report: 32]

    private let model: LanguageModel
    private let team: ThreadTeam

    /// - Throws: `.badConfig` for a model whose routers no row can be added to.
    package init(_ model: LanguageModel, team: ThreadTeam = .single) throws {
        try ExpertGrowth.check(model.description)
        self.model = model
        self.team = team
    }

    /// What the model reads and decides, layer by layer, and the windows that are kept as tokens.
    ///
    /// Windows are used in turn, as ``ExpertGrowth/Use`` says; of more than are kept, evenly spread ones are,
    /// and the others go into the sums.
    ///
    /// - Parameter windows: At least eight, none longer than ``RouteContribution/Windows/longest``.
    /// - Throws: `.badInput` for fewer windows or a token that the vocabulary lacks; `.notFinite`; what reading an
    ///   expert throws.
    /// - Complexity: One run over the text, with the states of all its windows in memory.
    package func read(
        _ windows: [[Int]], progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in }
    ) throws -> (
        layers: [RouteContribution.Layer], windows: RouteContribution.Windows
    ) {
        guard windows.count >= 8 else {
            throw CambiumError(.badInput, "\(windows.count) windows of a text; give at least 8")
        }
        try ExpertGrowth.check(windows, model.description)
        var kept: [ExpertGrowth.Use: [Int]] = [:]
        for (use, limit) in Self.kept {
            let all = windows.indices.filter { ExpertGrowth.Use($0) == use }
            kept[use] =
                all.count <= limit ? all : (0..<limit).map { all[$0 * all.count / limit] }
        }
        let apart = Set(kept.values.joined())
        let fitted = windows.indices.filter { !apart.contains($0) }.map { windows[$0] }
        func tokens(_ use: ExpertGrowth.Use) -> [[UInt32]] {
            (kept[use] ?? []).map { windows[$0].map { UInt32($0) } }
        }
        return (
            try layers(fitted, progress),
            RouteContribution.Windows(
                choose: tokens(.choose), check: tokens(.check), report: tokens(.report))
        )
    }

    private func layers(
        _ texts: [[Int]], _ progress: (Int, Int) throws -> Void
    ) throws -> [RouteContribution.Layer] {
        let walk = LayerWalk(model, texts, team: team)
        let scales = model.routerInputScales
        var layers: [RouteContribution.Layer] = []
        for (number, parts) in model.layers.enumerated() {
            try walk.attend(number)
            for block in parts.blocks {
                walk.read(block)
                if let router = block.feedForward.linearRouter {
                    layers.append(try layer(number, router, scales[number] ?? [], walk.inputs))
                }
                _ = try walk.feed(block)
            }
            try progress(number + 1, model.layers.count)
        }
        return layers
    }

    private func layer(
        _ number: Int, _ router: LinearRouter, _ scales: [Float], _ inputs: [[Float]]
    ) throws -> RouteContribution.Layer {
        do {
            let quantiser = try Quantiser(normWeights: scales)
            var gramSums = EntryGramSums(width: scales.count)
            for input in inputs {
                let features = try quantiser.features(input.span)
                let entries = router.entries(
                    input.span, tokens: input.count / scales.count,
                    correction: router.newcomerCorrection, team: team
                ).entry
                try gramSums.add(features, entries: entries)
            }
            return RouteContribution.Layer(
                number: UInt32(number), quantiser: quantiser, gramSums: gramSums)
        } catch let error as CambiumError where error.isOfEvidence {
            throw CambiumError(.badInput, "layer \(number): \(error.message)", cause: error)
        }
    }
}

extension LanguageModel.FeedForward {
    /// What picks experts by one row for each; nil where nothing does.
    var linearRouter: LinearRouter? {
        if case .experts(let experts) = self { experts.router as? LinearRouter } else { nil }
    }
}

extension LinearRouter {
    /// What steers the picks of a further expert, where something does: the mean of the others.
    var newcomerCorrection: Float {
        guard case .grouped(let grouped) = scoring else { return 0 }
        let sum = grouped.correction.reduce(0.0) { $0 + Double($1) }
        return Float(sum / Double(max(grouped.correction.count, 1)))
    }
}
