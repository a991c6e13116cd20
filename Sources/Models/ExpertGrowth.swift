package import Routing
package import Tensors

/// Gives each layer of a decoder that has experts one more, and solves the router rows by which tokens of a new
/// domain pick it, while the routes of old text stay.
///
/// Layers are solved one after the other, each on what it reads when the layers below have grown already. Of
/// every eight texts three are fitted, two are held out to choose by, two tell whether the whole keeps enough
/// routes, and one is used for nothing but the figures.
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
        /// The share of old tokens that each layer was allowed.
        package let loss: Double
    }

    /// What a text is used for.
    enum Use {
        case fit, choose, check, report

        init(_ index: Int) {
            let uses: [Use] = [.fit, .choose, .check, .fit, .report, .check, .fit, .choose]
            self = uses[index % uses.count]
        }
    }

    /// The shares of old tokens that a layer may lose, and the margins, tried one after the other.
    ///
    /// Margins are in units of what a token's best score is above the entry. Where all experts share a softmax, a
    /// score far below the entry also leaves the old weights as they are.
    private static let attempts: [(loss: Double, margins: [Double])] = [
        (3e-3, [1, 2, 4]), (1.5e-3, [1, 2, 4]), (7e-4, [2, 4, 8]), (3e-4, [4, 8, 16]),
        (0, [8, 16, 32]),
    ]

    private let model: DecoderModel
    /// By layer: the expert's parts one after the other.
    private let experts: [Int: [UInt8]]
    private let old: [[Int]]
    private let new: [[Int]]
    private let team: ThreadTeam
    private let rounding: Rounding

    /// - Parameters:
    ///   - experts: One for each layer with experts, of the layer's form.
    ///   - old: Texts whose routes are to stay, at least eight, none longer than a block of a session.
    ///   - new: Texts of the new domain, at least eight.
    ///   - rounding: Of numbers to the types of the routers' tensors.
    /// - Throws: `.badInput` for too few texts or a token that the vocabulary lacks; `.badConfig` for routers
    ///   that no row can be added to.
    package init(
        _ model: DecoderModel, experts: [Int: [UInt8]], old: [[Int]], new: [[Int]],
        team: ThreadTeam = .single, rounding: @escaping Rounding
    ) throws(ModelError) {
        for layer in model.description.expertLayers {
            guard case .experts(let sizes) = model.description.layers[layer].feedForward else {
                continue
            }
            guard sizes.topK < sizes.count else {
                throw ModelError(
                    .badConfig,
                    "layer \(layer) picks all of its \(sizes.count) experts for every token, so that "
                        + "there are no routes that a further expert could leave as they are")
            }
            if case .sigmoid(let groups, _, _, _) = sizes.scoring, groups > 1 {
                throw ModelError(
                    .badConfig,
                    "layer \(layer) picks experts from \(groups) groups of one size; one more expert "
                        + "does not divide into them")
            }
        }
        guard old.count >= 8, new.count >= 8 else {
            throw ModelError(
                .badInput, "\(old.count) old and \(new.count) new texts; give at least 8 of each")
        }
        for token in (old + new).joined()
        where token < 0 || token >= model.description.vocabularySize {
            throw ModelError(
                .badInput,
                "there is no token \(token); the vocabulary has 0 to "
                    + "\(model.description.vocabularySize - 1)")
        }
        self.model = model
        self.experts = experts
        self.old = old
        self.new = new
        self.team = team
        self.rounding = rounding
    }

    /// Solves all layers.
    ///
    /// - Parameters:
    ///   - unchanged: The share of old routes that must stay, over all layers, on texts held out.
    ///   - progress: Called with the layers done and all, once more for each attempt.
    /// - Throws: `.badInput` when no row keeps that share; `.notFinite`; what reading an expert throws.
    package func solve(
        unchanged: Double, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws(ModelError) -> Result {
        let before = try Before(model, old + new, team)
        var best = 0.0
        for (loss, margins) in Self.attempts {
            let result = try attempt(loss, margins, before, progress)
            if result.heldUnchanged >= unchanged { return result }
            best = max(best, result.heldUnchanged)
        }
        throw ModelError(
            .badInput,
            "at best \((best * 10_000).rounded() / 100) % of the old text's routes are sure to stay as they are, not "
                + "\(unchanged * 100) %; give more old text, or ask for a smaller share")
    }

    private func attempt(
        _ loss: Double, _ margins: [Double], _ before: Before, _ progress: (Int, Int) -> Void
    ) throws(ModelError) -> Result {
        let walk = DecoderWalk(model, old + new, team: team)
        var additions: [Addition] = []
        var all = Figures()
        // By text: changes come in clusters, one moving the states behind it.
        var held: [Int: Figures] = [:]
        for (layer, parts) in model.layers.enumerated() {
            walk.attend(layer)
            guard case .experts(let layerExperts) = parts.feedForward,
                let expert = experts[layer]
            else {
                _ = try walk.feed(parts.feedForward)
                continue
            }
            let grown = try GrownLayer(
                layerExperts, adding: expert,
                LayerEvidence(
                    walk.inputs, layerExperts.router, parts.feedForwardNorm, oldCount: old.count,
                    team: team), layer: layer, (loss, margins), team,
                rounding)
            let picks = try walk.feed(.experts(grown.experts))
            let added = UInt32(layerExperts.table.count)
            let report = figures(of: added, picks, before.picks[layer], .report)
            all.add(report)
            for text in old.indices where Use(text) == .check {
                held[text, default: Figures()].add(
                    figures(of: added, picks, before.picks[layer], .check, only: text))
            }
            additions.append(
                Addition(
                    layer: layer, row: grown.row, stored: grown.stored, figures: report))
            progress(layer + 1, model.layers.count)
        }
        var (newBits, oldBits) = (Bits(), Bits())
        for (index, tokens) in (old + new).enumerated() {
            let isOld = index < old.count
            guard Use(isOld ? index : index - old.count) == .report else { continue }
            let nats = (before.nats[index], walk.nats(index, tokens))
            if isOld {
                oldBits.add(nats, tokens.count - 1)
            } else {
                newBits.add(nats, tokens.count - 1)
            }
        }
        return Result(
            additions: additions, figures: all,
            heldUnchanged: Self.bound(old.indices.compactMap { held[$0] }),
            newBits: newBits.perToken, oldBits: oldBits.perToken, loss: loss)
    }

    /// The mean share of routes that stay, less twice its standard error over the texts.
    private static func bound(_ texts: [Figures]) -> Double {
        let shares = texts.map { Double($0.unchanged) / Double(max($0.oldTokens, 1)) }
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
        for text in only.map({ $0..<$0 + 1 }) ?? after.indices {
            let isOld = text < old.count
            guard Use(isOld ? text : text - old.count) == use else { continue }
            let tokens = isOld ? old[text].count : new[text - old.count].count
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
    fileprivate mutating func add(_ nats: (Double, Double), _ tokens: Int) {
        before += nats.0
        after += nats.1
        self.tokens += tokens
    }

    fileprivate var perToken: ExpertGrowth.Bits {
        let divisor = Double(max(tokens, 1)) * 0.693147180559945309417
        return ExpertGrowth.Bits(before: before / divisor, after: after / divisor, tokens: tokens)
    }
}

/// What the model did before it grew.
private struct Before {
    /// By layer and text, [tokens, topK].
    let picks: [[[UInt32]]]
    /// By text; of those that report.
    let nats: [Double]

    init(_ model: DecoderModel, _ texts: [[Int]], _ team: ThreadTeam) throws(ModelError) {
        let walk = DecoderWalk(model, texts, team: team)
        var picks: [[[UInt32]]] = []
        for (index, layer) in model.layers.enumerated() {
            walk.attend(index)
            picks.append(try walk.feed(layer.feedForward))
        }
        self.picks = picks
        nats = texts.indices.map { walk.nats($0, texts[$0]) }
        guard nats.allSatisfy(\.isFinite) else {
            throw ModelError(.notFinite, "the model's logits for the texts are not finite")
        }
    }
}
