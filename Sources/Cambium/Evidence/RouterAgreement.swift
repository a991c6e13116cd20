internal import Evidence
internal import Models
internal import Objects
internal import Routing
internal import Tensors

/// How far a router that was solved in closed form picks on a text what it should.
public struct RouterAgreement: Sendable, Encodable {
    /// Bytes of the text.
    public let bytes: Int
    /// Whether the router was solved from this very text: then the shares say nothing of others.
    public let isEvidence: Bool
    /// The share of the targets that are its first pick.
    public let first: Double
    /// The share of the targets that are among its picks.
    public let picked: Double
    /// The shares of the targets whose high and whose low digit is that of its first pick.
    public let digits: [Double]
    /// The share that the most frequent target has: what `first` would be of always picking it.
    public let mostFrequent: Double
}

extension Store {
    /// Compares what a solved router picks for each byte of a text with the experts that the layer's own
    /// router's heads pick first, or that are assigned.
    ///
    /// - Parameters:
    ///   - router: Of a commit that the store still has, and whose model can be run.
    ///   - text: At least one byte; read in windows of the context length.
    ///   - assigned: The expert that each byte should pick; nil for those that the layer's router picks.
    ///   - threads: Share the work; the result does not depend on them.
    /// - Throws: `usage` for a text or assignments that cannot be; `not-found`; `unsupported` for a model
    ///   that cannot be run.
    public func agreement(
        of router: ExpertRouter, on text: [UInt8], assigned: Assignments? = nil, threads: Int = 1
    ) throws -> RouterAgreement {
        guard (1...1_024).contains(threads) else {
            throw CambiumError(.usage, "\(threads) threads; give 1 to 1024")
        }
        guard !text.isEmpty else { throw CambiumError(.usage, "the text has no bytes") }
        try assigned?.check(text, "the text", experts: router.experts)
        let team = ThreadTeam(count: threads)
        let snapshot = try map(router.commit)
        let model = try model(router.commit, .checking).model.base
        let reader = try GramReader(
            snapshot, model, layer: router.layer, ofExperts: true, team)
        let second = reader.source.digits[1]
        var selection = router.router.noPicks
        var (targets, first, picked, high, low) = (0, 0, 0, 0, 0)
        var frequencies: [UInt32: Int] = [:]
        try reader.windows(text) { window, _, states in
            let (wanted, perToken) = reader.targets(window, states, assigned?.experts)
            let tokens = wanted.count / perToken
            router.router.route(states.span, tokens: tokens, into: &selection, team: team)
            for (index, expert) in wanted.enumerated() {
                let found = selection.route(token: index / perToken, head: 0).experts
                targets += 1
                frequencies[expert, default: 0] += 1
                if found[0] == expert { first += 1 }
                if found.contains(expert) { picked += 1 }
                if found[0] / second == expert / second { high += 1 }
                if found[0] % second == expert % second { low += 1 }
            }
        }
        func share(_ count: Int) -> Double { Double(count) / Double(targets) }
        return RouterAgreement(
            bytes: text.count, isEvidence: router.texts.contains(try ObjectID(ofFile: text).bytes),
            first: share(first), picked: share(picked), digits: [share(high), share(low)],
            mostFrequent: share(frequencies.values.max() ?? 0))
    }
}
