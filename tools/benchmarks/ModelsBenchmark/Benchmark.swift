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
/// `logits TOKENS FILE`, `decode TOKENS COUNT THREADS`, `together TOKENS TEXTS COUNT THREADS`,
/// `score TOKENS FIRST THREADS` (token ids with commas between).
struct ServeCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "serve")

    @OptionGroup var options: ModelOptionsGroup

    func run() throws {
        let (loading, model) = try seconds { try options.model() }
        try answer(
            ["load_seconds": loading],
            [
                "logits": { try logits(model, $0) }, "decode": { try decode(model, $0) },
                "together": { try together(model, $0) }, "score": { try score(model, $0) },
            ])
    }

    /// Texts side by side, the prompt of each turned by a token: new tokens a second, from the start to the last one's end.
    private func together(_ model: MappedModel, _ command: Command) throws -> Answer {
        let prompt = try ids(command.text(1))
        let (texts, count) = (try command.number(2), try command.number(3))
        let batch = try GenerationBatch(model, threads: command.number(4))
        let start = ContinuousClock.now
        for text in 0..<texts {
            let from = text % prompt.count
            _ = try batch.add(
                TextRequest(
                    prompt: Array(prompt[from...] + prompt[..<from]), count: count, pastEnd: true))
        }
        var made = 0
        while batch.count > 0 {
            for step in try batch.step() {
                made += step.tokens.count
                if let error = step.error { throw error }
            }
        }
        var answer = Answer(tokens: [])
        answer.tokens_per_s = Double(made) / ((ContinuousClock.now - start) / .seconds(1))
        return answer
    }

    /// Bits of each token from place FIRST on, behind those before it.
    private func score(_ model: MappedModel, _ command: Command) throws -> Answer {
        let (text, first) = (try ids(command.text(1)), try command.number(2))
        let batch = try GenerationBatch(model, threads: command.number(3))
        _ = try batch.add(TextRequest(prompt: text, count: 1, pastEnd: true, promptChances: true))
        var chances: [TokenChance] = []
        while batch.count > 0 {
            for step in try batch.step() {
                if let error = step.error { throw error }
                chances += step.promptChances ?? []
            }
        }
        let bits = chances.suffix(text.count - first).reduce(0) { $0 - $1.logProbability / log(2) }
        var answer = Answer(tokens: [])
        answer.bits_per_token = bits / Double(text.count - first)
        return answer
    }

    private func logits(_ model: MappedModel, _ command: Command) throws -> Answer {
        let rows = try model.logits(try ids(command.text(1)), threads: 2)
        try write(rows.flatMap { $0 }, to: command.text(2))
        return Answer(tokens: [])
    }

    private func decode(_ model: MappedModel, _ command: Command) throws -> Answer {
        let (prompt, count) = (try ids(command.text(1)), try command.number(2))
        let before = model.statistics
        let used = ownCPUSeconds()
        let begin = ContinuousClock.now
        var first: ContinuousClock.Instant?
        let result = try model.generate(tokens: prompt, count: count, threads: command.number(3)) {
            _ in
            if first == nil { first = .now }
            return true
        }
        let end = ContinuousClock.now
        let now = model.statistics
        let start = first ?? begin
        let selections = now.selections - before.selections
        var answer = Answer(tokens: result.tokens)
        answer.prefill_seconds = (start - begin) / .seconds(1)
        answer.tokens_per_s = Double(count - 1) / ((end - start) / .seconds(1))
        answer.cpu_ms_per_token =
            1000 * (ownCPUSeconds() - used) / Double(prompt.count + count - 1)
        answer.hit_rate =
            selections == 0
            ? nil : 1 - Double(now.firstSelections - before.firstSelections) / Double(selections)
        answer.prefetched = now.prefetched
        answer.prefetch_accuracy = now.prefetchAccuracy
        answer.bytes_touched = result.usage.bytesTouched
        return answer
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
        var answer = Answer(tokens: result.tokens)
        answer.bytes_touched = result.usage.bytesTouched
        answer.bytes_read = try bytesRead()
        answer.rss_anon = try memory("RssAnon")
        try say(answer)
    }
}

/// What a run gave.
struct Answer: Encodable {
    let tokens: [Int]
    var prefill_seconds: Double?
    var tokens_per_s: Double?
    var cpu_ms_per_token: Double?
    var hit_rate: Double?
    var prefetched: Int?
    var prefetch_accuracy: Double?
    var bytes_touched: Int?
    var bytes_read: Double?
    var rss_anon: Double?
    var bits_per_token: Double?

    init(tokens: [Int]) { self.tokens = tokens }
}

private func ids(_ word: String) throws -> [Int] {
    try word.split(separator: ",").map { part in
        guard let id = Int(part) else { throw Failure("'\(part)' is no token id") }
        return id
    }
}
