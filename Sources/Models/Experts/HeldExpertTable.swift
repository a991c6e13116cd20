package import Elements

/// Experts one after another in memory of their own.
package final class HeldExpertTable: ExpertTable {
    package let parts: [TensorShape]
    package let count: Int
    private let bytes: MappedBytes

    /// - Parameter experts: Each one's parts, one behind the other; copied.
    package init(_ experts: [[UInt8]], parts: [TensorShape]) {
        let size = parts.reduce(0) { $0 + ($1.byteCount ?? 0) }
        precondition(
            experts.allSatisfy { $0.count == size }, "experts of \(parts) take \(size) bytes each")
        self.parts = parts
        count = experts.count
        bytes = MappedBytes(copying: Array(experts.joined()))
    }

    package func find(
        _ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses
    ) throws {
        let size = expertBytes
        unsafe addresses.fill { rows, _ in
            unsafe rows.removeAll(keepingCapacity: true)
            for index in ordinals.indices {
                unsafe rows.append(bytes.start + Int(ordinals[index]) * size)
            }
        }
    }
}
