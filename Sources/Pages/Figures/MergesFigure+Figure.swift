internal import Cambium
internal import Pictures
internal import Reporting

extension Figure {
    init(_ merges: MergesFigure) {
        self.init(
            .merges,
            caption:
                "What sides of a merge changed differently, and what the merged model has of it."
                + (merges.leftOut > 0
                    ? " \(Quantity.count(merges.leftOut, "older merge")) left out." : ""),
            table: Table(
                [
                    "merge", "subject", "policy", "kind", "what", "changed by",
                    "the merged model has",
                ],
                merges.merges.flatMap { merge -> [[Table.Cell]] in
                    let head: [Table.Cell] = [
                        .words(merge.commit), .words(merge.subject), .words(merge.policy),
                    ]
                    guard !merge.conflicts.isEmpty else {
                        return [
                            head + [.words(""), .words("no conflicts"), .words(""), .words("")]
                        ]
                    }
                    return merge.conflicts.map { conflict in
                        head + [
                            .words(conflict.kind), .words(conflict.path),
                            .words(conflict.sides.joined(separator: ", ")),
                            .words(Self.outcome(conflict)),
                        ]
                    }
                }),
            missing: merges.merges.isEmpty
                ? Missing(words: "Nothing was merged yet.", command: "cambium merge BRANCH…") : nil,
            payload: merges
        ) { width in
            var outcomes: [String] = []
            for conflict in merges.merges.flatMap(\.conflicts) {
                let name = Self.outcome(conflict)
                if !outcomes.contains(name) { outcomes.append(name) }
            }
            let bars = merges.merges.map { merge in
                let parts = outcomes.enumerated().map { index, name in
                    let some = merge.conflicts.filter { Self.outcome($0) == name }
                    return (
                        value: Double(some.count), style: Palette.fill(index),
                        title: "\(name): \(listed(some.map(\.path), limit: 12))"
                    )
                }
                let count = merge.conflicts.count
                return Shares.Bar(
                    "\(merge.commit.prefix(8))  \(merge.subject)",
                    words: count == 0 ? "no conflicts" : Quantity.count(count, "conflict"),
                    parts: parts)
            }
            let label =
                "Conflicts of \(Quantity.count(merges.merges.count, "merge")), by what became of them"
            let chart = Shares(bars).drawing(width: width, label: label)
            guard !outcomes.isEmpty else { return [chart] }
            let legend = Legend(outcomes.enumerated().map { ($1, Palette.fill($0)) }).drawing(
                width: width)
            return [Drawing.stack([chart, legend], gap: 10, label: label)]
        }
    }

    /// What became of a conflict, in words.
    static func outcome(_ conflict: MergesFigure.Conflict) -> String {
        switch conflict.outcome {
        case .side: conflict.taken.map { "that of \($0)" } ?? "that of a side"
        case .base: "what was before"
        case .new: "a new version"
        }
    }
}
