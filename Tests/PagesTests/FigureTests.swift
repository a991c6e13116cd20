import Cambium
import Elements
import Objects
import Pictures
import Reporting
import Snapshots
import TestSupport
import Testing

@testable import Pages

@Suite("Figures")
struct FigureTests {
    /// A store with a base, two branches that both changed expert 5 and each another one, and their merge by `ours`.
    func withHistory(
        subject: String = "round", _ body: (Store, SnapshotStore) throws -> Void
    ) throws {
        try withStore { snapshots in
            let store = Store(snapshots, snapshots.directory)
            var model = SyntheticModel.sample(experts: 40)
            let place = SyntheticModel.Place(1)
            let base = try snapshots.commit(model, message: "base").id
            for (name, own, value) in [("left", 3, UInt8(1)), ("right", 9, UInt8(2))] {
                try store.createBranch(name, at: base.hex, Signature(author: "t", time: 1_000))
                model = .sample(experts: 40)
                model.pools[place]?.experts[5]?[0] = value
                model.pools[place]?.experts[own]?[0] = value
                let id = try snapshots.commit(
                    model, to: name, time: 2_000 + Int64(value), message: "\(subject) \(name)"
                ).id
                try store.addNote(
                    to: id.hex, metrics: ["a.bpb": 2 + Double(value), "b.bpb": 1],
                    Signature(author: "t", time: 3_000))
            }
            try store.addNote(
                to: base.hex, metrics: ["a.bpb": 2.5], Signature(author: "t", time: 3_000))
            _ = try store.merge(
                ["left", "right"], policy: .ours, message: "merge",
                Signature(author: "t", time: 4_000))
            try body(store, snapshots)
        }
    }

    @Test("each figure has the numbers of the store, and they are those of other commands")
    func numbers() throws {
        try withHistory { (store, _) throws in
            let figures = try store.figures()
            let history = try figures.history()
            #expect(
                history.commits.map(\.subject) == ["merge", "round right", "round left", "base"])
            #expect(try store.list("main").bytes == history.commits[0].bytes)
            #expect(history.commits[1].metrics == ["a.bpb": 4, "b.bpb": 1, "bpb": 2.5])
            #expect(history.commits[0].references == ["main"])
            let metrics = figures.metrics()
            #expect(metrics.series.map(\.name) == ["a.bpb", "b.bpb", "bpb"])
            #expect(metrics.series[0].points.map(\.value) == [2.5, 3, 4])
            #expect(metrics.series[0].points.map(\.after) == [[], [0], [0]])
            let storage = try figures.storage()
            #expect(try store.statistics().logicalBytes == storage.commits.last?.separate)
            #expect(storage.commits.map(\.new) == [storage.commits[0].bytes, 256, 256, 0])
            #expect(storage.collection.deadObjects == 0)
            let sharing = try figures.sharing()
            #expect(sharing.shared?.models.map(\.revision) == ["left", "main", "right"])
            #expect(sharing.leftOut.isEmpty)
        }
    }

    @Test("what is remembered of a domain is compared with the best that led to the round")
    func forgetting() throws {
        try withHistory { (store, _) throws in
            let matrix = try store.figures().forgetting()
            #expect(matrix.measure == "bpb" && matrix.lowerIsBetter)
            #expect(matrix.domains.map(\.name) == ["a", "b"])
            #expect(matrix.rounds.map(\.subject) == ["base", "round left", "round right"])
            #expect(matrix.domains[0].values == [2.5, 3, 4])
            #expect(matrix.domains[0].bestBefore == [nil, 2.5, 2.5])
            #expect(matrix.domains[1].bestBefore == [nil, nil, nil])
        }
    }

    @Test("each expert is told from the commit that made it, and from the one that changed it last")
    func origins() throws {
        try withHistory { (store, _) throws in
            let origins = try store.figures(["main"]).origins()
            let pool = try #require(origins.pools.first)
            let subjects = origins.rounds.map(\.subject)
            #expect(subjects == ["base", "round left", "round right"])
            #expect(pool.made == [Int?](repeating: 0, count: 40))
            let changed = pool.changed.enumerated().filter { $1 != 0 }.map {
                ($0, subjects[$1 ?? 0])
            }
            #expect(changed.map(\.0) == [3, 5, 9])
            #expect(changed.map(\.1) == ["round left", "round left", "round right"])
            #expect(origins.rounds.map(\.changed) == [37, 2, 1])
            for (ordinal, subject) in changed {
                let log = try store.log(log("main", "1/\(ordinal)"))
                #expect(log.contains { $0.message == subject })
            }
        }
    }

    private func log(_ revision: String, _ path: String) -> LogQuery {
        var query = LogQuery([revision])
        query.path = path
        return query
    }

    @Test("a merge is told conflict by conflict, from the models alone")
    func merges() throws {
        try withHistory { (store, _) throws in
            let merges = try store.figures().merges()
            #expect(merges.merges.count == 1 && merges.leftOut == 0)
            let merge = merges.merges[0]
            #expect(merge.policy == "ours" && merge.sides == ["main", "left", "right"])
            #expect(merge.conflicts.map(\.path) == ["1/5"])
            #expect(merge.conflicts[0].sides == ["left", "right"])
            #expect(merge.conflicts[0].outcome == .side && merge.conflicts[0].taken == "left")
        }
    }

    @Test("the same store gives the same page, byte for byte")
    func determinism() throws {
        try withHistory { (store, snapshots) throws in
            func page() throws -> String { try Page(store.figures(), title: "S").markup.text }
            let first = try page()
            #expect(try page() == first)
            let again = Store(snapshots, snapshots.directory)
            #expect(try Page(again.figures(), title: "S").markup.text == first)
            #expect(FigureName.allCases.allSatisfy { first.contains("id=\"\($0.rawValue)\"") })
        }
    }

    @Test(
        "hostile names are words on the page, in pictures and in tables",
        arguments: MarkupTests.hostile)
    func hostile(_ name: String) throws {
        guard (try? Commit.check(message: name + " left")) != nil else { return }
        try withHistory(subject: name) { (store, _) throws in
            try store.addNote(
                to: "main", metrics: [name + ".bpb": 2], Signature(author: name, time: 5_000))
            let figures = try store.figures()
            let text = try Page(figures, title: name).markup.text
            let plain = try Page(figures, title: "S").markup.text
            #expect(Self.tags(text) == Self.tags(plain))
            for words in ["<script>alert", " onload=\"", " onload='"] {
                #expect(!text.contains(words))
            }
            for figure in FigureName.allCases {
                let figure = try figure.figure(of: figures)
                let svg = figure.svg().text
                #expect(!svg.contains("\u{1B}") && !svg.contains("<script"))
                #expect(figure.table.commaSeparated.hasSuffix("\r\n"))
            }
        }
    }

    /// Names of the elements, in their order.
    private static func tags(_ text: String) -> [Substring] {
        text.split(separator: "<").map { $0.prefix { $0.isLetter || $0.isNumber || $0 == "/" } }
    }

    @Test("a store without commits, and one commit alone, have a page that says what is missing")
    func empty() throws {
        try withStore { snapshots in
            let store = Store(snapshots, snapshots.directory)
            var page = try Page(store.figures(), title: "S").markup.text
            #expect(page.contains("The store has no commits yet."))
            #expect(page.contains("cambium commit CHECKPOINT -m base"))
            try snapshots.commit(.sample(experts: 4), message: "base")
            page = try Page(store.figures(), title: "S").markup.text
            #expect(
                !page.contains("could not be made") && page.contains("1 commit of every branch"))
            for words in [
                "cambium profile REV --text FILE", "--record", "cambium branch NAME",
                "cambium merge BRANCH…",
                "cambium train --data FOLDER",
            ] { #expect(page.contains(words), "\(words)") }
        }
    }

    @Test("numbers that are none, and those at the ends of what can be, are drawn as well")
    func extremes() throws {
        try withHistory { (store, _) throws in
            let odd = [1e308, -1e308, .nan, .infinity, .leastNonzeroMagnitude, 0]
            for (index, value) in odd.enumerated() {
                for (name, commit) in [("a.bpb", "left"), ("b.bpb", "main"), ("x", "right")] {
                    try store.addNote(
                        to: commit, metrics: ["\(index).\(name)": value, name: value],
                        Signature(author: "t", time: 6_000 + Int64(index)))
                }
                let figures = try store.figures()
                let text = try Page(figures, title: "S").markup.text
                #expect(text.contains("</html>") && !text.contains("could not be made"))
                for name in FigureName.allCases {
                    let svg = try name.figure(of: figures).svg().text
                    for start in [" x=\"", " y=\"", " cx=\"", " cy=\"", " width=\"", " height=\""] {
                        let places = svg.components(between: start, and: "\"").map(Double.init)
                        #expect(places.allSatisfy { $0?.isFinite ?? false }, "\(name) \(value)")
                    }
                    for path in svg.components(between: " d=\"", and: "\"") {
                        #expect(!path.contains("n"), "\(name) \(value) \(path)")
                    }
                }
            }
            // Each is told as it is, and what is no finite number in words as well.
            let figures = try store.figures()
            let values = figures.metrics().series.filter { $0.name.hasSuffix("x") }
                .flatMap(\.points).map(\.value)
            #expect(values.count { $0.isNaN } == 1)
            #expect(
                values.filter { !$0.isNaN }.sorted() == (odd.filter { !$0.isNaN } + [0]).sorted())
            let drawn = Figure(figures.metrics()).svg().text
            #expect(drawn.contains(">inf<") && drawn.contains(">nan<"))
        }
    }

    @Test("fields with commas, quotes and signs of formulas are told apart from others")
    func commas() {
        let table = Table(
            ["a", "b"], [[.words("x,\"y\""), .words("=1+1")], [.number(-2.5), .none]])
        #expect(table.commaSeparated == "a,b\r\n\"x,\"\"y\"\"\",'=1+1\r\n-2.5,\r\n")
    }
}
