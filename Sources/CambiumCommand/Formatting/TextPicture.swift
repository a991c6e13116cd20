/// Small pictures of letters, for terminals.
enum TextPicture {
    private static let heights: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
    private static let eighths: [Character] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]

    /// A bar that is as long as a share of its width; never empty for a share above 0.
    static func bar(_ share: Double, width: Int, isUnicode: Bool) -> String {
        guard share.isFinite, width > 0 else { return "" }
        let part = min(1, max(0, share))
        guard isUnicode else {
            let filled = part > 0 ? max(1, Int((part * Double(width)).rounded())) : 0
            return String(repeating: "#", count: filled)
                + String(repeating: ".", count: width - filled)
        }
        let units = part > 0 ? max(1, Int((part * Double(8 * width)).rounded())) : 0
        var text = String(repeating: "█", count: units / 8)
        if units % 8 > 0 { text.append(eighths[units % 8]) }
        return text + String(repeating: "·", count: width - text.count)
    }

    /// The course of some numbers: one letter for each of as many stretches as there is room, as high as its mean.
    ///
    /// - Returns: Nothing where letters of that kind cannot be shown, or there are fewer than two numbers.
    static func course(_ values: [Double], width: Int, isUnicode: Bool) -> String {
        // So that differences stay finite.
        let values = values.filter(\.isFinite).map { max(-1e150, min(1e150, $0)) }
        guard isUnicode, values.count > 1, width > 0 else { return "" }
        let count = min(width, values.count)
        let means = (0..<count).map { index in
            let part = values[(index * values.count / count)..<((index + 1) * values.count / count)]
            return part.reduce(0) { $0 + $1 / Double(part.count) }
        }
        let (low, high) = (means.min() ?? 0, means.max() ?? 0)
        return String(
            means.map { mean in
                let height = high > low ? (mean - low) / (high - low) * 7 : 3
                return heights[min(7, max(0, Int(height.rounded())))]
            })
    }
}
