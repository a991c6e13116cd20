internal import Cambium
internal import Pictures
internal import Reporting

extension Figure {
    /// Rounds of a picture, at most: the newest.
    private static let mostRounds = 40
    private static let mostNarrow = 12

    init(_ forgetting: ForgettingFigure) {
        let better = forgetting.lowerIsBetter ? "lower" : "higher"
        self.init(
            .matrix,
            caption:
                "\(forgetting.measure) of each domain after each round, \(better) is better. Green is better than all "
                + "that led to the round, red is worse than the best of it: forgotten."
                + (forgetting.rounds.count > Self.mostNarrow
                    ? " The newest \(Self.mostRounds) rounds at most, \(Self.mostNarrow) where it is narrow; the table has all."
                    : ""),
            table: Table(
                ["domain", "commit", "subject", "value", "best before"],
                forgetting.domains.flatMap { domain in
                    forgetting.rounds.enumerated().compactMap { index, round in
                        domain.values[index].map { value in
                            [
                                .words(domain.name), .words(round.commit), .words(round.subject),
                                .number(value),
                                domain.bestBefore[index].map { .number($0) } ?? .none,
                            ]
                        }
                    }
                }),
            missing: forgetting.rounds.isEmpty
                ? Missing(
                    words: "No evaluation was recorded on a commit (metrics named DOMAIN.bpb).",
                    command: "cambium eval REV… --text FILE… --record") : nil, payload: forgetting
        ) { width in
            let rounds = forgetting.rounds.suffix(width < 600 ? Self.mostNarrow : Self.mostRounds)
            let names = rounds.map { round in
                round.references.first
                    ?? (round.subject.isEmpty ? round.commit.short : round.subject)
            }
            let rows = forgetting.domains.map { domain in
                HeatMap.Row(domain.name, rounds.indices.map { Self.cell(domain, $0, forgetting) })
            }
            let label =
                "\(forgetting.measure) of \(listed(rows.isEmpty ? [] : forgetting.domains.map(\.name)))"
            let map = HeatMap(columns: names, rows: rows, rowLabel: forgetting.measure).drawing(
                width: width, cell: (96, 34), label: label)
            let half = min(width, 430)
            return [
                Drawing.stack(
                    [
                        map,
                        HeatMap.scale(
                            width: half, style: "bad", from: "as the best", to: "10 % worse",
                            note: "forgotten"),
                        HeatMap.scale(
                            width: half, style: "good", from: "as the best", to: "10 % better",
                            note: "learned"),
                    ], gap: 6, label: label)
            ]
        }
    }

    private static func cell(
        _ domain: ForgettingFigure.Domain, _ index: Int, _ forgetting: ForgettingFigure
    ) -> HeatMap.Cell {
        guard let value = domain.values[index] else { return HeatMap.Cell(nil) }
        let words = Quantity.fixed(value, 3)
        let round = forgetting.rounds[index]
        let head = "\(domain.name) after \(round.subject)\n\(Quantity.recorded(value))"
        let best = domain.bestBefore[index]
        let before = best.map { "the best before \(Quantity.recorded($0))" } ?? "the first"
        guard value.isFinite else {
            return HeatMap.Cell(
                1, style: "bad", words: words, title: "\(head), no finite number, \(before)")
        }
        guard let best, value != best else {
            return HeatMap.Cell(0, words: words, title: "\(head), \(before)")
        }
        // Of a best of 0 any difference is more than any share.
        let worse = (value - best) / best.magnitude * (forgetting.lowerIsBetter ? 1 : -1)
        return HeatMap.Cell(
            min(1, worse.magnitude * 10), style: worse > 0 ? "bad" : "good", words: words,
            title: "\(head), \(before)")
    }
}
