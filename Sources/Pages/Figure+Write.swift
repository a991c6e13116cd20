internal import Files
package import Pictures

extension Markup {
    /// Writes a file, which appears complete or not at all.
    ///
    /// - Throws: `disk-full`, `not-found` for a missing folder, `io`.
    package func write(to path: String) throws { try writeFile(Array(text.utf8), to: path) }
}

extension Table {
    /// Writes a file of rows with commas between, as ``Pictures/Markup/write(to:)`` does.
    package func write(to path: String) throws {
        try writeFile(Array(commaSeparated.utf8), to: path)
    }
}

extension Figure {
    /// Writes a file of pixels, as ``Pictures/Markup/write(to:)`` does.
    package static func write(_ pixels: [UInt8], to path: String) throws {
        try writeFile(pixels, to: path)
    }
}
