internal import ArgumentParser
internal import Cambium
internal import Reporting

struct StatsCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Count what is stored, and what sharing saved.",
        discussion: """
            cambium stats
            cambium stats --json
            """)

    @OptionGroup var global: GlobalOptions

    func run(_ console: Console) throws {
        console.show(StatsReport(statistics: try openForReading().statistics()))
    }
}

struct StatsReport: Report {
    let statistics: StoreStatistics

    func encode(to encoder: any Encoder) throws { try statistics.encode(to: encoder) }

    func lines(_ style: Style) -> [String] {
        var table = TextTable([.left, .right, .right])
        table.add([
            "objects", Quantity.count(statistics.objects), Quantity.bytes(statistics.objectBytes),
        ])
        if statistics.promisedObjects > 0 {
            table.add([
                "on a remote", Quantity.count(statistics.promisedObjects),
                Quantity.bytes(statistics.promisedBytes),
            ])
        }
        table.add(["experts among them", Quantity.count(statistics.experts)])
        table.add(["packs", Quantity.count(statistics.packs)])
        table.add(["arrays of experts", Quantity.count(statistics.arrays)])
        table.add([
            "commits", Quantity.count(statistics.commits), Quantity.bytes(statistics.logicalBytes),
        ])
        table.add(["branches", Quantity.count(statistics.branches)])
        table.add(["tags", Quantity.count(statistics.tags)])
        table.add(["file", "", Quantity.bytes(statistics.fileBytes)])
        table.add(["free inside it", "", Quantity.bytes(statistics.freeBytes)])
        guard statistics.logicalBytes > 0 else { return table.lines() }
        let share = Quantity.share(statistics.fileBytes, of: statistics.logicalBytes)
        return table.lines() + bars(style)
            + ["the file takes \(share) of what the commits' models take as checkpoints"]
    }

    /// The file beside the checkpoints, drawn on a terminal with room for it.
    private func bars(_ style: Style) -> [String] {
        guard let columns = style.columns, columns >= 40 else { return [] }
        let width = min(48, columns - 16)
        let most = Double(max(statistics.logicalBytes, statistics.fileBytes))
        return [("checkpoints", statistics.logicalBytes), ("the file", statistics.fileBytes)].map {
            let bar = TextPicture.bar(
                Double($0.1) / most, width: width, isUnicode: style.isUnicode)
            return $0.0 + String(repeating: " ", count: 13 - $0.0.count) + style.name(bar)
        }
    }
}
