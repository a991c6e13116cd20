internal import Cambium

/// Generation by models that have a vocabulary of their own.
extension GenerateCommand {
    /// Continues texts one after the other, by the model's own tokenizer; without one, of a model of 256 tokens,
    /// tokens are bytes.
    func run(texts: [[UInt8]], _ model: MappedModel, _ console: Console) throws {
        let tokenizer = try model.tokenizer()
        guard tokenizer != nil || model.vocabularySize == 256 else {
            throw Failure(
                .usage,
                "this model reads token ids of a vocabulary of \(model.vocabularySize), and no "
                    + "tokenizer.json was committed with it",
                hint:
                    "give ids with --tokens 1,2,3, or commit the checkpoint with its tokenizer.json"
            )
        }
        guard stop.isEmpty else {
            throw Failure(
                .usage, "--stop is for models that read bytes; this one ends at end tokens")
        }
        for (index, bytes) in texts.enumerated() {
            let ids =
                try tokenizer?.encode(String(decoding: bytes, as: UTF8.self))
                ?? model.tokens(of: bytes)
            var stream = TextStream(tokenizer)
            var text: [UInt8] = []
            var meter = MemoryMeter()
            func add(_ part: [UInt8]) {
                text += part
                if !console.isJSON { stream.write(part, console) }
            }
            let result = try continued(ids, model, &meter) { add(stream.push($0)) }
            add(stream.finish())
            let report = TokenReport(
                result: result, memory: stats ? meter.peak : nil,
                text: String(decoding: text, as: UTF8.self),
                prompt: texts.count == 1 ? nil : index + 1)
            if !console.isJSON, texts.count > 1 || Terminal.isTerminal(.output) {
                console.write([UInt8(ascii: "\n")])
            }
            show(report, model, console)
        }
    }

    /// Continues token ids.
    func run(_ ids: [Int], _ model: MappedModel, _ console: Console) throws {
        var meter = MemoryMeter()
        var written = 0
        let result = try continued(ids, model, &meter) { token in
            guard !console.isJSON else { return }
            console.write(Array(((written == 0 ? "" : ",") + "\(token)").utf8))
            written += 1
        }
        if !console.isJSON { console.write([UInt8(ascii: "\n")]) }
        show(
            TokenReport(
                result: result, memory: stats ? meter.peak : nil, text: nil, prompt: nil),
            model, console)
    }

    private func continued(
        _ ids: [Int], _ model: MappedModel, _ meter: inout MemoryMeter, _ each: (Int) -> Void
    ) throws -> TokenGenerationResult {
        var peak = meter
        var written = 0
        defer { meter = peak }
        let result = try model.generate(
            tokens: ids, count: count,
            sampling: SamplingOptions(temperature: temperature, topP: topP, seed: seed),
            stops: pastEnd ? [] : Set(model.endTokens), threads: threads ?? Terminal.processors
        ) { token in
            each(token)
            if stats, written.isMultiple(of: 16) { peak.sample(model.statistics) }
            written += 1
            return true
        }
        if stats { peak.sample(model.statistics) }
        return result
    }

    private func show(_ report: TokenReport, _ model: MappedModel, _ console: Console) {
        if console.isJSON {
            console.show(each: [report], lines: [], paged: false)
        } else if stats {
            let runs = model.statistics.lines.map(console.errorStyle.faint)
            (report.lines(console.errorStyle) + runs).forEach(console.note)
        }
    }
}

/// Makes text of tokens as they come.
private enum TextStream {
    case tokens(Tokenizer.Stream)
    case bytes

    init(_ tokenizer: Tokenizer?) {
        self = tokenizer.map { .tokens(Tokenizer.Stream($0)) } ?? .bytes
    }

    mutating func push(_ id: Int) -> [UInt8] {
        guard case .tokens(var stream) = self else { return [UInt8(truncatingIfNeeded: id)] }
        let text = stream.push(id)
        self = .tokens(stream)
        return Array(text.utf8)
    }

    mutating func finish() -> [UInt8] {
        guard case .tokens(var stream) = self else { return [] }
        let text = stream.finish()
        self = .tokens(stream)
        return Array(text.utf8)
    }

    /// Writes what came; single bytes to a terminal only if they leave its state as it is.
    func write(_ part: [UInt8], _ console: Console) {
        if case .bytes = self, Terminal.isTerminal(.output) {
            console.write(part.map(\.visible))
        } else {
            console.write(part)
        }
    }
}
