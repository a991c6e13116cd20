internal import ArgumentParser
internal import BenchmarkSupport
internal import Tokenizers

/// Encodes and decodes files by one tokenizer; `tools/bench tokenizer` compares what it writes and
/// times it.
///
/// It answers each line of standard input by one line of JSON: `encode TEXT IDS` and `decode IDS TEXT`
/// read the first file and write the second, ids as 32-bit integers; both tell their seconds.
@main
struct Benchmark: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "tokenizer-benchmark")

    @Argument(help: "A tokenizer.json.") var tokenizer: String

    func run() throws {
        let json = try read(tokenizer)
        let (spent, tokenizer) = try seconds { try TextTokenizer(json: json) }
        try answer(
            ["load": spent],
            ["encode": { try encode($0, tokenizer) }, "decode": { try decode($0, tokenizer) }])
    }

    private func encode(_ command: Command, _ tokenizer: TextTokenizer) throws -> Figures {
        let text = String(decoding: try read(command.text(1)), as: UTF8.self)
        let (spent, ids) = try seconds { try tokenizer.encode(text) }
        try write(ids.map { UInt32($0) }, to: command.text(2))
        return ["seconds": spent, "tokens": Double(ids.count)]
    }

    private func decode(_ command: Command, _ tokenizer: TextTokenizer) throws -> Figures {
        let bytes = try read(command.text(1))
        let ids = stride(from: 0, to: bytes.count - 3, by: 4).map { at in
            (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
        }
        let (spent, text) = seconds { tokenizer.decode(ids) }
        var (stream, parts) = (TokenStream(tokenizer), "")
        for id in ids { parts += stream.push(id) }
        parts += stream.finish()
        try expect(parts == text, "a stream of \(ids.count) tokens is another text")
        try write(Array(text.utf8), to: command.text(2))
        return ["seconds": spent, "tokens": Double(ids.count)]
    }
}
