package import Routing

/// Bytes in an n-gram of new evidence.
package enum EvidenceOrder {
    /// What tells adapters apart well at a small size.
    private static let ofGate = 3
    /// What predicts well beside a model; docs/continual.md has the figures.
    private static let ofPredictions = 6

    /// As the evidence that is there, of which a gate takes the lowest order; else what its use asks for.
    package static func standard(_ known: [CountContribution], mixesCounts: Bool) -> Int {
        known.map(\.counts.order).min() ?? (mixesCounts ? ofPredictions : ofGate)
    }
}
