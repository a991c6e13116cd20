internal import Cambium
internal import Pictures
internal import Reporting

extension Figure {
    init(_ history: HistoryFigure) {
        let commits = history.commits
        // What most commits have is shown beside them.
        let counts = Dictionary(
            commits.flatMap(\.metrics.keys).map { ($0, 1) }, uniquingKeysWith: +)
        let ranked = counts.filter { !Self.amounts.contains($0.key) }
            .sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
        let metrics = ranked.prefix(2).sorted()
        let rows = commits.map { commit in
            HistoryDrawing.Row(
                id: commit.id, parents: commit.parents,
                names: commit.references.map { $0 == history.branch ? "HEAD → \($0)" : $0 },
                subject: commit.subject,
                columns: metrics.map { commit.metrics[$0].map(Quantity.recorded) ?? "" } + [
                    Quantity.bytes(commit.bytes), Timestamp.text(commit.time),
                ], title: title(of: commit))
        }
        self.init(
            .history,
            caption:
                "\(Quantity.count(commits.count, "commit")), the newest first. A larger dot is a merge. "
                + "Sizes are those of the models as checkpoints.",
            table: Table(
                ["commit", "subject", "references", "parents", "time", "author", "bytes"]
                    + counts.keys.sorted(),
                commits.map { commit in
                    [
                        .words(commit.id), .words(commit.subject),
                        .words(commit.references.joined(separator: " ")),
                        .words(commit.parents.map(\.short).joined(separator: " ")),
                        .words(Timestamp.text(commit.time)), .words(commit.author),
                        .bytes(commit.bytes),
                    ] + counts.keys.sorted().map { commit.metrics[$0].map { .number($0) } ?? .none }
                }),
            missing: commits.isEmpty
                ? Missing(
                    words: "The store has no commits yet.",
                    command: "cambium commit CHECKPOINT -m base")
                : nil, payload: history
        ) { width in
            HistoryDrawing(rows, headings: metrics + ["size", "time"]).drawings(
                width: width, rows: 100, isNarrow: width < 600,
                label: "Graph of \(Quantity.count(commits.count, "commit"))")
        }
    }

    /// Metrics that tell how much was done, not how well.
    private static let amounts: Set<String> = ["train.steps", "train.tokens", "train.seconds"]
}

private func title(of commit: HistoryFigure.Entry) -> String {
    let numbers = commit.metrics.sorted { $0.key < $1.key }.map {
        "\($0.key) \(Quantity.recorded($0.value))"
    }
    return
        ([
            commit.id.short + "  " + commit.subject,
            "\(Timestamp.text(commit.time)) by \(commit.author)",
        ]
        + numbers).joined(separator: "\n")
}
