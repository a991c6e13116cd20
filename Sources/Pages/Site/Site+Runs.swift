internal import Cambium
internal import Pictures
internal import Reporting

extension Site {
    /// Rounds that are under way, with their loss as it goes, and those that were stopped.
    func runs() throws -> Markup {
        let running = try store.runningRounds()
        let stopped = try store.stoppedRounds()
        let parts =
            running.map { round in
                part(
                    round.branch, round.message, round.curve,
                    "\(Quantity.count(round.steps, "step")) since \(Timestamp.text(round.started))"
                        + (round.curve.last.map { ", \(Quantity.fixed($0.value, 3)) bits per byte" }
                            ?? "")
                        + "; under way")
            }
            + stopped.map { round in
                part(
                    round.branch, round.message, round.curve,
                    "\(Quantity.count(round.steps, "step")) in \(Quantity.fixed(round.seconds, 1)) s, "
                        + "\(Quantity.fixed(round.loss, 3)) bits per byte; stopped "
                        + Timestamp.text(round.time))
            }
        let none = Markup.element(
            "p", ["class": "missing"],
            Markup("No round is under way or was stopped here. Trained by ")
                + .element("code", words: "cambium train --data FOLDER"))
        return frame(
            "Runs", parts.isEmpty ? none : Markup(parts), refresh: running.isEmpty ? 10 : 2)
    }

    private func part(
        _ branch: String, _ message: String, _ points: [CurvePoint], _ words: String
    ) -> Markup {
        var content = Markup.element("p", [:], words: words)
        if points.count > 1 {
            var chart = Frame(
                width: Figure.narrow, height: 200, label: "Loss of \(branch)",
                note: "bits per byte", acrossLabel: "steps", across: points.map { Double($0.step) },
                up: points.map(\.value))
            chart.line(points.map { (Double($0.step), $0.value) }, colour: 0)
            content += chart.drawing.inline
        }
        return section("\(branch): \(message.prefix { !$0.isNewline })", content)
    }
}
