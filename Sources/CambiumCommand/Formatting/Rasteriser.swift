internal import Cambium
internal import FoundationEssentials
internal import Pages
internal import Pictures

/// Makes pixels of a drawing, by a program that is there for that.
enum Rasteriser {
    private static let program = "rsvg-convert"

    /// Writes a PNG of twice as many pixels as the drawing has, for sharp letters.
    ///
    /// - Throws: `unsupported` where the program is not installed; what writing a drawing throws.
    static func write(_ drawing: Markup, to path: String) throws {
        let (source, pixels) = (try ScratchFolder.fresh(), try ScratchFolder.fresh())
        defer { for file in [source, pixels] { ScratchFolder.remove(file) } }
        try drawing.write(to: source)
        let status = try run([program, "--zoom", "2", "--output", pixels, source])
        guard status == 0, let bytes = try? Data(contentsOf: URL(filePath: pixels)) else {
            throw Failure(
                .io, "\(program) could not draw \(path): it ended with status \(status)")
        }
        try Figure.write([UInt8](bytes), to: path)
    }

    private static func run(_ words: [String]) throws(Failure) -> Int32 {
        do {
            return try ChildProcess(words, input: "/dev/null", output: .errors).wait()
        } catch {
            guard error.code == CambiumError.Code.notFound.rawValue else { throw error }
            throw Failure(
                .unsupported, "PNG needs the program \(program), which is not installed",
                hint: "install it (Debian: apt-get install librsvg2-bin), or name the file .svg")
        }
    }
}
