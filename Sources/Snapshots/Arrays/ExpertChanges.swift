internal import KeyValue
internal import Objects

/// Where the expert arrays of a merge differ: from one another or from their bases.
struct ExpertChanges {
    struct Change {
        let ordinal: Int
        let bases: [ObjectID?]
        let sides: [ObjectID?]
    }

    /// The root of the array that all of them are compared with.
    let reference: ObjectID
    private(set) var changes: [Change] = []

    /// - Complexity: Proportional to the differences where the arrays share a stored ancestor.
    init(
        _ bases: [ExpertPool?], _ sides: [ExpertPool],
        _ transaction: borrowing some TransactionAccess & ~Copyable
    ) throws {
        var before: [ArrayView?] = []
        for base in bases {
            before.append(
                try base.map { pool in
                    try ArrayView(pool.experts, transaction)
                })
        }
        var views: [ArrayView] = []
        for side in sides { views.append(try ArrayView(side.experts, transaction)) }
        let first = before.compactMap { $0 }.first ?? views[0]
        reference = first.root
        let length = (before.compactMap { $0 } + views).reduce(0) { max($0, $1.count) }
        let reader = try ObjectReader(transaction)
        var touched: Set<Int> = []
        for view in before + views {
            // A base without the pool has none of its experts.
            guard let view else {
                touched.formUnion(0..<length)
                continue
            }
            touched.formUnion(try view.differences(from: first, reader, transaction))
        }
        for ordinal in touched.sorted() {
            var olds: [ObjectID?] = []
            for view in before {
                olds.append(
                    try view.map { view in
                        try view.id(ordinal, reader, transaction)
                    } ?? nil)
            }
            var news: [ObjectID?] = []
            for view in views { news.append(try view.id(ordinal, reader, transaction)) }
            changes.append(Change(ordinal: ordinal, bases: olds, sides: news))
        }
    }
}
