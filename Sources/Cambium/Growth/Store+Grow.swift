internal import Checkpoints
internal import Models
internal import Routing
internal import Training

/// How an expert is added.
public struct GrowthOptions: Sendable {
    /// The share of old text's routes that must stay, over all layers, on windows that were held out.
    public var unchanged: Double
    /// The name of an alternative that gets the expert; nil for the model itself.
    ///
    /// With a name the model stays as it is, and counts of both kinds of text pick between both models as a text
    /// goes on.
    public var gate: String?
    /// With a gate: the share of the new domain's tokens that are to pick the expert in each layer of the alternative.
    public var share: Double
    /// Bytes of each kind of text that are read at most; a text that would be cut to less than 2,048 is left out.
    public var limit: Int?
    /// Share the work; the result does not depend on them.
    public var threads: Int

    /// 99.5 % of the routes, of at most 100,000 bytes of each kind of text, in the model itself.
    ///
    /// - Parameters:
    ///   - unchanged: The share of old text's routes that must stay.
    ///   - gate: The name of an alternative that gets the expert; nil for the model itself.
    ///   - share: With a gate, the share of the new domain's tokens that are to pick the expert.
    ///   - limit: Bytes of each kind of text that are read; nil for all.
    ///   - threads: Share the work.
    public init(
        unchanged: Double = 0.995, gate: String? = nil, share: Double = 0.97,
        limit: Int? = 100_000, threads: Int = 1
    ) {
        self.unchanged = unchanged
        self.gate = gate
        self.share = share
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
    /// As of a layer, over all layers; with a gate a token counts as much as the gate lets the alternative answer.
    public let picked: Double
    /// As `picked`, of old text.
    public let unchanged: Double
    /// The alternative that has the expert, which alone is what layers tell of; nil where the model itself does.
    public let alternative: String?
    /// Bits of evidence that a text owes before the gate takes the alternative to be as likely as the model; nil without
    /// a gate.
    public let handicap: Int?
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
    /// With a gate (``GrowthOptions/gate``) the model stays as it is, config.json too: an alternative has its experts and
    /// the new one, with rows by which nearly all of the new domain's tokens pick it, and is picked where counts of both
    /// kinds of text, which are committed as evidence, take a text to be of the new domain.
    ///
    /// - Parameters:
    ///   - source: Has the expert's weights, of the shapes of the model's own.
    ///   - evidence: Texts of the new domain.
    ///   - keep: Further texts whose routes are to stay, such as what the model was trained on. May be none when
    ///     the branch has evidence of routes; a text that has a record is not read again.
    ///   - growth: How.
    ///   - options: The branch, which must have a model whose routers are linear, and the message.
    ///   - progress: Told the layers done, anew for each attempt.
    ///
    /// - Throws: `unsupported` for a model or a router that cannot grow; `bad-input` when texts are too short, or
    ///   no row or gate keeps enough routes; `usage` without old text; `bad-shape` for an expert of other shapes;
    ///   `exists` for an alternative that is there; `not-found`; `branch-moved`. Then nothing is committed.
    /// - Complexity: A run of the model over `keep`, up to six over the new domain and the windows of old text in the
    ///   records, and width³ for each layer.
    @discardableResult
    public func addExpert(
        from source: ExpertSource, evidence: [[UInt8]], keep: [[UInt8]] = [],
        growth: GrowthOptions = GrowthOptions(), _ options: CommitOptions,
        progress: ProgressReporter = { _ in }
    ) throws -> GrowthResult {
        GrowthResult(
            try snapshots.addExpert(
                from: (source.path, source.expert, source.text), evidence: evidence, keep: keep,
                unchanged: growth.unchanged, gate: growth.gate.map { ($0, growth.share) },
                limit: growth.limit, threads: growth.threads, options.request, progress: progress))
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
    public func dropExpert(_ expert: Int? = nil, _ options: CommitOptions) throws -> CommitResult {
        CommitResult(try snapshots.dropExpert(expert, options.request))
    }
}

extension GrowthResult {
    fileprivate init(_ model: GrownModel) {
        let (grown, gated) = (model.grown, model.gated)
        let newBits = gated?.figures.newBits ?? grown.newBits
        let oldBits = gated?.figures.oldBits ?? grown.oldBits
        self.init(
            commit: CommitResult(model.model), expert: model.expert,
            layers: grown.additions.map { addition in
                Layer(
                    layer: addition.layer, picked: addition.figures.pickedShare,
                    unchanged: addition.figures.unchangedShare, lambda: addition.row.lambda,
                    margin: addition.row.margin)
            }, picked: gated?.figures.picked ?? grown.figures.pickedShare,
            unchanged: gated?.figures.unchanged ?? grown.figures.unchangedShare,
            alternative: gated?.name, handicap: gated?.handicap,
            newBits: [newBits.before, newBits.after], oldBits: [oldBits.before, oldBits.after],
            newTokens: model.newTokens,
            oldTokens: model.oldTokens,
            measuredTokens: model.measuredTokens)
    }
}
