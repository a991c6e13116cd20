internal import Elements

/// Picks adapters by a given table: the same for every token.
///
/// The gates that read evidence are ``CountGate`` and, over hidden states, ``ReadOut``; a table serves
/// where a user decides which adapters are active and how much each counts.
package struct GramGate: Sendable, Hashable {
    /// One weight for each adapter, none negative, not all zero.
    package let table: [Float]

    /// - Throws: ``CambiumError`` for a weight that is negative or not finite, or when none is
    ///   positive.
    package init(_ table: [Float]) throws {
        for (index, weight) in table.enumerated() where !(weight >= 0 && weight.isFinite) {
            throw CambiumError(
                .badInput, "the weight of adapter \(index) is \(weight); give 0 or more")
        }
        guard table.contains(where: { $0 > 0 }) else {
            throw CambiumError(.badInput, "no adapter has a weight above 0; give one at least")
        }
        self.table = table
    }

    /// The `count` adapters with the greatest weights, best first, equal ones in ascending order, and
    /// their shares of what they have together; adapters of weight 0 are never picked.
    package func pick(count: Int) -> (adapters: [Int], weights: [Float]) {
        let ranked = table.indices.filter { table[$0] > 0 }.sorted {
            (table[$0], $1) > (table[$1], $0)
        }
        let chosen = Array(ranked.prefix(count))
        let sum = chosen.reduce(Float(0)) { $0 + table[$1] }
        return (chosen, chosen.map { table[$0] / sum })
    }
}
