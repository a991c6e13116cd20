extension Unicode.Scalar {
    /// Whether it is as wide as it is high: letters of East Asia, and most pictures.
    package var isWide: Bool {
        switch value {
        case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }
}

extension Character {
    /// Cells of a terminal that it takes.
    package var cells: Int { unicodeScalars.contains(where: \.isWide) ? 2 : 1 }
}

extension StringProtocol {
    /// Cells of a terminal that the text takes, nothing in it steering.
    package var cells: Int { reduce(0) { $0 + $1.cells } }

    /// The text, or as much of its beginning as fits into some cells, with an ellipsis.
    package func fitted(cells room: Int) -> String {
        guard cells > room else { return String(self) }
        var (rest, result) = (room - 1, "")
        for character in self {
            rest -= character.cells
            if rest < 0 { break }
            result.append(character)
        }
        return result + "…"
    }
}
