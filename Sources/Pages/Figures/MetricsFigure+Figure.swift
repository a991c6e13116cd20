internal import Cambium
internal import Pictures
internal import Reporting

extension Figure {
    /// Charts of a picture, at most.
    private static let mostCharts = 12
    /// Points of which each is drawn as a dot.
    private static let mostDots = 400

    init(_ metrics: MetricsFigure) {
        let shown = Array(metrics.series.prefix(Self.mostCharts))
        let left = metrics.series.count - shown.count
        self.init(
            .metrics,
            caption:
                "Each metric of commits and their notes, the oldest commit on the left. Lines go from commit to "
                + "commit as history does."
                + (left > 0 ? " \(Quantity.count(left, "further metric")) in the table." : ""),
            table: Table(
                ["metric", "commit", "subject", "value"],
                metrics.series.flatMap { series in
                    series.points.map { point in
                        let commit = metrics.commits[point.commit]
                        return [
                            .words(series.name), .words(commit.id), .words(commit.subject),
                            .number(point.value),
                        ]
                    }
                }),
            missing: metrics.series.isEmpty
                ? Missing(
                    words: "No commit has metrics.",
                    command:
                        "cambium note REV --metric NAME=NUMBER, or cambium eval REV --text FILE --record"
                )
                : nil, payload: metrics
        ) { width in
            let columns = width < 600 ? 1 : shown.count < 3 ? max(1, shown.count) : 3
            let gap = 28.0
            let size = (width - gap * Double(columns - 1)) / Double(columns)
            let charts = shown.enumerated().map { index, series in
                Self.chart(series, metrics, colour: index, width: size)
            }
            return [
                Drawing.grid(
                    charts, columns: columns, gap: gap,
                    label: "Charts of \(listed(shown.map(\.name)))")
            ]
        }
    }

    private static func chart(
        _ series: MetricsFigure.Series, _ metrics: MetricsFigure, colour: Int, width: Double
    ) -> Drawing {
        let points = series.points
        var frame = Frame(
            width: width, height: 190, label: series.name, title: series.name,
            note: points.count == 1 ? "1 commit" : "\(Quantity.count(points.count)) commits",
            acrossLabel: "commit, oldest first", across: points.map { Double($0.commit + 1) },
            up: points.map(\.value))
        for point in points where point.value.isFinite {
            for before in point.after where points[before].value.isFinite {
                let other = points[before]
                frame.line(
                    [
                        (Double(other.commit + 1), other.value),
                        (Double(point.commit + 1), point.value),
                    ],
                    colour: colour)
            }
        }
        if points.count <= mostDots {
            for point in points {
                let commit = metrics.commits[point.commit]
                guard point.value.isFinite else {
                    frame.mark(
                        Double(point.commit + 1), words: Quantity.recorded(point.value),
                        title: "\(commit.id.short)  \(commit.subject)\nno finite number")
                    continue
                }
                frame.dot(
                    Double(point.commit + 1), point.value, colour: colour,
                    radius: points.count > 60 ? 2.5 : 4,
                    title:
                        "\(commit.id.short)  \(commit.subject)\n\(Quantity.recorded(point.value))")
            }
        }
        return frame.drawing
    }
}
