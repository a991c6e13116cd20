internal import Elements
package import Tensors

/// The router row of a further expert, solved in closed form: its score is to be above the entry for tokens
/// of a new domain and below it for tokens of old text, where the routes are to stay.
///
/// Ridge regression (Hoerl and Kennard, 1970) of entry + margin on the new tokens and entry - margin on the old
/// ones; the rows that exist are not touched. The normal equations are sums of integers, and the solve is of fixed
/// order, so equal evidence gives equal bits. What a regression cannot know, where the score crosses the entry
/// for how many tokens, is set on tokens that were held out: a constant is added, for routers without a bias the
/// linear function nearest to one, as great as the allowed loss of old routes lets it be, or as small as the wanted share of new
/// tokens lets it be. λ, the weight of the old tokens and the margin are those with which the most new tokens, or the fewest
/// old ones, are picked.
package struct EntryRow: Sendable, Equatable {
    /// How often the expert may, or has to, be picked.
    package enum Aim: Sendable, Equatable {
        /// For at most this share of old tokens; for as many new ones as that lets.
        case atMostOld(Double)
        /// For at least this share of new tokens; for as few old ones as that lets.
        case atLeastNew(Double)

        fileprivate var share: Double {
            switch self {
            case .atMostOld(let share), .atLeastNew(let share): share
            }
        }
    }

    /// Tokens that were held out, with what ``EntryGramSums`` sums up.
    package struct HeldOut: Sendable {
        /// [tokens, width + 1]: the features and the constant.
        private(set) var features: [Float] = []
        /// [tokens].
        private(set) var entries: [Float] = []

        package init() {}

        /// Adds tokens.
        ///
        /// - Parameters:
        ///   - features: [tokens, width].
        ///   - entries: [tokens].
        package mutating func add(_ features: [Int16], entries: [Float]) {
            let width = features.count / max(entries.count, 1)
            for token in entries.indices {
                self.features += features[token * width..<(token + 1) * width].map { Float($0) }
                self.features.append(Float(EntryGramSums.one))
            }
            self.entries += entries
        }
    }

    /// The weights of all old tokens together that are tried; the new ones have the rest.
    ///
    /// Where few old tokens may be picked, how far they scatter matters more than how far new ones do.
    private static let oldWeights = [0.5, 0.9, 0.98]
    /// The λ that are tried, the greatest first.
    private static let lambdas = [0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4, 1e-4]
    /// What share of the new tokens a better λ or margin must add to be preferred to a greater λ or a smaller
    /// margin.
    private static let least = 0.005

    /// [width], of what the router reads, before quantisation.
    package let weights: [Float]
    /// 0 for a router without biases.
    package let bias: Float
    /// As a share of the mean of the diagonal.
    package let lambda: Double
    /// How far the regression's targets are from the entry.
    package let margin: Double

    /// Solves a row.
    ///
    /// - Parameters:
    ///   - old: Of tokens whose routes are to stay; at least one.
    ///   - new: Of tokens that are to be picked; at least one.
    ///   - margins: How far the targets are from the entry, those that are tried; positive, the least first.
    ///   - heldOld: Old tokens of other texts than `old`; at least one.
    ///   - heldNew: New tokens of other texts than `new`.
    ///   - scales: [width], of the quantiser.
    ///   - hasBias: Whether the router adds a constant to each score.
    ///   - aim: Of the tokens held out, for how many the expert is picked.
    /// - Throws: ``CambiumError`` when the sums have no solution.
    /// - Complexity: width³ / 3 multiplications for each λ, and 3 width for each of them, weight and token held out.
    package init(
        old: EntryGramSums, new: EntryGramSums, margins: [Double], heldOld: HeldOut,
        heldNew: HeldOut,
        scales: [Float], hasBias: Bool, aim: Aim, team: ThreadTeam = .single
    ) throws {
        let width = old.width
        precondition(
            new.width == width && scales.count == width && margins.allSatisfy { $0 > 0 }
                && (0...1).contains(aim.share),
            "\(width) and \(new.width) features, \(scales.count) scales")
        precondition(old.count > 0 && new.count > 0 && !heldOld.entries.isEmpty, "no tokens")
        var best: (value: Double, row: [Double], lambda: Double, margin: Double)?
        for oldWeight in Self.oldWeights {
            let equations = Equations(
                old, new, oldWeight, unknowns: hasBias ? width + 1 : width)
            for lambda in Self.lambdas {
                guard let parts = equations.solve(lambda, team) else { continue }
                let oldScores = Self.scores(parts, heldOld, width, team)
                let newScores = Self.scores(parts, heldNew, width, team)
                for margin in margins {
                    let offset: Double
                    let value: Double
                    switch aim {
                    case .atMostOld(let share):
                        offset = Self.offset(oldScores, margin, loss: share)
                        value = Self.picked(newScores, margin, offset)
                    case .atLeastNew(let share):
                        offset = Self.offset(newScores, margin, reaching: share)
                        value = -Self.picked(oldScores, margin, offset)
                    }
                    if let best, value <= best.value + Self.least { continue }
                    let row = parts.entry.indices.map {
                        parts.entry[$0] + margin * parts.side[$0] + offset * parts.one[$0]
                    }
                    best = (value, row, lambda, margin)
                }
            }
        }
        guard let best else {
            throw CambiumError(
                .unsolvable,
                "the evidence gives no router row: its \(old.count) + \(new.count) tokens are alike"
            )
        }
        weights = scales.indices.map { Float(best.row[$0] * Double(scales[$0])) }
        bias = hasBias ? Float(best.row[width] * Double(EntryGramSums.one)) : 0
        lambda = best.lambda
        margin = best.margin
    }

    /// Of one token: how far the regression of the entry is above the entry itself, and the other two parts.
    private struct Scores {
        let entry, side, one: Double

        func total(_ margin: Double, _ offset: Double) -> Double {
            entry + margin * side + offset * one
        }
    }

    private static func scores(
        _ parts: Equations.Solution, _ tokens: HeldOut, _ width: Int, _ team: ThreadTeam
    ) -> [Scores] {
        let count = tokens.entries.count
        var rows: [Float] = []
        for part in [parts.entry, parts.side, parts.one] {
            rows += part.map { Float($0) }
            // Without a bias the constant counts nothing.
            if part.count == width { rows.append(0) }
        }
        var products = [Float](repeating: 0, count: 3 * count)
        if count > 0 {
            var span = products.mutableSpan
            PackedMatrix(Matrix(rows: 3, columns: width + 1, values: rows)).multiply(
                tokens.features.span, tokens: count, into: &span, team: team)
        }
        return tokens.entries.indices.map { token in
            Scores(
                entry: Double(products[3 * token]) - Double(tokens.entries[token]),
                side: Double(products[3 * token + 1]), one: Double(products[3 * token + 2]))
        }
    }

    /// The greatest offset with which at most a share of tokens is picked.
    private static func offset(_ tokens: [Scores], _ margin: Double, loss: Double) -> Double {
        let bounds = bounds(tokens, margin)
        guard !bounds.isEmpty else { return -margin }
        let allowed = Int(loss * Double(tokens.count))
        // Nobody at all: then a little further, since other texts have other tokens.
        if allowed == 0 { return bounds[0] - margin / 8 }
        return bounds[min(allowed, bounds.count - 1)]
    }

    /// The least offset with which at least a share of tokens is picked.
    private static func offset(
        _ tokens: [Scores], _ margin: Double, reaching share: Double
    ) -> Double {
        let bounds = bounds(tokens, margin)
        guard let last = bounds.last else { return margin }
        let wanted = Int((share * Double(tokens.count)).rounded(.up))
        return wanted < bounds.count ? bounds[wanted] : last + margin / 8
    }

    /// By ascending value, the offsets above which a token is picked.
    private static func bounds(_ tokens: [Scores], _ margin: Double) -> [Double] {
        tokens.filter { $0.one > 0.1 }.map { -$0.total(margin, 0) / $0.one }.sorted()
    }

    private static func picked(_ tokens: [Scores], _ margin: Double, _ offset: Double) -> Double {
        let count = tokens.count { $0.total(margin, offset) > 0 }
        return Double(count) / Double(max(tokens.count, 1))
    }
}

/// The normal equations of three regressions on the same tokens: of the entry, of the side (1 for new tokens,
/// -1 for old ones) and of 1.
private struct Equations {
    struct Solution {
        /// [unknowns] each.
        let entry, side, one: [Double]
    }

    private let unknowns: Int
    /// The lower triangle, row by row.
    private let matrix: [Double]
    private let diagonal: Double
    /// [unknowns, 3].
    private let sides: [Double]

    init(_ old: EntryGramSums, _ new: EntryGramSums, _ oldWeight: Double, unknowns: Int) {
        let (constant, entry) = (old.width, old.width + 1)
        let oldShare = oldWeight / Double(old.count)
        let newShare = (1 - oldWeight) / Double(new.count)
        var matrix: [Double] = []
        var sides: [Double] = []
        var trace = 0.0
        for row in 0..<unknowns {
            for column in 0...row {
                matrix.append(oldShare * old.sum(row, column) + newShare * new.sum(row, column))
            }
            trace += matrix[matrix.count - 1]
            let ofOld = oldShare * old.sum(row, constant) / Double(EntryGramSums.one)
            let ofNew = newShare * new.sum(row, constant) / Double(EntryGramSums.one)
            let ofEntry = oldShare * old.sum(row, entry) + newShare * new.sum(row, entry)
            sides += [ofEntry / Double(EntryGramSums.unit), ofNew - ofOld, ofNew + ofOld]
        }
        self.unknowns = unknowns
        self.matrix = matrix
        self.sides = sides
        diagonal = trace / Double(unknowns)
    }

    /// Nil when the matrix is not positive definite.
    func solve(_ lambda: Double, _ team: ThreadTeam) -> Solution? {
        let ridge = lambda * diagonal
        let factor = try? Cholesky(size: unknowns, team: team) { lower in
            var position = 0
            for row in 0..<unknowns {
                for column in 0...row {
                    lower[row * unknowns + column] = matrix[position]
                    position += 1
                }
                lower[row * unknowns + row] += ridge
            }
        }
        guard let factor else { return nil }
        var solved = sides
        factor.solve(&solved, count: 3, team: team)
        func column(_ index: Int) -> [Double] {
            (0..<unknowns).map { solved[3 * $0 + index] }
        }
        return Solution(entry: column(0), side: column(1), one: column(2))
    }
}
