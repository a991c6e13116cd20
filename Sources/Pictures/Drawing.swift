/// A picture of SVG with a size and a name.
package struct Drawing: Sendable {
    /// In pixels.
    package let width: Double
    package let height: Double
    /// What it shows, for those who cannot see it.
    package let label: String
    /// The shapes.
    package private(set) var content = Markup()

    package init(width: Double, height: Double, label: String) {
        self.width = width
        self.height = height
        self.label = label
    }

    /// As an element of a page that has ``Palette/css``.
    package var inline: Markup {
        .element(
            "svg",
            [
                "class": "picture", "role": "img", "aria-label": label,
                "viewBox": "0 0 \(width.pixels) \(height.pixels)", "width": width.pixels,
                "height": height.pixels,
            ], content)
    }

    /// As a file of its own.
    package var file: Markup {
        let margin = 16.0
        let (width, height) = (width + 2 * margin, height + 2 * margin)
        return Markup(literal: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
            + .element(
                "svg",
                [
                    "xmlns": "http://www.w3.org/2000/svg", "class": "picture", "role": "img",
                    "aria-label": label, "viewBox": "0 0 \(width.pixels) \(height.pixels)",
                    "width": width.pixels, "height": height.pixels,
                ],
                .element("style", [:], Markup(literal: Palette.css))
                    + .shape(
                        "rect",
                        ["class": "ground", "width": width.pixels, "height": height.pixels])
                    + .element(
                        "g", ["transform": "translate(\(margin.pixels) \(margin.pixels))"], content)
            ) + Markup(literal: "\n")
    }

    /// Some drawings below each other.
    package static func stack(_ drawings: [Drawing], gap: Double, label: String) -> Drawing {
        let width = drawings.map(\.width).max() ?? 0
        let height = drawings.reduce(0) { $0 + $1.height + gap } - (drawings.isEmpty ? 0 : gap)
        var result = Drawing(width: width, height: height, label: label)
        var top = 0.0
        for drawing in drawings {
            result.add(
                .element("g", ["transform": "translate(0 \(top.pixels))"], drawing.content))
            top += drawing.height + gap
        }
        return result
    }

    /// Some drawings of one size in rows.
    package static func grid(
        _ drawings: [Drawing], columns: Int, gap: Double, label: String
    ) -> Drawing {
        let rows = stride(from: 0, to: drawings.count, by: columns).map { start in
            let row = drawings[start..<min(start + columns, drawings.count)]
            let width = row.reduce(0) { $0 + $1.width + gap } - gap
            var result = Drawing(width: width, height: row.map(\.height).max() ?? 0, label: "")
            var left = 0.0
            for drawing in row {
                result.add(
                    .element("g", ["transform": "translate(\(left.pixels) 0)"], drawing.content))
                left += drawing.width + gap
            }
            return result
        }
        return stack(rows, gap: gap, label: label)
    }

    package mutating func add(_ shape: Markup) { content += shape }

    /// Where a text is held.
    package enum Anchor: String { case start, middle, end }

    package mutating func text(
        _ words: String, x: Double, y: Double, style: StaticString = "", anchor: Anchor = .start,
        full: String? = nil
    ) {
        let content = Markup(words) + (full.map { .element("title", words: $0) } ?? Markup())
        add(
            .element(
                "text",
                [
                    "x": x.pixels, "y": y.pixels, "class": style.description,
                    "text-anchor": anchor.rawValue,
                ], content))
    }

    package mutating func line(
        _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, style: StaticString
    ) {
        add(
            .shape(
                "line",
                [
                    "x1": x1.pixels, "y1": y1.pixels, "x2": x2.pixels, "y2": y2.pixels,
                    "class": style.description,
                ]))
    }

    /// - Parameters:
    ///   - style: Classes of ``Palette/css``.
    ///   - strength: How much of the colour, 0 to 1.
    ///   - title: What a reader sees who points at it.
    package mutating func box(
        _ x: Double, _ y: Double, _ width: Double, _ height: Double, style: String,
        strength: Double = 1, title: String? = nil
    ) {
        let content = title.map { Markup.element("title", words: $0) } ?? Markup()
        add(
            .element(
                "rect",
                [
                    "x": x.pixels, "y": y.pixels, "width": max(0, width).pixels,
                    "height": max(0, height).pixels, "class": style,
                    "fill-opacity": strength.pixels,
                ], content))
    }
}
