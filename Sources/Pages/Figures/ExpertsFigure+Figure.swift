internal import Cambium
internal import Pictures
internal import Reporting

extension Figure {
    init(_ experts: ExpertsFigure, of revision: String?) {
        let revision = revision ?? "HEAD"
        let unit = experts.source == .activations ? "windows" : "picks"
        self.init(
            .experts,
            caption: "How often the experts of \(revision) were picked, layer by layer"
                + (experts.source == .activations
                    ? ", in windows of the texts of its rounds (evidence of activations)."
                    : ", on the text of its usage profile.")
                + " Where there are many, a square stands for several neighbours.",
            table: Table(
                ["layer", "pool", "expert", unit],
                experts.pools.flatMap { pool in
                    pool.counts.enumerated().map {
                        [.count(pool.layer), .words(pool.pool), .count($0), .count($1)]
                    }
                }),
            missing: experts.source == nil
                ? Missing(
                    words: "Nothing counted which experts \(revision) picks.",
                    command: "cambium profile REV --text FILE") : nil, payload: experts
        ) { width in
            let binned = experts.pools.map { Bins($0.counts.count, width: width) }
            let sums = zip(experts.pools, binned).map { pool, bins in
                bins.ranges.map { range in pool.counts[range].reduce(0, +) }
            }
            let means = zip(sums, binned).map { sums, bins in
                zip(sums, bins.ranges).map { Double($0) / Double($1.count) }
            }
            let rows = experts.pools.indices.map { index in
                let pool = experts.pools[index]
                // Layers have different numbers of experts: each is compared with itself.
                let most = means[index].max() ?? 0
                let place = "layer \(pool.layer)"
                return HeatMap.Row(
                    place,
                    binned[index].ranges.enumerated().map { number, range in
                        HeatMap.Cell(
                            most > 0 ? (means[index][number] / most).squareRoot() : 0,
                            title:
                                "\(place), \(range.words)\n\(Quantity.count(sums[index][number])) \(unit)"
                        )
                    })
            }
            let label =
                "Heat map: how often experts were picked, \(Quantity.count(rows.count, "layer"))"
            let map = HeatMap(
                columns: [], rows: rows,
                columnLabel: "experts, by number" + Bins.words(binned)
            ).drawing(width: width, cell: (26, 26), label: label)
            let legend = HeatMap.scale(
                width: min(width, 560), from: "never", to: "most of the layer",
                note: "\(unit) of an expert (by square root)")
            let unused = experts.pools.map { pool in
                let idle = pool.counts.count { $0 == 0 }
                return Shares.Bar(
                    "layer \(pool.layer)",
                    words:
                        "\(Quantity.count(pool.counts.count - idle)) of \(Quantity.count(pool.counts.count)) picked",
                    parts: [
                        (Double(pool.counts.count - idle), "f0", "picked"),
                        (Double(idle), "hole", "never picked"),
                    ])
            }
            return [
                Drawing.stack(
                    [map, legend, Shares(unused).drawing(width: width, label: "")], gap: 12,
                    label: label)
            ]
        }
    }
}

/// Neighbours that share a square.
struct Bins {
    let ranges: [Range<Int>]
    private let size: Int

    /// How many experts share a square, behind other words.
    static func words(_ bins: [Bins]) -> String {
        let most = bins.map(\.size).max() ?? 1
        return most == 1 ? "" : "; a square is up to \(Quantity.count(most)) experts"
    }

    /// - Parameter width: Pixels that the squares have, names of rows beside them.
    init(_ count: Int, width: Double) {
        let most = max(16, min(128, Int((width - 90) / 7)))
        var size = 1
        while (count + size - 1) / size > most { size *= 2 }
        self.size = size
        ranges = stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    }
}

extension Range<Int> {
    /// For example `experts 16 to 31`.
    var words: String {
        count == 1 ? "expert \(lowerBound)" : "experts \(lowerBound) to \(upperBound - 1)"
    }
}
