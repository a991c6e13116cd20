internal import ArgumentParser
internal import Cambium
internal import Reporting

struct GenerateCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Let a model continue a text, or tokens.",
        discussion: """
            Greedy unless --temperature is above 0; the same seed gives the same text. Several \
            prompts run together, each with the text that it would get alone; their texts come in \
            order, each ended by a line break, or with --json as one object a line.

            cambium generate main --prompt "Q: What is 3 + 4?" -n 200
            cambium generate --prompt - -n 50 --temperature 0.8 --top-p 0.9 < prompt.txt
            cambium generate main --prompts questions.txt -n 100 --stop "Q:" --json

            Models with a vocabulary of their own (OLMoE, Mixtral, Qwen, DeepSeek, Kimi, GLM, MiniMax, GPT-OSS \
            and others: docs/families.md) read and write text by the tokenizer.json that was committed with them, as it is; \
            without one by bytes, if there are 256 tokens. They end at the model's own end token unless told \
            otherwise. Every model takes token ids as well.

            cambium generate main --tokens 1,178,199 -n 16

            --chat makes one text of a conversation by the chat template that was committed with the model: \
            of --system and --prompt, or of --messages with roles and tools. Without --prompt it goes on in turns \
            on a terminal where the user is to speak, until /exit or Ctrl-D; Ctrl-C stops an answer. Elsewhere \
            the question is standard input. What the model writes comes as it is, reasoning and \
            calls of tools with the marks around them.

            cambium generate main --chat
            cambium generate main --chat --system "Be brief." --prompt "What is 3 + 4?"
            cambium generate main --chat --messages chat.json -n 500 --json
            """)

    @Argument(help: "The revision.", completion: Completion.revisions)
    var revision = "HEAD"

    @Option(
        parsing: .unconditionalSingleValue,
        help: "The text to continue; - reads standard input; may be repeated.")
    var prompt: [String] = []

    @Option(help: "A file of texts to continue, one a line.", completion: .file())
    var prompts: String?

    @Option(help: "Token ids to continue, with commas between; they are given out in the same way.")
    var tokens: TokenList?

    @Flag(help: "Go on behind the tokens that end a text.")
    var pastEnd = false

    @Option(
        name: [.customShort("n"), .customLong("count")],
        help: ArgumentHelp("Bytes or tokens to write.", valueName: "count"))
    var count = 200

    @Option(help: "0 takes the likeliest token; 1 draws from the model's distribution.")
    var temperature = 0.0

    @Option(help: "Draw only from the likeliest tokens that together have this probability.")
    var topP = 1.0

    @Option(help: "For draws that can be repeated.")
    var seed: UInt64 = 0

    @Option(
        parsing: .unconditionalSingleValue,
        help: "End where this text comes, without it; may be repeated.")
    var stop: [String] = []

    @Option(help: "Threads (default: the processors). The result does not depend on it.")
    var threads: Int?

    @Flag(help: "Report experts and bytes touched, and peak memory, on standard error.")
    var stats = false

    @OptionGroup(title: "Conversations") var chat: ChatOptions
    @OptionGroup var memory: MemoryOptions
    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if prompt.isEmpty, prompts == nil, tokens == nil, !chat.chat {
            throw ValidationError(
                "give a text with --prompt, a file of them with --prompts, token ids with --tokens, or --chat"
            )
        }
        try chat.validate(prompts: prompt, hasOthers: prompts != nil || tokens != nil)
        if tokens != nil, !prompt.isEmpty || prompts != nil || !stop.isEmpty {
            throw ValidationError("--tokens goes with none of --prompt, --prompts and --stop")
        }
        if prompt.count(where: { $0 == "-" }) + (prompts == "-" ? 1 : 0) > 1 {
            throw ValidationError("standard input can be read once")
        }
        if stop.contains("") { throw ValidationError("--stop needs at least one byte") }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads); give 1 to 1024")
        }
        if count < 0 { throw ValidationError("-n must not be negative") }
        guard (0...100).contains(temperature) else {
            throw ValidationError("--temperature is \(temperature); give 0 to 100")
        }
        guard topP > 0, topP <= 1 else {
            throw ValidationError("--top-p is \(topP); give more than 0, at most 1")
        }
    }

    func run(_ console: Console) throws {
        let model = try openForReading().model(revision, memory.model)
        model.unused.lines.forEach(console.note)
        if let tokens { return try run(tokens.ids, model, console) }
        if chat.chat { return try runChat(model, console) }
        let inputs = try readPrompts()
        guard try model.takesBytes || model.vocabularySize == 256 || model.tokenizer() != nil else {
            throw Failure(
                .usage,
                "this model reads token ids of a vocabulary of \(model.vocabularySize), and no "
                    + "tokenizer.json was committed with it",
                hint:
                    "give ids with --tokens 1,2,3, or commit the checkpoint with its tokenizer.json"
            )
        }
        let readsText = try !model.takesBytes && model.tokenizer() != nil
        for (index, input) in inputs.enumerated()
        where readsText && !ChatOptions.isText(input) {
            console.note(
                ChatOptions.repaired(inputs.count == 1 ? "the prompt" : "prompt \(index + 1)"))
        }
        for (index, input) in inputs.enumerated()
        where model.slides && input.count > model.contextLength {
            console.note(
                "note: of the \(Quantity.count(input.count, "byte")) of "
                    + (inputs.count == 1 ? "the prompt" : "prompt \(index + 1)")
                    + " the model reads the last \(Quantity.count(model.contextLength)): its context "
                    + "has no room for more")
        }
        var meter = MemoryMeter()
        var written = 0
        var output = GenerateOutput(console, prompts: inputs)
        let results = try model.generate(
            prompts: inputs, count: count,
            sampling: SamplingOptions(temperature: temperature, topP: topP, seed: seed),
            stops: stop.map { Array($0.utf8) }, pastEnd: pastEnd,
            threads: threads ?? Terminal.processors
        ) { index, byte in
            output.add(byte, to: index)
            if stats, written.isMultiple(of: 16) { meter.sample(model.statistics) }
            written += 1
            return true
        } finished: { index, _ in
            output.end(index)
        }
        if stats { meter.sample(model.statistics) }
        let reports = results.enumerated().map { index, result in
            GenerateReport(
                result: result, memory: stats ? meter.peak : nil,
                prompt: results.count == 1 ? nil : index + 1)
        }
        if console.isJSON {
            console.show(each: reports, lines: [], paged: false)
        } else if stats {
            // Output and errors may go to one place; the figures start on a line of their own.
            if !Terminal.isTerminal(.output) { console.note("") }
            let runs = model.statistics.lines.map(console.errorStyle.faint)
            (reports.flatMap { $0.lines(console.errorStyle) } + runs).forEach(console.note)
        }
    }

    /// The texts to continue: those of --prompt, then the lines of --prompts.
    private func readPrompts() throws -> [[UInt8]] {
        var inputs: [[UInt8]] = []
        for text in prompt {
            inputs.append(text == "-" ? try Terminal.read("-") : Array(text.utf8))
        }
        if let prompts {
            // Lines may end as Windows ends them; blank ones part the others.
            let lines = try Terminal.read(prompts).split(separator: UInt8(ascii: "\n")).map {
                $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0
            }
            inputs += lines.filter { !$0.isEmpty }.map { Array($0) }
        }
        guard !inputs.isEmpty else {
            throw Failure(
                .usage, "there is no prompt; \(prompts ?? "the file") has no line with text")
        }
        return inputs
    }
}

/// Writes texts that come at the same time one after the other: the first as it comes, the others as
/// soon as those before them have ended.
private struct GenerateOutput {
    private let console: Console
    private let prompts: [[UInt8]]
    private let isWatched = Terminal.isTerminal(.output)
    private var current = 0
    /// What came of later texts.
    private var waiting: [Int: [UInt8]] = [:]
    private var ended: Set<Int> = []

    init(_ console: Console, prompts: [[UInt8]]) {
        self.console = console
        self.prompts = prompts
        start()
    }

    mutating func add(_ byte: UInt8, to index: Int) {
        if index == current { write([byte]) } else { waiting[index, default: []].append(byte) }
    }

    mutating func end(_ index: Int) {
        ended.insert(index)
        while ended.contains(current) {
            // A text alone is written as it is, so that a program gets its bytes and no more.
            if isWatched || prompts.count > 1 { write([UInt8(ascii: "\n")]) }
            current += 1
            guard current < prompts.count else { return }
            start()
            if let bytes = waiting.removeValue(forKey: current) { write(bytes) }
        }
    }

    /// Shows a person what is being continued.
    private func start() {
        guard !console.isJSON, isWatched, !console.isQuiet else { return }
        let text = String(decoding: prompts[current], as: UTF8.self)
        Terminal.write(console.style.faint(text), to: .output)
    }

    private func write(_ bytes: [UInt8]) {
        if !console.isJSON { console.write(isWatched ? bytes.map(\.visible) : bytes) }
    }
}

extension UInt8 {
    /// The byte, or `?` for a control code that would change the terminal's state.
    var visible: UInt8 {
        let isSafe = self >= 0x20 && self != 0x7F || self == 0x0A || self == 0x09
        return isSafe ? self : UInt8(ascii: "?")
    }
}

struct GenerateReport: Report {
    let result: GenerationResult
    /// Nil when no statistics were asked for.
    let memory: MemoryUse?
    /// Which prompt it continues, from 1; nil when there was one.
    let prompt: Int?

    enum CodingKeys: String, CodingKey { case memory, prompt }

    func encode(to encoder: any Encoder) throws {
        try result.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(memory, forKey: .memory)
        try container.encodeIfPresent(prompt, forKey: .prompt)
    }

    /// The statistics; the text went out byte by byte.
    func lines(_ style: Style) -> [String] { result.usage.lines(style, memory, prompt: prompt) }
}
