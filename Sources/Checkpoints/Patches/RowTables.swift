internal import Elements
internal import Objects
internal import Snapshots

/// Tables of hashed rows in a model.
struct RowTables {
    /// One of them.
    struct Table {
        let layer: UInt32
        let name: String
        let pool: ExpertPool
        /// The rows that are there, ascending.
        let ordinals: [Int]
        let experts: MappedExperts

        /// Reads some of the rows that are there, each checked against its name, on all cores.
        func map<Value: Sendable>(
            _ positions: Range<Int>, _ body: @Sendable (_ ordinal: Int, RawSpan) throws -> Value
        ) throws -> [Value] {
            let (ordinals, experts) = (ordinals, experts)
            try experts.fetch(ordinals[positions])
            return try concurrentMap(positions.count, grain: 64) { position in
                let ordinal = ordinals[positions.lowerBound + position]
                return Result { try body(ordinal, experts.checked(ordinal).payload.bytes) }
            }.map { try $0.get() }
        }
    }

    /// What a commit says that took bits of rows, and one that took rows.
    static let bitsKey = "rows.bits"
    static let leastKey = "rows.uses"
    static let metadata = [bitsKey, leastKey]

    /// Rows that are read in one go.
    static let rowsAtOnce = 1 << 14

    /// In the order of layers and names.
    let all: [Table]

    /// - Parameters:
    ///   - layers: Only in front of these; nil for all.
    ///   - names: Only those of these adapters, the base's by the name `base`; nil for all.
    /// - Throws: `not-found` where there are none.
    init(
        _ snapshot: MappedSnapshot, layers: [Int]?, names: [String]?, _ store: SnapshotStore
    ) throws {
        var all: [Table] = []
        for (number, layer) in snapshot.tree.layers.sorted(by: { $0.key < $1.key })
        where layers?.contains(Int(number)) ?? true {
            for (name, pool) in layer.pools.sorted(by: { isBefore($0.key, $1.key) })
            where pool.kind == .row && names?.contains(name) ?? true {
                guard let experts = snapshot.experts(layer: number, pool: name) else { continue }
                all.append(
                    Table(
                        layer: number, name: name, pool: pool,
                        ordinals: try store.presentOrdinals(ofArray: pool.experts),
                        experts: experts))
            }
        }
        for name in names ?? [] where !all.contains(where: { $0.name == name }) {
            throw CambiumError(
                .notFound, "\(snapshot.id.short) has no hashed rows of '\(name)' there")
        }
        guard !all.isEmpty else {
            throw CambiumError(.notFound, "\(snapshot.id.short) has no hashed rows there")
        }
        self.all = all
    }
}
