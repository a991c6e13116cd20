internal import ArgumentParser
internal import BenchmarkSupport
internal import Cambium
internal import Foundation

/// Runs a model of a store for `targets/models.py`, which times it beside transformers.
@main
struct ModelsBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models-benchmark", subcommands: [ServeCase.self, FirstCase.self])
}

/// Which model, and with how much memory.
struct ModelOptionsGroup: ParsableArguments {
    @Option var store: String
    @Option var revision: String
    @Option(help: "Bytes that the process may have.") var limit: Int?
    @Flag(inversion: .prefixedNo, help: "Ask for the noted experts before the first token.")
    var warm = false

    func model() throws -> MappedModel {
        try Store(store).model(revision, ModelOptions(memoryLimit: limit, warms: warm))
    }
}

/// Answers each line with one line of JSON:
/// `logits TOKENS FILE`, `decode TOKENS COUNT THREADS` (token ids with commas between).
struct ServeCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve")

    @OptionGroup var options: ModelOptionsGroup

    func run() throws {
        let (loading, model) = try seconds { try options.model() }
        try say(["load_seconds": loading])
        while let line = readLine() {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "logits" where words.count == 3: try logits(model, words)
            case "decode" where words.count == 4: try decode(model, words)
            default: throw Failure("there is no command '\(line)'")
            }
        }
    }

    private func logits(_ model: MappedModel, _ words: [String]) throws {
        let rows = try model.logits(try ids(words[1]), threads: 2)
        var data = Data()
        for value in rows.joined() {
            for shift in 0..<4 {
                data.append(UInt8(truncatingIfNeeded: value.bitPattern >> UInt32(8 * shift)))
            }
        }
        try data.write(to: URL(filePath: words[2]))
        try say(["rows": Double(rows.count)])
    }

    private func decode(_ model: MappedModel, _ words: [String]) throws {
        let clock = ContinuousClock()
        let before = model.statistics
        let used = ownCPUSeconds()
        let begin = clock.now
        var first: ContinuousClock.Instant?
        guard let count = Int(words[2]), let threads = Int(words[3]) else {
            throw Failure("'\(words)' has no numbers")
        }
        let result = try model.generate(tokens: ids(words[1]), count: count, threads: threads) {
            _ in
            if first == nil { first = clock.now }
            return true
        }
        let now = model.statistics
        let start = first ?? begin
        let picks = now.picks - before.picks
        var answer = Answer(
            tokens: result.tokens, prefill_seconds: duration(start - begin),
            tokens_per_s: Double(count - 1) / duration(clock.now - start))
        let steps = try ids(words[1]).count + count - 1
        answer.cpu_ms_per_token = 1000 * (ownCPUSeconds() - used) / Double(steps)
        answer.hit_rate =
            picks == 0 ? nil : 1 - Double(now.firstPicks - before.firstPicks) / Double(picks)
        answer.prefetched = now.prefetched
        answer.prefetch_accuracy = now.prefetchAccuracy
        answer.bytes_touched = result.usage.bytesTouched
        try answer.say()
    }
}

/// Opens a model, runs a prompt and tells the first token: for a process that is timed from outside.
struct FirstCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "first")

    @OptionGroup var options: ModelOptionsGroup
    @Option var tokens: String

    func run() throws {
        let model = try options.model()
        let result = try model.generate(tokens: ids(tokens), count: 1, threads: 2)
        var answer = Answer(tokens: result.tokens, prefill_seconds: 0, tokens_per_s: 0)
        answer.bytes_touched = result.usage.bytesTouched
        answer.bytes_read = try bytesRead()
        answer.rss_anon = try memory("RssAnon")
        try answer.say()
    }
}

/// What a run gave.
struct Answer: Encodable {
    let tokens: [Int]
    let prefill_seconds: Double
    let tokens_per_s: Double
    var cpu_ms_per_token: Double?
    var hit_rate: Double?
    var prefetched: Int?
    var prefetch_accuracy: Double?
    var bytes_touched: Int?
    var bytes_read: Double?
    var rss_anon: Double?

    init(tokens: [Int], prefill_seconds: Double, tokens_per_s: Double) {
        self.tokens = tokens
        self.prefill_seconds = prefill_seconds
        self.tokens_per_s = tokens_per_s
    }

    func say() throws {
        FileHandle.standardOutput.write(try JSONEncoder().encode(self) + Data("\n".utf8))
    }
}

private func ids(_ word: String) throws -> [Int] {
    try word.split(separator: ",").map { part in
        guard let id = Int(part) else { throw Failure("'\(part)' is no token id") }
        return id
    }
}

private func duration(_ value: Duration) -> Double {
    Double(value.components.seconds) + Double(value.components.attoseconds) * 1e-18
}
