internal import Cambium

/// Generation of token ids.
extension GenerateCommand {
    /// Continues token ids.
    func run(_ ids: [Int], _ model: MappedModel, _ console: Console) throws {
        var meter = MemoryMeter()
        var written = 0
        let result = try model.generate(
            tokens: ids, count: count,
            sampling: SamplingOptions(temperature: temperature, topP: topP, seed: seed),
            stops: pastEnd ? [] : Set(model.endTokens), threads: threads ?? Terminal.processors
        ) { token in
            if !console.isJSON {
                console.write(Array(((written == 0 ? "" : ",") + "\(token)").utf8))
            }
            if stats, written.isMultiple(of: 16) { meter.sample(model.statistics) }
            written += 1
            return true
        }
        if stats { meter.sample(model.statistics) }
        if !console.isJSON { console.write([UInt8(ascii: "\n")]) }
        let report = TokenReport(result: result, memory: stats ? meter.peak : nil)
        if console.isJSON {
            console.show(each: [report], lines: [], paged: false)
        } else if stats {
            let runs = model.statistics.lines.map(console.errorStyle.faint)
            (report.lines(console.errorStyle) + runs).forEach(console.note)
        }
    }
}
