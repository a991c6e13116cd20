internal import Elements
package import Routing
package import Tensors

/// Gives each layer of a model that has experts one more, and solves the router rows by which tokens of a new
/// domain pick it, while the routes of old text stay.
///
/// Layers are solved one after the other, each on what it reads when the layers below have grown already. Of
/// every eight new texts three are fitted, two are held out to choose by, and one is used for nothing but the
/// figures. Of old text what is fitted was summed up before (``RouteReader``), as the model read it that had not
/// grown; windows of it are run with the new texts, to choose by, to tell whether the whole keeps enough routes,
/// and for the figures.
package struct ExpertGrowth {
    /// What is added to one layer.
    package struct Addition {
        package let layer: Int
        package let row: EntryRow
        /// What the router's tensors get, as it is stored.
        package let stored: [RouterPart: [UInt8]]
        package let figures: Figures
    }

    /// A tensor of a router.
    package enum RouterPart: Sendable {
        /// The row of the matrix.
        case row
        /// What is added to the score.
        case bias
        /// What steers picks by sigmoids.
        case correction
        /// What weights are multiplied with at last.
        case scale
    }

    /// Numbers as a router's tensor stores them, and what they are then.
    package typealias Rounding = (_ numbers: [Float], _ layer: Int, _ part: RouterPart) -> (
        bytes: [UInt8], numbers: [Float]
    )

    /// Counts over texts that were used for nothing else, of one layer or more.
    package struct Figures: Sendable {
        /// Tokens of the new domain, times layers.
        package var newTokens = 0
        /// For how many of them the new expert is among the picks.
        package var picked = 0
        /// Tokens of old text, times layers.
        package var oldTokens = 0
        /// For how many of them the picks are those of the model before.
        package var unchanged = 0

        mutating func add(_ other: Figures) {
            newTokens += other.newTokens
            picked += other.picked
            oldTokens += other.oldTokens
            unchanged += other.unchanged
        }
    }

    /// Bits per token, before and after.
    package struct Bits: Sendable {
        package var before = 0.0
        package var after = 0.0
        package var tokens = 0
    }

    package struct Result {
        package let additions: [Addition]
        package let figures: Figures
        /// What the share of old routes that stay is likely not below, from the texts that tell it.
        package let heldUnchanged: Double
        package let newBits: Bits
        package let oldBits: Bits
        /// What each token that was held out decided, of texts that check or report.
        package let held: [HeldText]
    }

    /// What a text is used for.
    enum Use {
        case fit, choose, check, report

        /// Of the windows of a text, by their number.
        init(_ index: Int) {
            let uses: [Use] = [.fit, .choose, .check, .fit, .report, .check, .fit, .choose]
            self = uses[index % uses.count]
        }
    }

    /// Tokens that run through the model as it grows.
    struct Text {
        let tokens: [Int]
        let isOld: Bool
        let use: Use
    }

    /// The shares of old tokens that a layer may lose, and the margins, tried one after the other; those that
    /// cannot be enough, by what came of one before, are left out.
    ///
    /// Margins are in units of what a token's best score is above the entry. Where all experts share a softmax, a
    /// score far below the entry also leaves the old weights as they are.
    private static let attempts: [(loss: Double, margins: [Double])] = [
        (3e-3, [1, 2, 4]), (1.5e-3, [1, 2, 4]), (7e-4, [2, 4, 8]), (3e-4, [4, 8, 16]),
        (0, [8, 16, 32]),
    ]

    private let model: LanguageModel
    /// By layer: the expert's parts one after the other.
    private let experts: [Int: [UInt8]]
    private let old: [Int: RouteContribution.Layer]
    private let texts: [Text]
    private let team: ThreadTeam
    private let rounding: Rounding

    /// - Parameters:
    ///   - experts: One for each layer with experts, of the layer's form.
    ///   - old: What the model, or the one that it grew out of, read and decided where routes are to stay.
    ///   - new: Texts of the new domain, at least eight, none longer than a block of a session.
    ///   - rounding: Of numbers to the types of the routers' tensors.
    /// - Throws: `.badInput` for too few texts, a token that the vocabulary lacks, or old text of other layers;
    ///   `.badConfig` for routers that no row can be added to.
    package init(
        _ model: LanguageModel, experts: [Int: [UInt8]], old: UnitedRoutes, new: [[Int]],
        team: ThreadTeam = .single, rounding: @escaping Rounding
    ) throws {
        try Self.check(model.description)
        guard new.count >= 8 else {
            throw CambiumError(.badInput, "\(new.count) new texts; give at least 8")
        }
        var texts: [Text] = []
        for (use, windows) in [
            (Use.choose, old.choose), (.check, old.check), (.report, old.report),
        ] {
            texts += windows.map { Text(tokens: $0.map { Int($0) }, isOld: true, use: use) }
        }
        for (index, tokens) in new.enumerated() {
            let use = Use(index)
            // What is checked is that old routes stay.
            if use != .check { texts.append(Text(tokens: tokens, isOld: false, use: use)) }
        }
        try Self.check(texts.map(\.tokens), model.description)
        self.old = try Self.layers(of: old, model)
        self.model = model
        self.experts = experts
        self.texts = texts
        self.team = team
        self.rounding = rounding
    }

    /// Solves all layers.
    ///
    /// - Parameters:
    ///   - unchanged: The share of old routes that must stay, over all layers, on texts held out. Aimed at is that
    ///     only half as many change.
    ///   - progress: Called with the layers done and all, once more for each attempt.
    /// - Throws: `.badInput` when no row keeps that share; `.notFinite`; what reading an expert throws.
    package func solve(
        unchanged: Double, progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in }
    ) throws -> Result {
        let before = try Before(model, texts, team)
        // Half of what may change is left for texts that differ from those that tell it.
        let aim = 1 - (1 - unchanged) / 2
        var best: Result?
        var limit = Double.infinity
        for (loss, margins) in Self.attempts where loss <= limit {
            let result = try attempt(.atMostOld(loss), margins, before, progress)
            if result.heldUnchanged >= aim { return result }
            if result.heldUnchanged > best?.heldUnchanged ?? -.infinity { best = result }
            // As if changes were in proportion to the loss.
            limit = loss * (1 - aim) / (1 - result.heldUnchanged)
        }
        if let best, best.heldUnchanged >= unchanged { return best }
        throw CambiumError(
            .badInput,
            "at best \(((best?.heldUnchanged ?? 0) * 10_000).rounded() / 100) % of the old text's routes "
                + "are sure to stay as they are, not \(unchanged * 100) %; give more old text, or ask for a smaller share"
        )
    }

    /// Solves all layers for a model that runs where a gate tells that a text is of the new domain: old routes stay
    /// only as far as that costs none of the new ones.
    ///
    /// - Parameters:
    ///   - share: Of the new domain's tokens, those that are to pick the expert in each layer.
    ///   - progress: Called with the layers done and all.
    /// - Throws: `.notFinite`; what reading an expert throws.
    package func solve(
        picked share: Double, progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in }
    ) throws -> Result {
        try attempt(.atLeastNew(share), [1, 2, 4], Before(model, texts, team), progress)
    }

    private func attempt(
        _ aim: EntryRow.Aim, _ margins: [Double], _ before: Before,
        _ progress: (Int, Int) throws -> Void
    ) throws -> Result {
        let walk = LayerWalk(model, texts.map(\.tokens), team: team)
        var additions: [Addition] = []
        var all = Figures()
        // By text: changes come in clusters, one moving the states behind it.
        var held: [Int: Figures] = [:]
        var texts = HeldText.of(self.texts)
        for (layer, parts) in model.layers.enumerated() {
            try walk.attend(layer)
            for block in parts.blocks {
                walk.read(block)
                guard case .experts(let layerExperts) = block.feedForward,
                    let router = block.feedForward.linearRouter,
                    let expert = experts[layer], let old = old[layer]
                else {
                    _ = try walk.feed(block)
                    continue
                }
                let grown = try GrownLayer(
                    layerExperts, router, adding: expert,
                    LayerEvidence(walk.inputs, self.texts, router, old, team: team),
                    layer: layer, aim, margins, team, rounding)
                let selection = try walk.feed(
                    block.replacing(grown.experts))
                let added = UInt32(layerExperts.table.count)
                let report = figures(of: added, selection, before.selection[layer], .report)
                all.add(report)
                for text in self.texts.indices where self.texts[text].use == .check {
                    held[text, default: Figures()].add(
                        figures(of: added, selection, before.selection[layer], .check, only: text))
                }
                for index in texts.indices {
                    let text = texts[index].index
                    texts[index].add(added, selection[text], before.selection[layer][text])
                }
                additions.append(
                    Addition(
                        layer: layer, row: grown.row, stored: grown.stored, figures: report))
            }
            try progress(layer + 1, model.layers.count)
        }
        var (newBits, oldBits) = (Bits(), Bits())
        for index in texts.indices where texts[index].reports {
            let text = texts[index]
            let nats = (before.nats[text.index] ?? [], walk.nats(text.index, text.tokens))
            let sums = (nats.0.reduce(0, +), nats.1.reduce(0, +))
            if text.isOld {
                oldBits.add(sums, text.tokens.count - 1)
            } else {
                newBits.add(sums, text.tokens.count - 1)
            }
            texts[index].nats = nats
        }
        let shares = held.sorted { $0.key < $1.key }.map(\.value)
            .map { Double($0.unchanged) / Double(max($0.oldTokens, 1)) }
        return Result(
            additions: additions, figures: all, heldUnchanged: Self.bound(shares),
            newBits: newBits.perToken, oldBits: oldBits.perToken, held: texts)
    }

    /// The mean share of routes that stay in each of some texts, less twice its standard error.
    static func bound(_ shares: [Double]) -> Double {
        let count = Double(max(shares.count, 1))
        let mean = shares.reduce(0, +) / count
        let squares = shares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return mean - 2 * (squares / max(count - 1, 1) / count).squareRoot()
    }

    /// Counts the picks of one layer over texts of one use.
    private func figures(
        of added: UInt32, _ after: [[UInt32]], _ before: [[UInt32]], _ use: Use,
        only: Int? = nil
    ) -> Figures {
        var figures = Figures()
        for text in only.map({ $0..<$0 + 1 }) ?? after.indices where texts[text].use == use {
            let (isOld, tokens) = (texts[text].isOld, texts[text].tokens.count)
            let topK = after[text].count / max(tokens, 1)
            for token in 0..<tokens {
                let range = token * topK..<(token + 1) * topK
                let (left, right) = (Set(before[text][range]), Set(after[text][range]))
                if isOld {
                    figures.oldTokens += 1
                    figures.unchanged += left == right ? 1 : 0
                } else {
                    figures.newTokens += 1
                    figures.picked += right.contains(added) ? 1 : 0
                }
            }
        }
        return figures
    }
}

extension ExpertGrowth.Bits {
    mutating func add(_ nats: (Double, Double), _ tokens: Int) {
        before += nats.0
        after += nats.1
        self.tokens += tokens
    }

    var perToken: ExpertGrowth.Bits {
        let divisor = Double(max(tokens, 1)) * 0.693147180559945309417
        return ExpertGrowth.Bits(before: before / divisor, after: after / divisor, tokens: tokens)
    }
}

/// What the model did before it grew.
private struct Before {
    /// By layer and text, [tokens, topK].
    let selection: [[[UInt32]]]
    /// By text; of those that report.
    let nats: [Int: [Double]]

    init(
        _ model: LanguageModel, _ texts: [ExpertGrowth.Text], _ team: ThreadTeam
    ) throws {
        let walk = LayerWalk(model, texts.map(\.tokens), team: team)
        var selection: [[[UInt32]]] = []
        for (index, layer) in model.layers.enumerated() {
            try walk.attend(index)
            var picked: [[UInt32]] = []
            for block in layer.blocks {
                walk.read(block)
                let own = try walk.feed(block)
                if case .experts = block.feedForward { picked = own }
            }
            selection.append(picked)
        }
        self.selection = selection
        var nats: [Int: [Double]] = [:]
        for (index, text) in texts.enumerated() where text.use == .report {
            nats[index] = walk.nats(index, text.tokens)
        }
        self.nats = nats
        guard nats.values.joined().allSatisfy(\.isFinite) else {
            throw CambiumError(.notFinite, "the model's logits for the texts are not finite")
        }
    }
}
