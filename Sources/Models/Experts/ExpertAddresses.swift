package import Elements

/// Where some experts lie, for several threads to read.
///
/// Valid as long as this value and the table that filled it.
@safe package struct ExpertAddresses: Sendable {
    // What they point to is mapped, or kept by `copies`, and never written.
    nonisolated(unsafe) var rows: [UnsafeRawPointer] = unsafe []
    /// Keeps the experts that lie in memory of their own.
    var copies: [MappedBytes] = []

    package init() {}

    package var count: Int { unsafe rows.count }

    /// Of the expert at a position.
    @unsafe package subscript(position: Int) -> UnsafeRawPointer { unsafe rows[position] }

    /// Replaces the addresses by those that a function makes.
    @unsafe package mutating func fill<Failure: Error>(
        _ body: (inout [UnsafeRawPointer], inout [MappedBytes]) throws(Failure) -> Void
    ) throws(Failure) {
        copies.removeAll(keepingCapacity: true)
        try unsafe body(&rows, &copies)
    }
}
