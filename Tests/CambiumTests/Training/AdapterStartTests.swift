import Elements
import Models
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// New adapters that begin as others.
@Suite("What adapters begin as")
struct AdapterStartTests {
    private let rounds = TrainTests()
    private static let more = TrainTests.text("3 + 4 = 7; 12 * 5 = 60; 81 - 9 = 72; ")

    /// A store whose main has a base and an adapter of digits.
    private func store(in directory: String) throws -> Store {
        let store = try rounds.store(in: directory)
        try store.train(rounds.options(rounds.adapter("digits"), TrainTests.digits))
        return store
    }

    private func train(
        _ store: Store, _ name: String, _ text: [UInt8], _ start: AdapterStart, steps: Int = 3,
        form: AdapterForm = .dense, branch: String = "main"
    ) throws -> TrainResult {
        var options = rounds.options(
            rounds.adapter(name, form), text, branch: branch, steps: steps)
        options.adapterStart = start
        return try store.train(options)
    }

    @Test(
        "the nearest is what the gate finds likeliest, and a few steps from it beat as many from nothing"
    )
    func nearest() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            for name in ["near", "fresh", "named"] {
                try store.createBranch(name, at: "main", Checkpoints.signature)
            }
            let near = try train(store, "sums", Self.more, .nearest, branch: "near")
            #expect(near.startedFrom == "digits" && near.isNewAdapter)
            let metadata = try store.show("near").metadata
            #expect(metadata["train.start-from"] == "nearest")
            #expect(metadata["train.started-from"] == "digits")
            let fresh = try train(store, "sums", Self.more, .nothing, branch: "fresh")
            #expect(fresh.startedFrom == nil)
            #expect(try store.show("fresh").metadata["train.started-from"] == nil)
            #expect(
                try rounds.bits(store, "near", Self.more)
                    < rounds.bits(store, "fresh", Self.more))
            // By its name it begins as the same.
            _ = try train(store, "sums", Self.more, .adapter("digits"), branch: "named")
            #expect(try store.tree("named") == store.tree("near"))
            // The old one stays what it was, and the base's text is nearest to nothing.
            let old = try store.tree("main").trunk.tensors
            #expect(old.keys.contains { $0.hasPrefix("cohorts.digits.") })
            let new = try store.tree("near").trunk.tensors
            #expect(old.allSatisfy { new[$0.key] == $0.value })
            #expect(try train(store, "cats", TrainTests.english, .nearest).startedFrom == nil)
        }
    }

    @Test("rows of hashed experts begin as the other's, and low-rank factors do")
    func forms() throws {
        try withScratchDirectory { directory in
            let store = try HashedTrainTests().store(in: directory)
            for form in [AdapterForm.small, .lowRank(2)] {
                let first = form == .small ? "a" : "b"
                try store.train(
                    rounds.options(rounds.adapter(first, form), TrainTests.digits))
                let result = try train(
                    store, first + "2", Self.more, .adapter(first), steps: 1, form: form)
                #expect(result.startedFrom == first)
                let layer = try #require(try store.tree("main").layers[0])
                let (old, new) = (
                    try #require(layer.pools[first]), try #require(layer.pools[first + "2"])
                )
                let olds = try store.snapshots.experts(of: old)
                let news = try store.snapshots.experts(of: new)
                // Those that one step did not touch are the same objects.
                let shared = zip(olds, news).count { $0 == $1 && $0 != .zero }
                #expect(shared > 0 && olds != news)
            }
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("one that another began as is not forgotten before it")
    func forgetting() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let before = try store.show("main").tree
            _ = try train(store, "sums", Self.more, .nearest)
            _ = try train(store, "sums", Self.more, .nothing)
            let error = #expect(throws: CambiumError.self) {
                try store.forget("digits", Checkpoints.options("forget"))
            }
            #expect(error?.code == .dependedOn)
            #expect(error?.message.contains("adapter 'sums' began as 'digits'") == true)
            // Nor by a merge of a branch that forgot it, unless that is said.
            let head = try store.resolve("main")
            try store.createBranch("without", at: "main~2", Checkpoints.signature)
            try store.forget("digits", Checkpoints.options("forget", branch: "without"))
            let merge = #expect(throws: CambiumError.self) {
                try store.merge(["without"], into: "main", Checkpoints.signature)
            }
            #expect(merge?.code == .unfit)
            #expect(merge?.message.contains("adapter 'sums' began as 'digits'") == true)
            #expect(try store.resolve("main") == head)
            try store.forget("sums", Checkpoints.options("forget"))
            #expect(try store.show("main").tree == before)
            _ = try store.merge(["without"], into: "main", Checkpoints.signature)
            #expect(try store.adapters("main").isEmpty)
        }
    }

    @Test("one that goes while another is trained from it stops that one's commit")
    func race() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let other = try Store(directory + "/S")
            var options = rounds.options(rounds.adapter("sums"), Self.more, steps: 3)
            options.adapterStart = .adapter("digits")
            var isForgotten = false
            let error = #expect(throws: CambiumError.self) {
                try store.train(options) { _ in
                    if !isForgotten {
                        isForgotten = true
                        try other.forget("digits", Checkpoints.options("forget"))
                    }
                }
            }
            #expect(isForgotten && error?.code == .branchMoved)
            #expect(error?.message.contains("adapter 'digits'") == true)
            #expect(try store.adapters("main").isEmpty)
        }
    }

    @Test("what cannot be begun as is refused, and nothing is committed")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try store(in: directory)
            let head = try store.resolve("main")
            func message(_ run: () throws -> TrainResult) -> String {
                do {
                    _ = try run()
                    return ""
                } catch let error as CambiumError {
                    return "\(error.code.rawValue): \(error.message)"
                } catch { return "\(error)" }
            }
            let absent = message { try train(store, "x", Self.more, .adapter("nobody")) }
            #expect(absent.hasPrefix("usage: there is no adapter 'nobody'"))
            #expect(absent.hasSuffix("the branch has digits"))
            let other = message {
                try train(store, "x", Self.more, .adapter("digits"), form: .small)
            }
            #expect(other.hasPrefix("usage: adapter 'digits' is of another kind"))
            let known = message { try train(store, "digits", Self.more, .adapter("digits")) }
            #expect(known.hasPrefix("usage: the adapter is there"))
            var whole = rounds.options(
                .model(freezesTrunk: false, freezesExperts: false), Self.more)
            whole.adapterStart = .nearest
            #expect(message { try store.train(whole) }.hasPrefix("usage: a start is for"))
            #expect(try store.resolve("main") == head)
            // Of another form, the nearest is none.
            let small = try train(store, "x", Self.more, .nearest, form: .small)
            #expect(small.startedFrom == nil)
        }
    }

    @Test("a description tells it, whatever the name")
    func described() throws {
        for name in ["digits", #"a"b\c"#] {
            let description = AdapterDescription(
                kind: .dense, usesExperts: false, base: "ab", startedFrom: name)
            let again = try AdapterDescription(description.encoded, of: "x")
            #expect(again == description && again.startedFrom == name)
        }
        for bad in ["\"\"", "3", "\"x\""] {
            let json = """
                {"version":1,"kind":"dense","base_experts":"skipped","started_from":\(bad)}
                """
            #expect(throws: CambiumError.self) {
                try AdapterDescription(Array(json.utf8), of: "x")
            }
        }
    }
}
