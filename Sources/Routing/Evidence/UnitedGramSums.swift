internal import Elements
package import Tensors

/// What a set of contributions over hidden states adds up to.
///
/// The same set gives the same value, in whatever order and by whatever merges it came together.
package struct UnitedGramSums: Sendable, Equatable {
    /// Of the adapters that contributed, ascending by bytes; of an adapters' gate class i is `names[i]`.
    package let names: [String]
    package let source: GramContribution.Source
    package let fitted: DigitGramSums
    package let heldOut: DigitGramSums

    /// Adds up the texts of adapters: class i is the i-th adapter by name.
    ///
    /// A text counts once in an adapter, whatever labels it came with.
    ///
    /// - Parameter contributions: Of texts of adapters; at least one.
    /// - Throws: `.incompatible` for several layers, trunks or quantisers; `.overflow`.
    package init(adapters contributions: [GramContribution]) throws {
        try self.init(contributions, namesAreClasses: true)
    }

    /// Adds up the picks among one adapter's experts.
    ///
    /// - Parameter contributions: Of picks, all of one adapter; at least one.
    /// - Throws: As ``init(adapters:)``, and for several numbers of experts.
    package init(selection contributions: [GramContribution]) throws {
        try self.init(contributions, namesAreClasses: false)
    }

    private init(
        _ contributions: [GramContribution], namesAreClasses: Bool
    ) throws {
        guard let source = contributions.first?.source else {
            throw CambiumError(
                .unsolvable, "there is no evidence to solve a router from; add some first")
        }
        var texts: [[UInt8]: GramContribution] = [:]
        for contribution in contributions {
            try Self.check(contribution.source, source)
            let key = Array(contribution.adapter.utf8) + [0] + contribution.data
            guard let first = texts[key] else {
                texts[key] = contribution
                continue
            }
            // Records of one text differ in their labels alone, unless another program wrote them.
            if contribution.encoded.lexicographicallyPrecedes(first.encoded) {
                texts[key] = contribution
            }
        }
        var adapters: [[UInt8]: String] = [:]
        for contribution in texts.values {
            adapters[Array(contribution.adapter.utf8)] = contribution.adapter
        }
        let order = adapters.keys.sorted { $0.lexicographicallyPrecedes($1) }
        var (fitted, heldOut) = (source.nothing, source.nothing)
        for contribution in texts.values {
            guard namesAreClasses else {
                try fitted.add(contribution.fitted)
                try heldOut.add(contribution.heldOut)
                continue
            }
            let name = Array(contribution.adapter.utf8)
            let id = UInt32(order.firstIndex(of: name) ?? 0)
            try fitted.add(contribution.fitted.renamed(id))
            try heldOut.add(contribution.heldOut.renamed(id))
        }
        names = order.map { adapters[$0] ?? "" }
        self.source = source
        self.fitted = fitted
        self.heldOut = heldOut
    }

    private static func check(
        _ other: GramContribution.Source, _ source: GramContribution.Source
    ) throws {
        guard other != source else { return }
        let what =
            other.layer != source.layer
            ? "layers"
            : other.trunk != source.trunk
                ? "trunks"
                : other.digits != source.digits ? "numbers of experts or heads" : "quantisers"
        throw CambiumError(
            .incompatible, "Gram sums over different \(what) cannot be added: their features differ"
        )
    }

    /// Solves a digit's read-out, its λ chosen by what is held out.
    ///
    /// `explained` is the share of the held-out squared error of always answering with the frequencies
    /// that ridge with this λ is spared when it is solved without them; nil of discriminants, and when
    /// nothing is held out.
    package func readOut(
        _ form: ReadOut.Form, digit: Int = 0, team: ThreadTeam = .single
    ) throws -> (readOut: ReadOut, lambda: Double, explained: Double?) {
        try Self.readOut(form, fitted.gramSums(digit), heldOut.gramSums(digit), team)
    }

    /// Solves the read-outs of a tree's levels, from picks whose low digit is the leaf.
    package func readOuts(
        _ form: ReadOut.Form, branching: [Int], team: ThreadTeam = .single
    ) throws -> [(readOut: ReadOut, lambda: Double, explained: Double?)] {
        let (fit, held) = (
            try fitted.levels(of: 1, branching: branching),
            try heldOut.levels(of: 1, branching: branching)
        )
        return try branching.indices.map {
            try Self.readOut(form, fit.gramSums($0), held.gramSums($0), team)
        }
    }

    private static func readOut(
        _ form: ReadOut.Form, _ fit: GramSums, _ held: GramSums, _ team: ThreadTeam
    ) throws -> (readOut: ReadOut, lambda: Double, explained: Double?) {
        let (lambda, loss) = try ReadOut.chosen(form, fit, held, team)
        var all = fit
        try all.add(held)
        let explained =
            form == .ridge ? loss.flatMap { ReadOut.explained(fit, held, loss: $0) } : nil
        return (try ReadOut(form, of: all, lambda: lambda, team: team), lambda, explained)
    }
}
