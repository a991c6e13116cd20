internal import Cambium
internal import Pages
internal import Pictures

/// Makes pixels of a drawing, by a program that is there for that.
enum Rasteriser {
    private static let program = "rsvg-convert"

    /// Writes a PNG of twice as many pixels as the drawing has, for sharp letters.
    ///
    /// - Throws: `unsupported` where the program is not installed; `io`.
    static func write(_ drawing: Markup, to path: String) throws {
        let (source, target) = (try ScratchFolder.fresh(), ScratchFolder.absolute(path))
        try drawing.write(to: source)
        defer { ScratchFolder.remove(source) }
        let status = try run([
            program, "--zoom", "2", "--output", target, source,
        ])
        guard status == 0 else {
            throw Failure(.io, "\(program) could not write \(path): it ended with status \(status)")
        }
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
