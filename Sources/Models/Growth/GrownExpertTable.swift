internal import Elements

/// The experts of a layer and one more, which lies in memory of its own.
final class GrownExpertTable: ExpertTable {
    private let base: any ExpertTable
    private let added: MappedBytes

    /// - Parameter expert: Its parts one after the other, as those of `base` have them.
    init(_ base: any ExpertTable, adding expert: [UInt8]) {
        precondition(
            expert.count == base.expertBytes, "\(expert.count) bytes for \(base.expertBytes)")
        self.base = base
        added = MappedBytes(copying: expert)
    }

    var count: Int { base.count + 1 }
    var parts: [TensorShape] { base.parts }

    func find(
        _ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses
    ) throws {
        let last = UInt32(base.count)
        var known: [UInt32] = []
        // Any other expert stands in for the added one, so that places stay.
        for index in ordinals.indices {
            known.append(ordinals[index] == last ? 0 : ordinals[index])
        }
        try base.find(known.span, &addresses)
        for index in ordinals.indices where ordinals[index] == last {
            unsafe addresses.rows[index] = added.start
        }
    }

    func tokensAtOnce(selections: Int) -> Int? { base.tokensAtOnce(selections: selections) }
}
