internal import Cambium

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
    /// Nil when no statistics were asked for.
    let memory: MemoryUse?
    /// Of each revision; nil when none were asked for.
    let statistics: [RunStatistics]?

    func lines(_ style: Style) -> [String] {
        let lines = table(heading: ["bits per byte"])
        return lines + (memory == nil ? [] : [""] + usageLines)
    }

    func quietLines() -> [String] { table(heading: [""]) }

    private func table(heading: [String]) -> [String] {
        let revisions = rows.map(\.revision).uniqued
        let count = rows.count / max(1, revisions.count)
        let alignments = [TextTable.Alignment.left] + Array(repeating: .right, count: count)
        var table = TextTable(alignments)
        table.add(heading + rows.prefix(count).map(\.name))
        for (index, revision) in revisions.enumerated() {
            let values = rows[(index * count)..<((index + 1) * count)]
            table.add([revision] + values.map { Quantity.fixed($0.result.bitsPerByte, 4) })
        }
        return table.lines()
    }

    private var usageLines: [String] {
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
