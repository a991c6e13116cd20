package import Elements

/// The experts of a layer and some more behind them, which lie in memory of their own.
package final class GrownExpertTable: ExpertTable {
    private let base: any ExpertTable
    private let added: [MappedBytes]

    /// - Parameter experts: Of each its parts one after the other, as those of `base` have them.
    package init(_ base: any ExpertTable, adding experts: [[UInt8]]) {
        precondition(
            experts.allSatisfy { $0.count == base.expertBytes },
            "experts of \(base.expertBytes) bytes")
        self.base = base
        added = experts.map { MappedBytes(copying: $0) }
    }

    package var count: Int { base.count + added.count }
    package var parts: [TensorShape] { base.parts }

    package func find(
        _ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses
    ) throws {
        let first = UInt32(base.count)
        var known: [UInt32] = []
        // Any other expert stands in for an added one, so that places stay.
        for index in ordinals.indices {
            known.append(ordinals[index] >= first ? 0 : ordinals[index])
        }
        try base.find(known.span, &addresses)
        for index in ordinals.indices where ordinals[index] >= first {
            unsafe addresses.rows[index] = added[Int(ordinals[index] - first)].start
        }
    }

    package func tokensAtOnce(selections: Int) -> Int? { base.tokensAtOnce(selections: selections) }
}
