internal import Cambium

/// The texts that a round of training reads.
enum TrainingFiles {
    struct Text {
        /// Of the file without its ending, or of its folder.
        let name: String
        let bytes: [UInt8]
    }

    /// The shortest part that is held out.
    private static let leastHeldOut = 1_024

    /// Reads files, folders and standard input.
    ///
    /// Of a folder with a train.txt, that file alone; of another its .txt files together, by name.
    ///
    /// - Throws: `not-found`, `io`.
    static func read(_ paths: [String]) throws(Failure) -> [Text] {
        var texts: [Text] = []
        for path in paths {
            guard path != "-", Terminal.isFolder(path) else {
                texts.append(
                    Text(
                        name: path == "-" ? "stdin" : TextName.of(path),
                        bytes: try Terminal.read(path)))
                continue
            }
            let names = try Terminal.textFiles(in: path)
            guard !names.isEmpty else {
                throw Failure(.notFound, "\(path) holds no .txt file")
            }
            var bytes: [UInt8] = []
            for name in names.contains("train.txt") ? ["train.txt"] : names {
                bytes += try Terminal.read("\(path)/\(name)")
            }
            texts.append(Text(name: TextName.of(path), bytes: bytes))
        }
        return texts
    }

    /// Cuts the end off each text that is long enough for it.
    static func split(
        _ texts: [Text], percent: Double
    ) -> (kept: [[UInt8]], heldOut: [HeldOutText]) {
        var (kept, heldOut): ([[UInt8]], [HeldOutText]) = ([], [])
        let names = TextName.unique(texts.map(\.name))
        for (text, name) in zip(texts, names) {
            let count = min(Int(Double(text.bytes.count) * percent / 100), 50_000)
            guard count >= leastHeldOut else {
                kept.append(text.bytes)
                continue
            }
            kept.append(Array(text.bytes.dropLast(count)))
            heldOut.append(HeldOutText(name: name, bytes: text.bytes.suffix(count)))
        }
        return (kept, heldOut)
    }
}
