internal import Cambium

/// Generation by models that have a vocabulary of their own.
extension GenerateCommand {
    /// Continues texts one after the other, by the model's own tokenizer.
    func run(texts: [[UInt8]], _ model: MappedModel, _ console: Console) throws {
        guard let tokenizer = try model.tokenizer() else {
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
            let ids = try tokenizer.encode(String(decoding: bytes, as: UTF8.self))
            var stream = Tokenizer.Stream(tokenizer)
            var text = ""
            var meter = MemoryMeter()
            func add(_ part: String) {
                text += part
                if !console.isJSON { console.write(Array(part.utf8)) }
            }
            let result = try continued(ids, model, &meter) { add(stream.push($0)) }
            add(stream.finish())
            let report = TokenReport(
                result: result, memory: stats ? meter.peak : nil, text: text,
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
