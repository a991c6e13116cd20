package import Elements
package import Tensors

/// Hashed rows in memory, as training has them.
package final class HeldRowTable: ExpertTable {
    package let parts: [TensorShape]
    package var count: Int { rows.count }
    private let rows: RowTable

    /// - Parameter rows: Not to be changed while it is in use.
    package init(_ rows: RowTable) {
        self.rows = rows
        parts = RowForm.floats(width: rows.width).parts
    }

    package func find(
        _ ordinals: Span<UInt32>, _ addresses: inout ExpertAddresses
    ) throws {
        unsafe addresses.fill { found, _ in
            unsafe found.removeAll(keepingCapacity: true)
            for index in ordinals.indices {
                unsafe found.append(rows.address(of: ordinals[index]))
            }
        }
    }
}
