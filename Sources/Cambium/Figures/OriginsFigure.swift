internal import Objects
internal import Snapshots

/// Which commits made the experts of a model, and which changed each last.
public struct OriginsFigure: Sendable, Encodable {
    /// A commit that made experts, or to which some owe what they are.
    public struct Round: Sendable, Encodable {
        /// Its id.
        public let commit: String
        /// The first line of its message.
        public let subject: String
        /// Seconds since 1970-01-01 00:00 UTC.
        public let time: Int64
        /// Experts of the model that it made.
        public let made: Int
        /// Experts of the model that it changed last, those that it made among them.
        public let changed: Int
    }

    /// One pool.
    public struct Pool: Sendable, Encodable {
        /// The layer's number.
        public let layer: Int
        /// The pool's name.
        public let pool: String
        /// By the expert's number, the place in ``OriginsFigure/rounds`` of the commit that made it; nil for an
        /// expert that is absent.
        public let made: [Int?]
        /// The same of the commit that changed it last.
        public let changed: [Int?]
    }

    /// The commit whose model it is; nil in a store without any.
    public let commit: String?
    /// Oldest first.
    public let rounds: [Round]
    /// By layer and name.
    public let pools: [Pool]
}

extension Figures {
    /// Which commits made the experts of the first revision's model, and which changed each last.
    ///
    /// - Throws: `not-found`.
    /// - Complexity: Reads the history's records, and of arrays of experts what changed.
    public func origins() throws -> OriginsFigure {
        guard let subject else { return OriginsFigure(commit: nil, rounds: [], pools: []) }
        let id = try store.id(subject)
        let (history, pools) = try store.snapshots.origins(at: id)
        var (made, changed) = ([Int32: Int](), [Int32: Int]())
        for pool in pools {
            for number in pool.made where number >= 0 { made[number, default: 0] += 1 }
            for number in pool.changed where number >= 0 { changed[number, default: 0] += 1 }
        }
        let tree = try store.tree(subject)
        // The history has the newest first.
        let used = Set(made.keys).union(changed.keys).sorted(by: >)
        let places = Dictionary(
            used.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        return OriginsFigure(
            commit: id.hex,
            rounds: used.map { number in
                let entry = history[Int(number)]
                return .init(
                    commit: entry.id.hex, subject: entry.commit.subject, time: entry.commit.time,
                    made: made[number] ?? 0, changed: changed[number] ?? 0)
            },
            pools: pools.map { pool in
                // Behind the last expert that is there others may be absent.
                let count = tree.layers[pool.layer]?.pools[pool.pool].map {
                    Int(clamping: $0.count)
                }
                func padded(_ numbers: [Int32]) -> [Int?] {
                    let absent = max(0, (count ?? 0) - numbers.count)
                    return numbers.map { places[$0] } + [Int?](repeating: nil, count: absent)
                }
                return .init(
                    layer: Int(pool.layer), pool: pool.pool, made: padded(pool.made),
                    changed: padded(pool.changed))
            })
    }
}
