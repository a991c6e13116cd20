internal import Cambium
internal import Pictures
internal import Reporting

extension Figure {
    init(_ loss: LossFigure) {
        let curves = loss.curves.filter { $0.points.contains { $0.value.isFinite } }
        let names = curves.map { curve in
            let place = curve.commit.map { String($0.prefix(8)) } ?? "stopped"
            return "\(place)  \(curve.subject)"
        }
        self.init(
            .loss,
            caption:
                "The loss of each round while it trained, in bits per byte: each point is the mean since the one "
                + "before."
                + (curves.count > Palette.count
                    ? " The newest \(Palette.count) rounds are drawn; the table has \(curves.count)."
                    : "")
                + (loss.leftOut > 0
                    ? " \(Quantity.count(loss.leftOut, "older round")) left out." : ""),
            table: Table(
                ["commit", "subject", "step", "loss"],
                curves.flatMap { curve in
                    curve.points.map { point in
                        [
                            .words(curve.commit ?? ""), .words(curve.subject), .count(point.step),
                            .number(point.value),
                        ]
                    }
                }),
            missing: curves.isEmpty
                ? Missing(
                    words: "No round was trained here, so no loss was recorded.",
                    command: "cambium train --data FOLDER") : nil, payload: loss
        ) { width in
            // As many as there are colours.
            let curves = curves.prefix(Palette.count)
            let names = names.prefix(Palette.count)
            let points = curves.flatMap(\.points)
            var frame = Frame(
                width: width, height: width < 600 ? 240 : 320,
                label: "Loss of \(listed(Array(names)))",
                note: "bits per byte", acrossLabel: "steps",
                across: points.map { Double($0.step) } + [0], up: points.map(\.value))
            for (index, curve) in curves.enumerated().reversed() {
                let points = curve.points.filter(\.value.isFinite)
                frame.line(points.map { (Double($0.step), $0.value) }, colour: index)
                if let last = points.last {
                    frame.dot(
                        Double(last.step), last.value, colour: index,
                        title: "\(names[index])\nstep \(Quantity.count(last.step)): "
                            + Quantity.recorded(last.value))
                }
            }
            let legend = Legend(
                names.enumerated().map { ($1, Palette.fill($0)) }
            ).drawing(width: width)
            return [Drawing.stack([frame.drawing, legend], gap: 8, label: frame.drawing.label)]
        }
    }
}
