internal import KeyValue
internal import Objects
internal import Synchronization

/// Arrays that one expert after another is looked for in: each is read once for each state of the store.
final class KeptArrays: Sendable {
    private struct Kept {
        var state = 0
        var views: [ObjectID: ArrayView] = [:]
    }

    private let kept = Mutex(Kept())

    /// The array as the transaction has it; of use as long as the transaction.
    func view(
        _ root: ObjectID, _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws -> ArrayView {
        // In another state the pages that a view maps may hold something else.
        let state = transaction.state
        let known = kept.withLock { kept in kept.state == state ? kept.views[root] : nil }
        if let known { return known }
        let view = try ArrayView(root, transaction)
        kept.withLock { kept in
            if kept.state != state { kept = Kept(state: state) }
            kept.views[root] = view
        }
        return view
    }
}
