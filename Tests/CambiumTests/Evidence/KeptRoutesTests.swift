import Evidence
import Foundation
import TestSupport
import Testing

@testable import Cambium

@Suite(
    "the routes of old text are kept as evidence")
struct KeptRoutesTests {
    private func add(
        _ store: Store, keep: [[UInt8]] = [], branch: String = "main"
    ) throws -> GrowthResult {
        try store.addExpert(
            from: ExpertSource(Growth.model("olmoe"), expert: 1), evidence: [Growth.new],
            keep: keep, growth: Growth.roughly, Checkpoints.options("grow", branch: branch))
    }

    private func record(_ store: Store, _ text: [UInt8], branch: String = "main") throws {
        _ = try store.addRoutes(
            [text], label: "general", Checkpoints.options("routes", branch: branch))
    }

    private static let other = Growth.text(97...104, 2_048, seed: 9)

    @Test("a stored record gives the model that the text itself gives, also later and once more")
    func stored() throws {
        try withScratchDirectory { directory in
            var store = try Growth.store(Growth.model("olmoe"), in: directory)
            try store.createBranch("stored", at: "main", Checkpoints.signature)
            let given = try add(store, keep: [Growth.shortOld])
            let result = try store.addRoutes(
                [Growth.shortOld], threads: 2, Checkpoints.options("routes", branch: "stored"))
            #expect(result.evidence.map(\.kind) == ["routes"] && !result.unchanged)
            // Again it is the same record; with another label too, for the text counts once.
            try record(store, Growth.shortOld, branch: "stored")
            #expect(try store.evidence("stored").count == 1)
            store = try Store(directory + "/S")
            let first = try add(store, branch: "stored")
            #expect(first.commit.tree == given.commit.tree)
            #expect(first.unchanged == given.unchanged && first.oldTokens == given.oldTokens)
            #expect(first.measuredTokens == [128, 256])
            // The grown model has the record, and it is still of use.
            let second = try add(store)
            #expect(second.expert == given.expert + 1 && second.commit.notes.isEmpty)
            #expect(second.unchanged >= 0.9)
            let info = try #require(try store.evidence("main").first)
            #expect(info.kind == "routes" && info.experts == 16 && info.layers == [0, 1, 2])
            #expect(info.tokens == 2_048 && info.bytes == 2_048 && info.adapter == "base")
            #expect(try store.verify().faults.isEmpty)
            // It travels, unless a plain checkpoint is asked for.
            for isPlain in [false, true] {
                let folder = directory + "/out\(isPlain)"
                _ = try store.export("main", to: folder, isPlain: isPlain)
                let files = try FileManager.default.contentsOfDirectory(atPath: folder)
                #expect(files.contains { $0.hasPrefix("evidence.") } == !isPlain)
            }
        }
    }

    @Test("records add up: in either order, and over a merge, the same row")
    func united() throws {
        try withScratchDirectory { directory in
            let store = try Growth.store(Growth.model("olmoe"), in: directory)
            for name in ["a", "b"] {
                try store.createBranch(name, at: "main", Checkpoints.signature)
            }
            try record(store, Growth.shortOld, branch: "a")
            try record(store, Self.other, branch: "b")
            try store.createBranch("one", at: "a", Checkpoints.signature)
            try record(store, Self.other, branch: "a")
            try record(store, Growth.shortOld, branch: "b")
            #expect(try store.list("a").tree == store.list("b").tree)
            let merge = try store.merge(["b"], into: "one", Checkpoints.signature)
            #expect(merge.conflicts.isEmpty)
            #expect(try store.list("one").tree == store.list("a").tree)
            let both = try add(store, branch: "one")
            let given = try add(store, keep: [Self.other, Growth.shortOld])
            #expect(try Growth.rows(store, "one") == Growth.rows(store, "main"))
            #expect(both.oldTokens == 4_096 && given.oldTokens == 4_096)
        }
    }

    @Test("records of a model that changed are not used, and said to be")
    func changed() throws {
        try withScratchDirectory { directory in
            let store = try Growth.store(Growth.model("olmoe"), in: directory)
            try record(store, Growth.shortOld)
            // A model that lost an expert routes otherwise.
            _ = try store.dropExpert(0, Checkpoints.options("drop"))
            #expect {
                _ = try self.add(store)
            } throws: {
                ($0 as? CambiumError)?.code == .usage && "\($0)".contains("of another model")
            }
            let result = try add(store, keep: [Growth.shortOld])
            #expect(result.commit.notes.contains { $0.contains("of another model") })
            #expect(result.oldTokens == 2_048)
            #expect(try store.evidence("main").map(\.experts) == [15, 16])
            // That one is of use, and the other one still is not.
            #expect(try add(store).oldTokens == 2_048)
        }
    }

    @Test("without a record, and for what has none, there is an error with its code")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try Growth.store(Growth.model("olmoe"), in: directory)
            let head = try store.list("main").id
            #expect(code { _ = try self.add(store) } == .usage)
            #expect(code { try self.record(store, []) } == .badInput)
            #expect(code { try self.record(store, Array(Self.other.prefix(127))) } == .badInput)
            #expect(
                code {
                    _ = try store.addRoutes(
                        [Self.other], threads: 0, Checkpoints.options("routes"))
                } == .usage)
            #expect(try store.list("main").id == head)
        }
        try withScratchDirectory { directory in
            let grouped = try Growth.store(Growth.model("deepseek_v3"), in: directory)
            #expect {
                try self.record(grouped, Self.other)
            } throws: { "\($0)".contains("groups") }
        }
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            #expect(code { try self.record(store, Self.other) } == .unsupported)
        }
    }

    @Test("a limit cuts the last text, and leaves out what would be short")
    func limits() {
        let texts = [3_000, 4_000, 1_000].map { [UInt8](repeating: 97, count: $0) }
        #expect(limited(texts, to: nil).map(\.count) == [3_000, 4_000, 1_000])
        #expect(limited(texts, to: 5_500).map(\.count) == [3_000, 2_500])
        #expect(limited(texts, to: 4_500).map(\.count) == [3_000, 1_000])
        #expect(limited(texts, to: 100).map(\.count) == [100])
        #expect(limited([], to: 100).isEmpty)
    }
}
