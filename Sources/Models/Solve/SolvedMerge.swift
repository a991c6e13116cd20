package import Architectures
internal import Elements
internal import Routing
package import Tensors

/// Solves what a merge changes in a model with gated experts below linear routers: layer by layer, in closed form,
/// from texts of every source, each read by its own model and by the merged one.
///
/// What each layer of the merged model reads is what the solved layers below give. Sums of products are exact
/// integers, so the result depends on the sources alone, not on their order but for how terms of several sources
/// are added up: they come in an order of their content.
package struct SolvedMerge {
    /// A model that is merged, with texts that it knows.
    package struct Source {
        package let model: LanguageModel
        /// Each in the vocabulary and within the context.
        package let texts: [[Int]]
        /// How much its texts count together, of 1 for all sources.
        package let share: Double

        package init(model: LanguageModel, texts: [[Int]], share: Double) {
            self.model = model
            self.texts = texts
            self.share = share
        }
    }

    /// Tokens of a text, at most.
    package static let longestText = Session.blockSize
    /// The ridge of each solution, as a share of the mean square of its features.
    package static let ridge = 1e-5
    /// Features of the down matrices that are solved together, at most; of more, blocks of experts in turn.
    package static let mostFeatures = 2_048
    /// Steps by which rows are solved where every version of an expert is kept.
    package static let steps = RowDivergence.steps
    /// How often each block of experts has its turn.
    package static let sweeps = 3

    private let merged: LanguageModel
    private let sources: [Source]
    private let team: ThreadTeam

    /// - Parameters:
    ///   - merged: What the solution starts from, of the same description as every source but for `added`.
    ///   - added: How many experts more each of its layers has.
    ///   - sources: In an order of their content.
    /// - Throws: `.unsupported` for a model that is of another kind; `.badInput` for texts that cannot be read.
    package init(
        _ merged: LanguageModel, sources: [Source], added: Int = 0, team: ThreadTeam = .single
    ) throws {
        try Self.check(merged.description)
        for source in sources {
            precondition(
                source.model.description.adding(added, to: merged.description.expertLayers)
                    == merged.description, "sources of other descriptions")
            for text in source.texts { try merged.description.check(text) }
        }
        self.merged = merged
        self.sources = sources
        self.team = team
    }

    /// Refuses models whose experts or routers cannot be solved.
    package static func check(_ description: ModelDescription) throws {
        for layer in description.expertLayers where description.layers[layer].experts == nil {
            throw CambiumError(
                .unsupported,
                "layer \(layer) of the \(description.architecture) model has experts that no linear "
                    + "router picks, and --policy solve is for gated experts below linear routers; "
                    + "take --policy mean, or regmean")
        }
        guard description.matrixForm == .rows, !description.expertLayers.isEmpty else {
            throw CambiumError(
                .unsupported,
                "--policy solve is for gated experts below linear routers, which a model of type "
                    + "'\(description.architecture)' does not have; take --policy mean")
        }
        if let coded = description.coded.any {
            throw CambiumError(
                .unsupported,
                "the model's weights are kept as codes (\(coded.method)), which are not solved; take --policy ours "
                    + "or theirs, or alternatives, or merge the models before they were quantised")
        }
        let follow = description.layers.contains { $0.blocks.contains { $0.normAfter != nil } }
        guard !description.normsFollow, !follow else {
            throw CambiumError(
                .unsupported,
                "the \(description.architecture) model has its norms behind its experts, so that their "
                    + "outputs cannot be solved as sums; take --policy mean, or regmean")
        }
    }

    /// Solves all layers.
    ///
    /// - Parameters:
    ///   - changes: What to solve in a layer; nil where nothing changed.
    ///   - solved: Called with each layer as it is solved.
    /// - Throws: `.notFinite`; what reading an expert and the closures throw.
    package func run(
        changes: (_ layer: Int) throws -> LayerToSolve?,
        solved: (_ layer: Int, SolvedLayer) throws -> Void,
        progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in }
    ) throws {
        let own = sources.map { LayerWalk($0.model, $0.texts, team: team) }
        let walks = sources.map { LayerWalk(merged, $0.texts, team: team) }
        for (number, layer) in merged.layers.enumerated() {
            for walk in own + walks { try walk.attend(number) }
            for (place, block) in layer.blocks.enumerated() {
                guard case .experts(let experts) = block.feedForward,
                    let change = try changes(number)
                else {
                    for (source, walk) in zip(sources, own) {
                        _ = try walk.feed(source.model.layers[number].blocks[place])
                    }
                    for walk in walks { _ = try walk.feed(block) }
                    continue
                }
                var records: [SourceRecord] = []
                for (index, source) in sources.enumerated() {
                    walks[index].read(block)
                    records.append(
                        try SourceRecord(
                            source, own[index], source.model.layers[number].blocks[place],
                            inputs: walks[index].inputs.flatMap { $0 }, team))
                }
                var solver = try LayerSolver(
                    number, block.norm, experts,
                    multiplier: merged.description.multipliers.residual, change, records, team)
                try solver.solve(walks)
                let final = solver.block
                for walk in walks { _ = try walk.feed(final) }
                try solved(number, solver.solved)
            }
            try progress(number + 1, merged.layers.count)
        }
    }
}

/// What one source's own model does with its texts in one layer, and what the merged model reads there.
struct SourceRecord {
    /// [tokens, width]: what router and experts of the merged model read.
    let inputs: [Float]
    /// The source's own picks and their weights, [tokens, topK].
    let selection: Selection
    /// The source's own logits, [tokens, experts].
    let logits: [Float]
    /// The source's own states behind the block, [tokens, width].
    let behind: [Float]
    /// The square root of what one token counts.
    let root: Double

    /// Reads the source's block, and runs it.
    init(
        _ source: SolvedMerge.Source, _ walk: LayerWalk, _ block: LanguageModel.Block,
        inputs: [Float], _ team: ThreadTeam
    ) throws {
        guard let router = block.feedForward.linearRouter else {
            preconditionFailure("a layer without a linear router")
        }
        walk.read(block)
        let own = walk.inputs.flatMap { $0 }
        let tokens = own.count / router.width
        var logits = [Float](repeating: 0, count: tokens * router.expertCount)
        do {
            var span = logits.mutableSpan
            router.weights.multiply(own.span, tokens: tokens, into: &span, team: team)
        }
        if !router.bias.isEmpty {
            for index in logits.indices { logits[index] += router.bias[index % router.bias.count] }
        }
        var selection = router.noPicks
        router.route(own.span, tokens: tokens, into: &selection, team: team)
        _ = try walk.feed(block)
        self.inputs = inputs
        self.selection = selection
        self.logits = logits
        behind = walk.states.flatMap { $0 }
        root = (source.share / Double(max(tokens, 1))).squareRoot()
    }

    var tokens: Int { selection.tokens }
}
