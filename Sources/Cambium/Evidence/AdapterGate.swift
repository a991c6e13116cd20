internal import Evidence
internal import Objects

/// A gate solved from evidence: tells from a text's own bytes which adapter it belongs to.
///
/// All of it is integer arithmetic; the same evidence gives the same bits on any machine.
public struct AdapterGate: Sendable {
    /// An adapter's share of a text.
    public struct Share: Sendable, Encodable, Equatable {
        /// The adapter's name.
        public let adapter: String
        /// 0 to 1; the shares of all adapters add up to 1.
        public let weight: Double
    }

    /// The commit that it was solved for.
    public let commit: String
    let gate: EvidenceGate

    /// The SHA-256 of its canonical form: the same set of evidence, the same id.
    public var id: String { gate.id.hex }

    /// The classes, by ascending name.
    public var adapters: [String] { gate.adapters }

    /// The shares of the adapters after a text, the greatest first, equal ones by name.
    public func shares(after text: [UInt8]) -> [Share] {
        gate.shares(after: text).map { Share(adapter: $0, weight: $1) }
    }

    /// As ``shares(after:)-([UInt8])``, of a text that is read part by part.
    public func shares(after text: TextSource) throws -> [Share] {
        try gate.shares(after: text).map { Share(adapter: $0, weight: $1) }
    }
}
