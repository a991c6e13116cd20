/// Bars that are as long as numbers, in parts.
package struct Shares: Sendable {
    /// One bar.
    package struct Bar: Sendable {
        let name: String
        let words: String
        let parts: [(value: Double, style: String, title: String)]

        /// - Parameters:
        ///   - words: Behind the bar.
        ///   - parts: One after another: how long each is, the class that fills it, and what a reader sees who points
        ///     at it.
        package init(
            _ name: String, words: String, parts: [(value: Double, style: String, title: String)]
        ) {
            self.name = name
            self.words = words
            self.parts = parts
        }
    }

    private let bars: [Bar]

    package init(_ bars: [Bar]) { self.bars = bars }

    package func drawing(width: Double, label: String) -> Drawing {
        let pitch = 26.0
        let left = min(bars.map { TextWidth.of($0.name) }.max() ?? 0, width * 0.4) + 10
        let right = width - (bars.map { TextWidth.of($0.words, size: 11) }.max() ?? 0) - 12
        let most = bars.map { $0.parts.reduce(0) { $0 + $1.value } }.max() ?? 0
        var drawing = Drawing(width: width, height: Double(bars.count) * pitch, label: label)
        for (index, bar) in bars.enumerated() {
            let y = Double(index) * pitch
            drawing.text(
                TextWidth.fitted(bar.name, to: left - 8), x: left - 8, y: y + 17, anchor: .end,
                full: bar.name)
            var x = left
            for part in bar.parts where part.value > 0 && most > 0 {
                let length = max(1, (right - left) * part.value / most)
                drawing.box(x, y + 4, length, pitch - 8, style: part.style, title: part.title)
                x += length
            }
            drawing.text(bar.words, x: x + 8, y: y + 17, style: "faint small")
        }
        return drawing
    }
}
