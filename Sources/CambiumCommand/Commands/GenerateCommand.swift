internal import ArgumentParser
internal import Cambium

struct GenerateCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Let a model continue a text.",
        discussion: """
            Greedy unless --temperature is above 0; the same seed gives the same text.

            cambium generate main --prompt "Q: What is 3 + 4?" -n 200
            cambium generate main --prompt - -n 50 --temperature 0.8 --top-p 0.9 < prompt.txt
            """)

    @Argument(help: "The revision.")
    var revision = "HEAD"

    @Option(parsing: .unconditional, help: "The text to continue; - reads standard input.")
    var prompt: String

    @Option(
        name: [.customShort("n"), .customLong("count")],
        help: ArgumentHelp("Bytes to write.", valueName: "count"))
    var count = 200

    @Option(help: "0 takes the likeliest byte; 1 draws from the model's distribution.")
    var temperature = 0.0

    @Option(help: "Draw only from the likeliest bytes that together have this probability.")
    var topP = 1.0

    @Option(help: "For draws that can be repeated.")
    var seed: UInt64 = 0

    @Flag(help: "Report experts and bytes touched, and peak memory, on standard error.")
    var stats = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if count < 0 { throw ValidationError("-n must not be negative") }
        guard (0...100).contains(temperature) else {
            throw ValidationError("--temperature is \(temperature); give 0 to 100")
        }
        guard topP > 0, topP <= 1 else {
            throw ValidationError("--top-p is \(topP); give more than 0, at most 1")
        }
    }

    func run(_ console: Console) throws {
        let model = try openForReading().model(revision)
        let input = prompt == "-" ? try Terminal.read("-") : Array(prompt.utf8)
        if input.count > model.contextLength {
            console.note(
                "note: of the \(Quantity.count(input.count, "byte")) of the prompt the model reads "
                    + "the last \(Quantity.count(model.contextLength)): its context has no room for "
                    + "more")
        }
        let isStreamed = !console.isJSON
        let isWatched = Terminal.isTerminal(.output)
        if isStreamed, isWatched, !console.isQuiet {
            console.write(Array(console.style.faint(String(decoding: input, as: UTF8.self)).utf8))
        }
        var memory = MemoryMeter()
        var written = 0
        let result = try model.generate(
            input, count: count,
            sampling: SamplingOptions(temperature: temperature, topP: topP, seed: seed)
        ) { byte in
            if isStreamed { console.write([isWatched ? byte.visible : byte]) }
            if stats, written.isMultiple(of: 16) { memory.sample() }
            written += 1
            return true
        }
        if isStreamed, isWatched { console.write([UInt8(ascii: "\n")]) }
        if stats { memory.sample() }
        let report = GenerateReport(result: result, memory: stats ? memory.peak : nil)
        if console.isJSON {
            console.show(report)
        } else if stats {
            // Output and errors may go to one place; the figures start on a line of their own.
            if !isWatched { console.note("") }
            report.lines(console.errorStyle).forEach { console.note($0) }
        }
    }
}

extension UInt8 {
    /// The byte, or `?` for a control code that would change the terminal's state.
    fileprivate var visible: UInt8 {
        let isSafe = self >= 0x20 && self != 0x7F || self == 0x0A || self == 0x09
        return isSafe ? self : UInt8(ascii: "?")
    }
}

struct GenerateReport: Report {
    let result: GenerationResult
    /// Nil when no statistics were asked for.
    let memory: MemoryUse?

    enum CodingKeys: String, CodingKey { case memory }

    func encode(to encoder: any Encoder) throws {
        try result.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(memory, forKey: .memory)
    }

    /// The statistics; the text went out byte by byte.
    func lines(_ style: Style) -> [String] {
        let usage = result.usage
        var table = TextTable([.left, .left])
        let layers = usage.touchedByLayer.sorted { Int($0.key) ?? 0 < Int($1.key) ?? 0 }
            .map { "\(Quantity.count($0.value)) in layer \($0.key)" }
        table.add([
            "experts touched",
            "\(Quantity.count(usage.expertsTouched)) of \(Quantity.count(usage.experts))"
                + (layers.isEmpty ? "" : " (\(layers.joined(separator: ", ")))"),
        ])
        table.add([
            "bytes touched",
            "\(Quantity.bytes(usage.bytesTouched)) of \(Quantity.bytes(usage.bytesStored)) stored",
        ])
        if let memory { table.add(["peak memory", memory.text]) }
        return table.lines().map { style.faint($0) }
    }
}
