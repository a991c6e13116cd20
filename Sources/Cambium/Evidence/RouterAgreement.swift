internal import Evidence

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
        let found = try snapshots.agreement(
            of: router.solved, on: text, assigned: assigned?.experts, threads: threads)
        return RouterAgreement(
            bytes: text.count, isEvidence: found.isEvidence, first: found.first,
            picked: found.picked, digits: found.digits, mostFrequent: found.mostFrequent)
    }
}
