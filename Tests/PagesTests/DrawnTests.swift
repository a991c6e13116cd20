import Elements
import Objects
import Pictures
import Reporting
import Snapshots
import TestSupport
import Testing

@testable import Cambium
@testable import Pages

/// What is seen in pictures: words, where they are, and what has which colour.
@Suite("What figures draw")
struct DrawnTests {
    @Test("evaluations that are no finite number are seen, and are no best")
    func infinite() throws {
        try FigureTests().withHistory { (store, _) throws in
            for (name, value) in [("left", Double.infinity), ("right", .nan), ("main", 2.75)] {
                try store.addNote(
                    to: name, metrics: ["a.bpb": value], Signature(author: "t", time: 6_000))
            }
            let matrix = try store.figures().forgetting()
            let values = matrix.domains[0].values
            #expect(values.count == 4 && values[0] == 2.5 && values[1] == .infinity)
            #expect(values[2]?.isNaN == true && values[3] == 2.75)
            #expect(matrix.domains[0].bestBefore == [nil, 2.5, 2.5, 2.5])
            let drawn = Figure(matrix).svg().text
            #expect(drawn.contains(">inf<") && drawn.contains(">nan<") && drawn.contains(">2.750<"))
            #expect(drawn.contains("class=\"bad\" fill-opacity=\"1\""))
            #expect(drawn.contains("no finite number, the best before 2.5"))
            let metrics = try store.figures().metrics()
            #expect(metrics.series[0].points.count == 4)
            let charts = Figure(metrics).svg().text
            #expect(charts.contains(">inf<") && charts.contains(">nan<"))
            let table = Figure(matrix).table
            #expect(table.commaSeparated.contains(",inf,2.5\r\n"))
            #expect(table.markup(caption: "", command: "").text.contains("data-value=\"Infinity\""))
        }
    }

    @Test("more is better of the measures that are so named, and a best of 0 is a best")
    func gains() throws {
        for measure in ["acc_norm", "exact_match", "pass@1", "rougeL", "f1", "em"] {
            try FigureTests().withHistory { (store, _) throws in
                for (name, value) in [("main~1", 0.0), ("main", 0.5)] {
                    let metrics = ["x.\(measure)": value, "y.\(measure)": 1, "z.\(measure)": 1]
                    try store.addNote(
                        to: name, metrics: metrics, Signature(author: "t", time: 6_000))
                }
                let matrix = try store.figures().forgetting()
                #expect(matrix.measure == measure && !matrix.lowerIsBetter)
                let drawn = Figure(matrix).svg().text
                #expect(drawn.contains("0.5, the best before 0<"))
                #expect(drawn.contains("class=\"good\" fill-opacity=\"1\""))
            }
        }
    }

    /// Commits of a line, each before its parent.
    private func entries(_ count: Int, parents: (Int) -> [Int]) -> [HistoryFigure.Entry] {
        (0..<count).map { number in
            HistoryFigure.Entry(
                id: "c\(number)", parents: parents(number).map { "c\($0)" }, subject: "a subject",
                author: "t", time: 0, references: [], metrics: [:], bytes: 1)
        }
    }

    @Test("a narrow history has room for words beside any number of lines")
    func narrow() throws {
        let commits = entries(60) { $0 < 59 ? [59] : [] }
        let drawing = try #require(
            Figure(HistoryFigure(branch: nil, commits: commits)).drawings(width: 344).first)
        let starts = drawing.content.text.numbers(behind: "<text x=\"")
        #expect(starts.count == 60 && starts.allSatisfy { $0 < 160 })
        #expect(drawing.content.text.contains(">a subject<"))
    }

    @Test("a long history is as wide as the box that it is scrolled in")
    func box() {
        let figure = Figure(
            HistoryFigure(branch: nil, commits: entries(350) { $0 < 349 ? [$0 + 1] : [] }))
        #expect(figure.boxed(width: Figure.wide).allSatisfy { $0.width <= Figure.wide - 41 })
        let short = Figure(HistoryFigure(branch: nil, commits: entries(3) { _ in [] }))
        #expect(short.boxed(width: Figure.wide).map(\.width) == [Figure.wide])
    }

    @Test(
        "slanted names stay in the picture and apart from each other",
        arguments: [(344.0, 12), (344, 16), (920, 40), (920, 3)])
    func slanted(_ width: Double, _ count: Int) {
        let name = "a name that is long enough to stand slanted"
        let cells = (0..<count).map { _ in HeatMap.Cell(1) }
        let text = HeatMap(
            columns: (0..<count).map { _ in name }, rows: [HeatMap.Row("row", cells)]
        ).drawing(width: width, cell: (count == 3 ? 96 : 34, 34), label: "").content.text
        let places = text.numbers(behind: "rotate(-45 ")
        #expect(!places.isEmpty && places.count <= count)
        #expect(zip(places, places.dropFirst()).allSatisfy { $1 - $0 >= 13.9 })
        let longest = min(150, width * 0.25)
        #expect((places.last ?? 0) + 0.71 * longest + 6 <= width)
        // The newest has its name.
        let squares = text.numbers(behind: "<rect x=\"")
        #expect((places.last ?? 0) >= (squares.last ?? .infinity))
    }

    @Test("of many rounds the newest have colours of their own, and the older ones one together")
    func colours() {
        let rounds = (0..<12).map {
            OriginsFigure.Round(commit: "c\($0)", subject: "s\($0)", time: 0, made: 0, changed: 2)
        }
        let experts = (0..<24).map { Int?($0 / 2) }
        let pool = OriginsFigure.Pool(layer: 1, pool: "base", made: experts, changed: experts)
        let origins = OriginsFigure(commit: "c", rounds: rounds, pools: [pool])
        let text = Figure(origins, of: "main").svg().text
        #expect(
            text.contains(">5 older commits (10 experts)<") && !text.contains(">s4 (2 experts)<"))
        for number in 5..<12 { #expect(text.contains(">s\(number) (2 experts)<")) }
        #expect(text.components(between: "class=\"", and: "\"").count { $0 == "aged" } == 11)
        let eight = OriginsFigure.Pool(
            layer: 1, pool: "base", made: Array(experts.prefix(16)),
            changed: Array(experts.prefix(16)))
        let few = OriginsFigure(commit: "c", rounds: Array(rounds.prefix(8)), pools: [eight])
        #expect(!Figure(few, of: "main").svg().text.contains("older"))
    }

    @Test("no two curves of losses have the same colour")
    func curves() {
        let curves = (0..<12).map { number in
            LossFigure.Curve(
                commit: "c\(number)", subject: "s", references: [],
                points: [CurvePoint(step: 1, value: 2), CurvePoint(step: 2, value: 1)])
        }
        let figure = Figure(LossFigure(curves: curves, leftOut: 0))
        let strokes = figure.svg().text.components(between: "class=\"edge ", and: "\"")
        #expect(strokes.count == 8 && Set(strokes).count == 8)
        #expect(figure.caption.contains("The newest 8 rounds are drawn; the table has 12."))
        #expect(figure.table.rows.count == 24)
    }

    @Test("a revision that is named twice is compared once")
    func twice() throws {
        try FigureTests().withHistory { (store, _) throws in
            let sharing = try store.figures(["left", "left", "right"]).sharing()
            #expect(sharing.shared?.models.map(\.revision) == ["left", "right"])
            #expect(Figure(sharing).caption.contains("is counted once"))
        }
    }

    @Test("experts that are absent at a pool's end are told as absent")
    func absent() throws {
        try withStore { snapshots in
            let store = Store(snapshots, snapshots.directory)
            let model = SyntheticModel.sample(experts: 40)
            try snapshots.commit(model, message: "base")
            let pools = try store.figures().origins().pools
            let place = try #require(model.pools.keys.min())
            #expect(pools[0].made.count == model.pools[place]?.experts.count)
        }
    }

    @Test("pages call a store by its folder, however its path is written")
    func titles() {
        for path in [".", "./", "../S", "/a/S/", "../S/.", "/a/b/../S"] {
            #expect(storeTitle(of: path, in: "/a/S") == "S", "\(path)")
        }
        #expect(storeTitle(of: "/..", in: "/a") == "store" && storeTitle(of: "T", in: "/a") == "T")
    }

    @Test("a page of the site leads back to it, and a merge tells what it settled")
    func site() throws {
        try FigureTests().withHistory { (store, _) throws in
            let site = Site(store, title: "S", allowsEdit: false)
            func page(_ path: String, _ fields: [String: String] = [:]) throws -> String {
                let answer = site.answer(SiteRequest(isPost: false, path: path, fields: fields))
                guard case .page(let markup, 200) = answer else {
                    throw CambiumError(.usage, "not a page")
                }
                return markup.text
            }
            #expect(try page("/report").contains("<a href=\"/\">Back to the store</a>"))
            #expect(try !Page(store.figures(), title: "S").markup.text.contains("Back to the"))
            let merge = try page("/commit", ["rev": "main"])
            #expect(merge.contains("Conflicts that it settled") && merge.contains("that of left"))
            #expect(try !page("/commit", ["rev": "left"]).contains("Conflicts that it settled"))
        }
    }
}

extension String {
    /// The numbers that stand behind a text, in their order.
    fileprivate func numbers(behind start: String) -> [Double] {
        ranges(of: start).compactMap { range in
            Double(self[range.upperBound...].prefix { $0.isNumber || $0 == "." || $0 == "-" })
        }
    }
}
