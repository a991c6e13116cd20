internal import KeyValue
internal import Objects

/// Where the expert arrays of a merge differ: from one another or from their bases.
struct ExpertChanges {
    struct Change {
        let ordinal: Int
        let bases: [ObjectID?]
        let sides: [ObjectID?]
    }

    /// What all of them agree on; as long as the longest, with gaps at the changes.
    private(set) var common: [ObjectID]
    private(set) var changes: [Change] = []

    /// - Complexity: Proportional to the differences where the arrays share a stored ancestor.
    init(
        _ bases: [Cohort?], _ sides: [Cohort],
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws(SnapshotError) {
        var before: [ArrayView?] = []
        for base in bases {
            before.append(
                try base.map { (cohort) throws(SnapshotError) in
                    try ArrayView(cohort.experts, transaction)
                })
        }
        var views: [ArrayView] = []
        for side in sides { views.append(try ArrayView(side.experts, transaction)) }
        let reference = before.compactMap { $0 }.first ?? views[0]
        let length = (before.compactMap { $0 } + views).reduce(0) { max($0, $1.count) }
        common = reference.entries().map(\.id)
        common.append(contentsOf: repeatElement(.zero, count: length - common.count))
        var touched: Set<Int> = []
        for view in before + views {
            // A base without the cohort has none of its experts.
            touched.formUnion(view.map { $0.differences(from: reference) } ?? Array(0..<length))
        }
        func id(_ view: ArrayView?, _ ordinal: Int) -> ObjectID? {
            guard let view, ordinal < view.count else { return nil }
            let id = view.entry(ordinal).id
            return id == .zero ? nil : id
        }
        changes = touched.sorted().map { ordinal in
            Change(
                ordinal: ordinal, bases: before.map { id($0, ordinal) },
                sides: views.map { id($0, ordinal) })
        }
    }
}
