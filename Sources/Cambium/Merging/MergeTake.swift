internal import Merging

/// What settles some conflicts of a merge, decided one by one: `1/7=law`, `router 0/*=mean`.
///
/// On the left is what is meant (docs/merging.md, "Entities"), on the right of the last `=` the side whose
/// version is taken, by any name of its commit, or a policy.
public struct MergeTake: Sendable {
    let decision: MergeDecision

    private init(_ decision: MergeDecision) { self.decision = decision }

    /// As it was written.
    public var text: String { decision.text }

    /// The policy on the right side; nil when a side is named.
    public var policy: MergePolicy? { MergePolicy(rawValue: decision.value) }

    /// Reads one decision.
    ///
    /// - Throws: `usage` for a text that is none.
    public init(_ text: String) throws { self.init(try MergeDecision(text)) }

    /// Reads decisions from a text, one in a line; empty lines and those that begin with `#` are skipped.
    ///
    /// - Throws: `usage`, with the line's number.
    public static func list(_ text: String) throws -> [MergeTake] {
        try MergeDecision.list(text).map { MergeTake($0) }
    }
}
