import Reporting
import Testing

@testable import Cambium
@testable import CambiumCommand

/// What a history looks like on terminals of some widths.
@Suite("Columns beside a history")
struct LogColumnsTests {
    private func commit(
        _ number: Int, _ message: String, _ metrics: [String: Double], note: [String: Double] = [:]
    ) -> CommitInfo {
        let id = String(repeating: "\(number)", count: 64)
        let notes = [
            NoteInfo(
                id: id, commit: id, time: 0, author: "t", text: "", metrics: note, curves: [])
        ]
        return CommitInfo(
            id: id, tree: id,
            parents: number > 0 ? [String(repeating: "\(number - 1)", count: 64)] : [], time: 0,
            author: "t", message: message, metadata: [:], metrics: metrics, references: [],
            notes: note.isEmpty ? [] : notes)
    }

    private func lines(
        _ commits: [CommitInfo], columns: Int?, isUnicode: Bool = true,
        curves: [String: [Double]] = [:]
    ) -> [String] {
        LogReport(commits, branch: "main", form: .graph, now: 60, curves: curves).lines(
            Style(isColored: false, isUnicode: isUnicode, columns: columns))
    }

    private let long = [
        "swahili.bits_per_byte_of_validation": 2.5, "metamath.bits_per_byte_of_validation": 1.25,
        "train.seconds": 9,
    ]

    @Test("metrics with long names are shown, by the beginning and the end of each")
    func names() {
        let commits = [commit(1, "next", long), commit(0, "base", long)]
        let shown = lines(commits, columns: 80)
        #expect(shown.count == 3 && shown.allSatisfy { $0.cells <= 80 })
        #expect(shown[0].contains("metama…tion") && shown[0].contains("swahil…tion"))
        #expect(shown[1].hasSuffix("       1.25          2.5"))
        #expect(lines(commits, columns: 160)[0].contains("metamath.bits…tion"))
        #expect(!shown.joined().contains("seconds"))
    }

    @Test("what has no room is left out, and lines stay as they are in a pipe")
    func room() {
        let commits = [commit(0, "base", long)]
        for columns in [0, 20, 44, 52] {
            #expect(lines(commits, columns: columns) == lines(commits, columns: nil))
        }
        #expect(lines(commits, columns: nil) == ["* 000000000000 base  1 minute ago"])
        #expect(lines(commits, columns: 58)[0].contains("metama…tion"))
        #expect(!lines(commits, columns: 58)[0].contains("swahil"))
    }

    @Test("a long subject is cut to what is left, in cells of the terminal")
    func subjects() {
        let words = String(repeating: "日本語", count: 40)
        let commits = [commit(1, words, ["bpb": 2]), commit(0, "a\u{1B}[31mred", ["bpb": 1])]
        let shown = lines(commits, columns: 80)
        #expect(shown.allSatisfy { $0.cells <= 80 })
        #expect(shown[1].contains("日本語") && shown[1].contains("…") && shown[1].hasSuffix(" 2"))
        #expect(VisibleText.of(shown[2]).cells <= 80 && shown[2].hasSuffix(" 1"))
    }

    @Test("the newest number counts, and rounds have the course of their loss")
    func numbers() {
        let commits = [commit(1, "next", ["bpb": 2], note: ["bpb": 1.5]), commit(0, "base", [:])]
        let shown = lines(commits, columns: 80, curves: [commits[0].id: [3, 2, 1]])
        #expect(shown[0].contains("loss") && shown[1].contains("█▅▁"))
        #expect(shown[1].hasSuffix("1.5") && shown[2].hasSuffix("ago"))
        // Without letters for it there is no course.
        let plain = lines(commits, columns: 80, isUnicode: false, curves: [commits[0].id: [3, 2]])
        #expect(!plain[0].contains("loss") && plain[1].hasSuffix("1.5"))
    }
}

@Suite("Bars on a terminal")
struct BarTests {
    private func style(_ columns: Int?) -> Style {
        Style(isColored: false, isUnicode: true, columns: columns)
    }

    private func pool(_ layer: Int, changed: Int, added: Int = 0, of count: Int)
        -> ModelDiff.PoolDiff
    {
        let change = ModelDiff.Change(l2: 1, relativeL2: 0.125, maxAbs: 0.5, cosine: 1)
        return ModelDiff.PoolDiff(
            layer: layer, pool: "base", experts: count, added: Array(0..<added), removed: [],
            changed: (0..<changed).map { .init(ordinal: $0, change: change) },
            total: changed > 0 ? change : nil, routers: [])
    }

    private func report(_ pools: [ModelDiff.PoolDiff]) -> DiffReport {
        let diff = ModelDiff(
            from: "a", to: "b", identical: pools.isEmpty, pools: pools, trunk: [], files: [],
            layoutChanged: false, architectureChanged: false)
        return DiffReport(diff: diff, from: "x", to: "y", detail: .summary)
    }

    @Test("a difference has a bar for each pool with changed experts, where there is room")
    func diff() {
        let pools = [
            pool(0, changed: 4, of: 8), pool(1, changed: 8, of: 8),
            pool(2, changed: 0, added: 3, of: 8),
        ]
        let wide = report(pools).lines(style(90))
        #expect(wide.count == 5 && wide.allSatisfy { $0.count <= 90 })
        #expect(wide[2].contains("4 of 8 experts changed  by 12.50 %  at most 0.5000  █"))
        #expect(wide[2].count { $0 == "█" } * 2 == wide[3].count { $0 == "█" })
        #expect(
            !wide[4].contains("█") && !wide[4].contains("·") && wide[4].contains("3 experts added"))
        for columns in [nil, 0, 60] {
            let lines = report(pools).lines(style(columns))
            #expect(lines.count == 5 && !lines.joined().contains("█"))
            #expect(zip(lines, wide).allSatisfy { $1.hasPrefix($0) })
        }
        #expect(report([]).lines(style(90)) == ["x a and y b are the same model"])
        #expect(report(pools).quietLines().suffix(3) == ["2/base/0", "2/base/1", "2/base/2"])
    }

    @Test("what the file takes is drawn beside what checkpoints would")
    func stats() {
        func lines(_ columns: Int?, file: Int = 500, checkpoints: Int = 1_000) -> [String] {
            StatsReport(
                statistics: StoreStatistics(
                    fileBytes: file, freeBytes: 0, objects: 1, objectBytes: 1, promisedObjects: 0,
                    promisedBytes: 0, experts: 0, packs: 1, arrays: 0, commits: 1, branches: 1,
                    tags: 0, logicalBytes: checkpoints, format: 5)
            ).lines(style(columns))
        }
        let plain = lines(nil)
        #expect(
            plain.last == "the file takes 50.0 % of what the commits' models take as checkpoints")
        let wide = lines(64)
        #expect(wide.count == plain.count + 2)
        #expect(wide.contains("checkpoints  " + String(repeating: "█", count: 48)))
        let half = String(repeating: "█", count: 24) + String(repeating: "·", count: 24)
        #expect(wide.contains("the file     " + half))
        #expect(lines(39) == plain)
        // An empty store has nothing to be beside.
        #expect(!lines(64, checkpoints: 0).joined().contains("█"))
        #expect(lines(64, file: 2_000).contains { $0.hasSuffix(String(repeating: "█", count: 48)) })
    }
}
