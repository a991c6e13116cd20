internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
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
        let json = Array(try Data(contentsOf: URL(filePath: tokenizer)))
        let (spent, tokenizer) = try seconds { try BPETokenizer(json: json) }
        try say(["load": spent])
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            try expect(words.count == 3, "three words, not '\(line)'")
            let data = try Data(contentsOf: URL(filePath: words[1]))
            switch words[0] {
            case "encode": try encode(data, tokenizer, to: words[2])
            case "decode": try decode(data, tokenizer, to: words[2])
            default: throw Failure("there is no command '\(words[0])'")
            }
        }
    }

    private func encode(_ data: Data, _ tokenizer: BPETokenizer, to path: String) throws {
        let text = String(decoding: data, as: UTF8.self)
        let (spent, ids) = try seconds { try tokenizer.encode(text) }
        var result = Data(capacity: 4 * ids.count)
        for id in ids {
            for shift in [0, 8, 16, 24] { result.append(UInt8(truncatingIfNeeded: id >> shift)) }
        }
        try result.write(to: URL(filePath: path))
        try say(["seconds": spent, "tokens": Double(ids.count)])
    }

    private func decode(_ data: Data, _ tokenizer: BPETokenizer, to path: String) throws {
        let bytes = [UInt8](data)
        let ids = stride(from: 0, to: bytes.count - 3, by: 4).map { at in
            (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
        }
        let (spent, text) = seconds { tokenizer.decode(ids) }
        var (stream, parts) = (TokenStream(tokenizer), "")
        for id in ids { parts += stream.push(id) }
        parts += stream.finish()
        try expect(parts == text, "a stream of \(ids.count) tokens is another text")
        try Data(text.utf8).write(to: URL(filePath: path))
        try say(["seconds": spent, "tokens": Double(ids.count)])
    }
}
