internal import Cambium
internal import Pictures
internal import Reporting

extension Figure {
    init(_ origins: OriginsFigure, of revision: String?) {
        let revision = revision ?? "HEAD"
        let rounds = origins.rounds
        let colours = Self.colours(rounds)
        let own = origins.pools.map { pool in
            let (made, changed) = (Self.counts(pool.made), Self.counts(pool.changed))
            return (pool: pool, made: made, changed: changed)
        }
        self.init(
            .rounds,
            caption:
                "The commit to which each expert of \(revision) owes what it is: the last one that changed it. "
                + "Where there are many experts, a square shows the newest commit among its neighbours.",
            table: Table(
                ["layer", "pool", "commit", "subject", "made", "changed last"],
                own.flatMap { entry in
                    rounds.indices.compactMap { index in
                        let (made, changed) = (entry.made[index] ?? 0, entry.changed[index] ?? 0)
                        guard made + changed > 0 else { return nil }
                        return [
                            .count(entry.pool.layer), .words(entry.pool.pool),
                            .words(rounds[index].commit), .words(rounds[index].subject),
                            .count(made), .count(changed),
                        ]
                    }
                }),
            missing: origins.pools.isEmpty
                ? Missing(
                    words: origins.commit == nil
                        ? "The store has no commits yet."
                        : "The model of \(revision) has no experts.",
                    command: "cambium commit CHECKPOINT -m base") : nil, payload: origins
        ) { width in
            let bins = origins.pools.map { Bins($0.changed.count, width: width) }
            let rows = zip(origins.pools, bins).map { pool, bins in
                let name =
                    pool.pool == "base" ? "layer \(pool.layer)" : "layer \(pool.layer)/\(pool.pool)"
                return HeatMap.Row(
                    name,
                    bins.ranges.map { range in
                        let counts = Self.counts(Array(pool.changed[range]))
                            .sorted { $0.key > $1.key }
                        guard let newest = counts.first?.key else { return HeatMap.Cell(nil) }
                        let told = counts.map { round, count in
                            "\(Quantity.count(count)) of \(rounds[round].subject) (\(rounds[round].commit.short))"
                        }
                        return HeatMap.Cell(
                            1, style: colours[newest] ?? "aged",
                            title: (["\(name), \(range.words)"] + told.prefix(8))
                                .joined(separator: "\n"))
                    })
            }
            let label = "Which commit changed experts last: \(listed(rounds.map(\.subject)))"
            let map = HeatMap(
                columns: [], rows: rows, columnLabel: "experts, by number" + Bins.words(bins)
            ).drawing(
                width: width, cell: (26, 26), label: label)
            let own = colours.keys.sorted().map { index in
                (
                    "\(rounds[index].subject) (\(Quantity.count(rounds[index].changed, "expert")))",
                    colours[index] ?? "aged"
                )
            }
            let older = rounds.indices.filter { rounds[$0].changed > 0 && colours[$0] == nil }
            let experts = older.reduce(0) { $0 + rounds[$1].changed }
            let rest =
                older.isEmpty
                ? []
                : [
                    (
                        "\(Quantity.count(older.count, "older commit")) (\(Quantity.count(experts, "expert")))",
                        "aged"
                    )
                ]
            let legend = Legend(rest + own).drawing(width: width)
            return [Drawing.stack([map, legend], gap: 12, label: label)]
        }
    }

    /// A colour for each round that experts owe what they are to; of more than there are colours, for the newest.
    private static func colours(_ rounds: [OriginsFigure.Round]) -> [Int: String] {
        let owed = rounds.indices.filter { rounds[$0].changed > 0 }
        let own = owed.suffix(owed.count > Palette.count ? Palette.count - 1 : Palette.count)
        return Dictionary(
            own.enumerated().map { ($1, Palette.fill($0)) }, uniquingKeysWith: { first, _ in first }
        )
    }

    /// How often each round is named.
    private static func counts(_ rounds: [Int?]) -> [Int: Int] {
        rounds.reduce(into: [:]) { counts, round in
            if let round { counts[round, default: 0] += 1 }
        }
    }
}
