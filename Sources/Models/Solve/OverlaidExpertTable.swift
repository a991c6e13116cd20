internal import Elements

/// The experts of a layer with others in the places of some, which lie in memory of their own.
final class OverlaidExpertTable: ExpertTable {
    private let base: any ExpertTable
    private let others: [UInt32: MappedBytes]

    /// - Parameter others: By ordinal, each its parts one after the other, as those of `base` have them.
    init(_ base: any ExpertTable, others: [Int: [UInt8]]) {
        precondition(
            others.allSatisfy { base.count > $0.key && $0.value.count == base.expertBytes },
            "experts of \(base.expertBytes) bytes, up to \(base.count)")
        self.base = base
        self.others = Dictionary(
            uniqueKeysWithValues: others.map { (UInt32($0.key), MappedBytes(copying: $0.value)) })
    }

    var count: Int { base.count }
    var parts: [TensorShape] { base.parts }

    func find(_ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses) throws {
        try base.find(ordinals, &addresses)
        for index in ordinals.indices {
            guard let other = others[ordinals[index]] else { continue }
            unsafe addresses.rows[index] = other.start
        }
    }

    func tokensAtOnce(selections: Int) -> Int? { base.tokensAtOnce(selections: selections) }
}
