internal import Elements
package import Tensors

/// What a set of contributions over hidden states adds up to.
///
/// The same set gives the same value, in whatever order and by whatever merges it came together.
package struct UnitedMoments: Sendable, Equatable {
    /// Of the cohorts that contributed, ascending by bytes; of a cohorts' gate class i is `names[i]`.
    package let names: [String]
    package let source: MomentContribution.Source
    package let fitted: DigitMoments
    package let heldOut: DigitMoments

    /// Adds up the texts of cohorts: class i is the i-th cohort by name.
    ///
    /// A text counts once in a cohort, whatever labels it came with.
    ///
    /// - Parameter contributions: Of texts of cohorts; at least one.
    /// - Throws: `.incompatible` for several layers, trunks or quantisers; `.overflow`.
    package init(cohorts contributions: [MomentContribution]) throws {
        try self.init(contributions, namesAreClasses: true)
    }

    /// Adds up the picks among one cohort's experts.
    ///
    /// - Parameter contributions: Of picks, all of one cohort; at least one.
    /// - Throws: As ``init(cohorts:)``, and for several numbers of experts.
    package init(picks contributions: [MomentContribution]) throws {
        try self.init(contributions, namesAreClasses: false)
    }

    private init(
        _ contributions: [MomentContribution], namesAreClasses: Bool
    ) throws {
        guard let source = contributions.first?.source else {
            throw CambiumError(
                .unsolvable, "there is no evidence to solve a router from; add some first")
        }
        var texts: [[UInt8]: MomentContribution] = [:]
        for contribution in contributions {
            try Self.check(contribution.source, source)
            let key = Array(contribution.cohort.utf8) + [0] + contribution.data
            guard let first = texts[key] else {
                texts[key] = contribution
                continue
            }
            // Records of one text differ in their labels alone, unless another program wrote them.
            if contribution.encoded.lexicographicallyPrecedes(first.encoded) {
                texts[key] = contribution
            }
        }
        var cohorts: [[UInt8]: String] = [:]
        for contribution in texts.values {
            cohorts[Array(contribution.cohort.utf8)] = contribution.cohort
        }
        let order = cohorts.keys.sorted { $0.lexicographicallyPrecedes($1) }
        var (fitted, heldOut) = (source.nothing, source.nothing)
        for contribution in texts.values {
            guard namesAreClasses else {
                try fitted.add(contribution.fitted)
                try heldOut.add(contribution.heldOut)
                continue
            }
            let name = Array(contribution.cohort.utf8)
            let id = UInt32(order.firstIndex(of: name) ?? 0)
            try fitted.add(contribution.fitted.renamed(id))
            try heldOut.add(contribution.heldOut.renamed(id))
        }
        names = order.map { cohorts[$0] ?? "" }
        self.source = source
        self.fitted = fitted
        self.heldOut = heldOut
    }

    private static func check(
        _ other: MomentContribution.Source, _ source: MomentContribution.Source
    ) throws {
        guard other != source else { return }
        let what =
            other.layer != source.layer
            ? "layers"
            : other.trunk != source.trunk
                ? "trunks" : other.digits != source.digits ? "numbers of experts" : "quantisers"
        throw CambiumError(
            .incompatible, "moments over different \(what) cannot be added: their features differ")
    }

    /// Solves a digit's read-out, its λ chosen by what is held out.
    ///
    /// `explained` is the share of the held-out squared error of always answering with the frequencies
    /// that ridge with this λ is spared when it is solved without them; nil of discriminants, and when
    /// nothing is held out.
    package func readOut(
        _ form: ReadOut.Form, digit: Int = 0, team: ThreadTeam = .single
    ) throws -> (readOut: ReadOut, lambda: Double, explained: Double?) {
        let (fit, held) = (try fitted.moments(digit), try heldOut.moments(digit))
        let (lambda, loss) = try ReadOut.chosen(form, fit, held, team)
        var all = fit
        try all.add(held)
        let explained =
            form == .ridge ? loss.flatMap { ReadOut.explained(fit, held, loss: $0) } : nil
        return (try ReadOut(form, of: all, lambda: lambda, team: team), lambda, explained)
    }
}
