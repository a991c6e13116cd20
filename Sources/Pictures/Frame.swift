/// The axes of a chart.
package struct Frame: Sendable {
    /// The picture, to draw in.
    package var drawing: Drawing
    /// Where values go.
    package let across: Scale
    package let up: Scale
    /// The rectangle between the axes.
    package let area: (left: Double, top: Double, right: Double, bottom: Double)

    /// - Parameters:
    ///   - title: In bold, above.
    ///   - note: What is measured, above the upward axis and behind the title.
    ///   - acrossLabel: Below the axis.
    ///   - across: Values; all of them have room.
    ///   - up: Values.
    package init(
        width: Double, height: Double, label: String, title: String? = nil, note: String,
        acrossLabel: String, across: [Double], acrossUnit: Scale.Unit = .count, up: [Double],
        upUnit: Scale.Unit = .number, upFromZero: Bool = false
    ) {
        var drawing = Drawing(width: width, height: height, label: label)
        let top = title == nil ? 26.0 : 44.0
        let bottom = height - (acrossLabel.isEmpty ? 24 : 42)
        let upScale = Scale(
            up, pixels: (bottom, top), ticks: Int((bottom - top) / 44), unit: upUnit,
            includesZero: upFromZero)
        let left =
            (upScale.ticks.map { TextWidth.of(upScale.name($0), size: 11) }.max() ?? 20) + 10
        let right = width - 10
        let acrossScale = Scale(
            across, pixels: (left + 8, right - 4), ticks: max(2, Int((right - left) / 56)),
            unit: acrossUnit, isTight: true)
        if let title {
            drawing.text(
                TextWidth.fitted(title, to: width, size: 12.5), x: 0, y: 12, style: "strong",
                full: title)
        }
        drawing.text(
            TextWidth.fitted(note, to: width, size: 11), x: 0, y: top - 15, style: "faint small")
        for tick in upScale.ticks {
            let y = upScale(tick)
            drawing.line(left, y, right, y, style: "grid")
            drawing.text(
                upScale.name(tick), x: left - 6, y: y + 4, style: "faint small", anchor: .end)
        }
        for tick in acrossScale.ticks {
            let x = acrossScale(tick)
            drawing.line(x, bottom, x, bottom + 4, style: "rule")
            drawing.text(
                acrossScale.name(tick), x: x, y: bottom + 17, style: "faint small",
                anchor: .middle)
        }
        drawing.line(left, bottom, right, bottom, style: "rule")
        if !acrossLabel.isEmpty {
            drawing.text(
                acrossLabel, x: (left + right) / 2, y: bottom + 34, style: "faint small",
                anchor: .middle)
        }
        self.drawing = drawing
        self.across = acrossScale
        self.up = upScale
        area = (left, top, right, bottom)
    }

    /// A line through points in one colour.
    package mutating func line(_ points: [(x: Double, y: Double)], colour: Int) {
        let path = points.enumerated().map { index, point in
            "\(index == 0 ? "M" : "L")\(across(point.x).pixels) \(up(point.y).pixels)"
        }.joined()
        drawing.add(
            .shape(
                "path",
                [
                    "d": path, "class": "edge " + Palette.stroke(colour),
                    "stroke-linejoin": "round",
                ]))
    }

    /// A point that tells what it is.
    package mutating func dot(
        _ x: Double, _ y: Double, colour: Int, radius: Double = 4, title: String
    ) {
        drawing.add(
            .element(
                "circle",
                [
                    "cx": across(x).pixels, "cy": up(y).pixels, "r": radius.pixels,
                    "class": "dot " + Palette.fill(colour),
                ], .element("title", words: title)))
    }

    /// What has no place on the upward axis, as a word at its top.
    package mutating func mark(_ x: Double, words: String, title: String) {
        let (x, y) = (across(x), area.top + 4)
        drawing.add(
            .element(
                "circle",
                ["cx": x.pixels, "cy": y.pixels, "r": "4", "class": "dot bad"],
                .element("title", words: title)))
        let isLast = x + TextWidth.of(words, size: 11) + 8 > area.right
        drawing.text(
            words, x: isLast ? x - 7 : x + 7, y: y + 4, style: "small",
            anchor: isLast ? .end : .start, full: title)
    }
}

/// What colours mean.
package struct Legend: Sendable {
    private let entries: [(words: String, style: String)]

    /// - Parameter entries: Words, and the class that fills.
    package init(_ entries: [(words: String, style: String)]) { self.entries = entries }

    /// The entries in rows.
    package func drawing(width: Double) -> Drawing {
        var places: [(x: Double, row: Int)] = []
        var (x, row) = (0.0, 0)
        for entry in entries {
            let need = min(width, 18 + TextWidth.of(entry.words, size: 12) + 18)
            if x > 0, x + need > width { (x, row) = (0, row + 1) }
            places.append((x, row))
            x += need
        }
        var drawing = Drawing(width: width, height: Double(row + 1) * 20, label: "")
        for (entry, place) in zip(entries, places) {
            let y = Double(place.row) * 20
            drawing.box(place.x, y + 3, 11, 11, style: entry.style)
            drawing.text(
                TextWidth.fitted(entry.words, to: width - 18, size: 12), x: place.x + 17, y: y + 13,
                full: entry.words)
        }
        return drawing
    }
}
