internal import Cambium
internal import Reporting

/// A table of revisions and texts.
struct EvalReport: Report {
    /// One model on one text.
    struct Row: Encodable {
        let revision: String
        let text: String
        let name: String
        let result: EvaluationResult

        enum CodingKeys: String, CodingKey { case revision, text, name }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(revision, forKey: .revision)
            try container.encode(text, forKey: .text)
            try container.encode(name, forKey: .name)
            try result.encode(to: encoder)
        }
    }

    /// Revision by revision, each with the same texts.
    let rows: [Row]
    /// Whether perplexities are shown beside bits.
    let showsPerplexity: Bool
    /// Whether lines have commas, for other programs.
    let isTable: Bool
    /// Nil when no statistics were asked for.
    let memory: MemoryUse?
    /// Of each revision; nil when none were asked for.
    let statistics: [RunStatistics]?

    enum CodingKeys: String, CodingKey { case rows, memory, statistics }

    func lines(_ style: Style) -> [String] {
        if isTable { return commaLines }
        var lines = table(heading: ["bits per byte"])
        if showsPerplexity { lines += [""] + table(heading: ["perplexity"]) { $0.perplexity } }
        return lines + (memory == nil ? [] : [""] + usageLines)
    }

    func quietLines() -> [String] { isTable ? commaLines : table(heading: [""]) }

    private var commaLines: [String] {
        ["revision,commit,text,tokens,windows,bits_per_byte,bits_per_token,perplexity"]
            + rows.map { row in
                let result = row.result
                let numbers = [result.bitsPerByte, result.bitsPerToken, result.perplexity]
                return
                    ([row.revision, result.id, row.text].map(Self.field)
                    + ["\(result.predictions)", "\(result.windows)"] + numbers.map { "\($0)" })
                    .joined(separator: ",")
            }
    }

    /// A text between commas (RFC 4180).
    private static func field(_ text: String) -> String {
        text.contains { [",", "\"", "\n", "\r", "\r\n"].contains($0) }
            ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
    }

    private func table(
        heading: [String], _ value: (EvaluationResult) -> Double = { $0.bitsPerByte }
    ) -> [String] {
        let revisions = rows.map(\.revision).uniqued
        let count = rows.count / max(1, revisions.count)
        let alignments = [TextTable.Alignment.left] + Array(repeating: .right, count: count)
        var table = TextTable(alignments)
        table.add(heading + rows.prefix(count).map(\.name))
        for (index, revision) in revisions.enumerated() {
            let values = rows[(index * count)..<((index + 1) * count)]
            table.add([revision] + values.map { Quantity.fixed(value($0.result), 4) })
        }
        return table.lines()
    }

    var usageLines: [String] {
        var table = TextTable([.left, .left, .right, .right])
        table.add(["revision", "text", "experts touched", "bytes touched"])
        for row in rows {
            let usage = row.result.usage
            table.add([
                row.revision, row.name,
                "\(Quantity.count(usage.expertsTouched)) of \(Quantity.count(usage.experts))",
                "\(Quantity.bytes(usage.bytesTouched)) of \(Quantity.bytes(usage.bytesStored))",
            ])
        }
        let revisions = rows.map(\.revision).uniqued
        let runs = zip(revisions, statistics ?? []).flatMap { revision, statistics in
            statistics.lines.map { "\(revision): \($0)" }
        }
        return table.lines() + runs + (memory.map { ["peak memory: \($0.text)"] } ?? [])
    }
}

extension [String] {
    /// The elements without later repetitions.
    fileprivate var uniqued: [String] {
        var seen: Set<String> = []
        return filter { seen.insert($0).inserted }
    }
}
