internal import Architectures
internal import Checkpoints
internal import Elements
internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Tensors
internal import Training

/// How an expert is added.
public struct GrowthOptions: Sendable {
    /// The share of old text's routes that must stay, over all layers, on windows that were held out.
    public var unchanged: Double
    /// Bytes of each kind of text that are read at most; a text that would be cut to less than 2,048 is left out.
    public var limit: Int?
    /// Share the work; the result does not depend on them.
    public var threads: Int

    /// 99.5 % of the routes, of at most 100,000 bytes of each kind of text.
    public init(unchanged: Double = 0.995, limit: Int? = 100_000, threads: Int = 1) {
        self.unchanged = unchanged
        self.limit = limit
        self.threads = threads
    }
}

/// What adding an expert did, with figures of windows of the texts that were used for nothing else.
public struct GrowthResult: Sendable, Encodable {
    /// One layer.
    public struct Layer: Sendable, Encodable {
        /// Its number.
        public let layer: Int
        /// The share of the new domain's tokens for which the new expert is picked.
        public let picked: Double
        /// The share of old text's tokens whose picks are those of the model before.
        public let unchanged: Double
        /// The ridge of the solve, as a share of the mean of the diagonal.
        public let lambda: Double
        /// How far from the entry score the targets of the solve are.
        public let margin: Double
    }

    /// The commit.
    public let commit: CommitResult
    /// The new expert's number in every layer.
    public let expert: Int
    /// By number.
    public let layers: [Layer]
    /// As of a layer, over all layers.
    public let picked: Double
    /// As of a layer, over all layers.
    public let unchanged: Double
    /// Bits per token of the new domain, before and after.
    public let newBits: [Double]
    /// Bits per token of old text, before and after.
    public let oldBits: [Double]
    /// Tokens of the new domain that were read.
    public let newTokens: Int
    /// Tokens of old text that the evidence is of.
    public let oldTokens: Int
    /// Tokens of the new domain and of old text that the figures are of, and that nothing else used.
    public let measuredTokens: [Int]
}

extension Store {
    /// Adds an expert to every layer with experts of a branch's model, and gives it router rows that are solved
    /// in closed form, without a gradient step.
    ///
    /// What the model's routers read and decide on both kinds of text becomes integer sums,
    /// from which each layer's row is solved by ridge regression: the new expert's score is to exceed the last
    /// pick's on the new domain, and to stay below it on old text. No other row and no other expert changes;
    /// config.json counts one expert more. Layers are solved in order, each on what it reads of the new domain when
    /// those below have grown.
    ///
    /// Of old text the snapshot's evidence of routes is used (``addRoutes(_:label:limit:threads:_:progress:)``),
    /// and the texts of `keep`, whose records are committed with the grown model; so they need not be given again.
    ///
    /// - Parameters:
    ///   - source: Has the expert's weights, of the shapes of the model's own.
    ///   - evidence: Texts of the new domain.
    ///   - keep: Further texts whose routes are to stay, such as what the model was trained on. May be none when
    ///     the branch has evidence of routes; a text that has a record is not read again.
    ///   - growth: How.
    ///   - options: The branch, which must have a model whose routers are linear, and the message.
    ///   - progress: Told the layers done, anew for each attempt.
    /// - Throws: `unsupported` for a model or a router that cannot grow; `bad-input` when texts are too short, or
    ///   no row keeps enough routes; `usage` without old text; `bad-shape` for an expert of other shapes;
    ///   `not-found`; `branch-moved`. Then nothing is committed.
    /// - Complexity: A run of the model over `keep`, up to six over the new domain and the windows of old text in the
    ///   records, and width³ for each layer.
    @discardableResult
    public func addExpert(
        from source: ExpertSource, evidence: [[UInt8]], keep: [[UInt8]] = [],
        growth: GrowthOptions = GrowthOptions(), _ options: CommitOptions,
        progress: ProgressReporter = { _ in }
    ) throws -> GrowthResult {
        guard (1...1_024).contains(growth.threads) else {
            throw CambiumError(.usage, "\(growth.threads) threads; give 1 to 1024")
        }
        guard (0...1).contains(growth.unchanged) else {
            throw CambiumError(
                .usage, "\(growth.unchanged) is no share of routes; give a number from 0 to 1")
        }
        let (target, snapshot) = try modelToGrow(options)
        let pools = try snapshot.tree.countedPools()
        let model = try model(snapshot.id.hex, .checking)
        let experts = try SourceExperts(
            source.path, source.expert, named: source.text, for: pools, in: snapshots)
        var routes = try KeptRoutes(snapshot, model.model.base, tokens: model.tokens(of:))
        let new = try routes.windows(
            of: limited(evidence, to: growth.limit), "the text of the new domain")
        for (index, text) in limited(keep, to: growth.limit).enumerated() {
            try routes.add(
                text, keep.count == 1 ? "the old text" : "old text \(index + 1)",
                threads: growth.threads, progress)
        }
        let old = try routes.united()
        let types = pools.mapValues { $0.router.mapValues(\.shape.type) }
        let grown = try ExpertGrowth(
            model.model.base, experts: experts.experts, old: old, new: new,
            team: growth.threads == 1 ? .single : ThreadTeam(count: growth.threads)
        ) { numbers, layer, part in
            let type = types[layer]?.first { ExpertGrowth.RouterPart($0.key) == part }?.value
            return Self.rounded(numbers, type ?? .f32)
        }.solve(unchanged: growth.unchanged) { try progress(Progress("layers", $0, $1)) }
        let commit = try commit(
            grown, experts.experts, routes, options, target, snapshot,
            notes: experts.notes + routes.notes, source)
        return GrowthResult(
            commit, grown, expert: Int(pools.values.first?.count ?? 0),
            (new.joined().count, Int(clamping: old.tokenCount)))
    }

    /// Takes an expert out of every layer with experts of a branch's model; those behind it move up.
    ///
    /// Dropping what ``addExpert(from:evidence:keep:growth:_:progress:)`` added gives back the model before, byte
    /// for byte; evidence stays.
    ///
    /// - Parameters:
    ///   - expert: Its number; nil for the last one.
    ///   - options: The branch and the message.
    /// - Throws: `not-found` for a number that is not an expert's; `unsupported` when fewer experts would be left
    ///   than a token picks, or for a model that cannot shrink; `branch-moved`.
    @discardableResult
    public func dropExpert(
        _ expert: Int? = nil, _ options: CommitOptions
    ) throws -> CommitResult {
        let (target, snapshot) = try modelToGrow(options)
        let pools = try snapshot.tree.countedPools()
        let counts = Set(pools.values.map { Int($0.count) })
        guard let count = counts.first, counts.count == 1 else {
            throw CambiumError(.unsupported, "the layers have different numbers of experts")
        }
        let number = expert ?? count - 1
        guard (0..<count).contains(number) else {
            throw CambiumError(
                .notFound, "there is no expert \(number); the layers have 0 to \(count - 1)")
        }
        let description = try model(snapshot.id.hex, .checking).model.description
        for sizes in description.layers.compactMap(\.experts) { try Self.check(sizes, count) }
        let draft = try CommitDraft(snapshots, tree: snapshot.tree)
        var edit = ExpertCountEdit(draft, snapshot)
        for layer in pools.keys.sorted() { try edit.remove(number, from: layer) }
        var options = options
        options.metadata["expert.dropped"] = "\(number)"
        return CommitResult(try target.commit(fitting: edit.finish(by: -1), options.request))
    }

    private static func check(
        _ sizes: ModelDescription.Experts, _ count: Int
    ) throws {
        guard sizes.topK < count else {
            throw CambiumError(
                .unsupported,
                "a token picks \(sizes.topK) experts; \(count - 1) would be too few")
        }
        if case .sigmoid(let groups, _, _, _) = sizes.scoring, groups > 1 {
            throw CambiumError(
                .unsupported,
                "the experts are in \(groups) groups of one size, of which none can lose one")
        }
    }

    private func modelToGrow(
        _ options: CommitOptions
    ) throws -> (CommitTarget, MappedSnapshot) {
        let target = try CommitTarget(options, self)
        guard let parent = target.parent, !target.isNewBranch else {
            throw CambiumError(
                .notFound,
                "there is no branch '\(target.branch)' with a model; `cambium branch` lists them")
        }
        return (target, try map(parent.hex))
    }

    private func commit(
        _ grown: ExpertGrowth.Result, _ experts: [Int: [UInt8]], _ routes: KeptRoutes,
        _ options: CommitOptions, _ target: CommitTarget, _ snapshot: MappedSnapshot,
        notes: [String], _ source: ExpertSource
    ) throws -> CommitResult {
        var draft = try CommitDraft(snapshots, tree: snapshot.tree)
        for record in routes.added { _ = try draft.add(.routes(record)) }
        var edit = ExpertCountEdit(draft, snapshot)
        for addition in grown.additions {
            try edit.add(experts[addition.layer] ?? [], to: addition.layer) { name in
                ExpertGrowth.RouterPart(name).flatMap { addition.stored[$0] } ?? []
            }
        }
        var options = options
        options.metadata["expert.from"] = source.text
        options.metrics["expert.picked"] = grown.figures.pickedShare
        options.metrics["expert.unchanged"] = grown.figures.unchangedShare
        return CommitResult(
            try target.commit(
                fitting: edit.finish(by: 1), options.request, newExperts: experts.count,
                notes: notes))
    }

    /// Numbers as a type stores them, and what they are then.
    private static func rounded(
        _ numbers: [Float], _ type: ElementType
    ) -> (bytes: [UInt8], numbers: [Float]) {
        let parts = [TensorShape(type, [numbers.count])]
        let bytes = FloatCode.encode(numbers.map(Double.init), parts) ?? []
        return (bytes, (FloatCode.decode(bytes, parts) ?? []).map { Float($0) })
    }
}

extension ExpertGrowth.RouterPart {
    /// The part that a tensor of a router is, by its name.
    fileprivate init?(_ name: String) {
        switch name {
        case _ where name.hasSuffix(".e_score_correction_bias"): self = .correction
        case _ where name.hasSuffix(".bias"): self = .bias
        case _ where name.hasSuffix(".weight"): self = .row
        default: return nil
        }
    }
}

extension ExpertGrowth.Figures {
    fileprivate var pickedShare: Double { Double(picked) / Double(max(newTokens, 1)) }
    fileprivate var unchangedShare: Double { Double(unchanged) / Double(max(oldTokens, 1)) }
}

extension GrowthResult {
    fileprivate init(
        _ commit: CommitResult, _ grown: ExpertGrowth.Result, expert: Int,
        _ tokens: (new: Int, old: Int)
    ) {
        self.init(
            commit: commit, expert: expert,
            layers: grown.additions.map { addition in
                Layer(
                    layer: addition.layer, picked: addition.figures.pickedShare,
                    unchanged: addition.figures.unchangedShare, lambda: addition.row.lambda,
                    margin: addition.row.margin)
            }, picked: grown.figures.pickedShare, unchanged: grown.figures.unchangedShare,
            newBits: [grown.newBits.before, grown.newBits.after],
            oldBits: [grown.oldBits.before, grown.oldBits.after], newTokens: tokens.new,
            oldTokens: tokens.old,
            measuredTokens: [grown.figures.newTokens, grown.figures.oldTokens].map {
                $0 / max(grown.additions.count, 1)
            })
    }
}
