import Elements
import Foundation
import TestSupport
import Testing

@testable import Cambium
@testable import Snapshots

@Suite("Forgetting an adapter")
struct ForgetTests {
    private let rounds = TrainTests()

    private func train(
        _ store: Store, _ name: String, _ text: [UInt8], on branch: String = "main",
        experts: NewExperts? = nil, steps: Int = 5
    ) throws {
        var options = rounds.options(rounds.adapter(name), text, branch: branch, steps: steps)
        options.newExperts = experts
        try store.train(options)
    }

    private func base(in directory: String) throws -> Store {
        try rounds.store(in: directory, mixesCounts: false)
    }

    private func refusal(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return (error as? CambiumError).map { "\($0.code.rawValue): \($0.message)" }
                ?? "\(error)"
        }
    }

    @Test("gives the tree of a history that never had it: two rounds in both orders, and merged")
    func exact() throws {
        try withScratchDirectory { directory in
            let store = try base(in: directory)
            let before = try store.show("main").tree
            for name in ["digits-first", "swahili-first", "digits", "swahili"] {
                try store.createBranch(name, at: "main", Checkpoints.signature)
            }
            let experts = NewExperts.swiglu(2, width: 8, topK: 1)
            try train(store, "digits", TrainTests.digits, on: "digits", experts: experts)
            try train(store, "swahili", TrainTests.swahili, on: "swahili")
            for (branch, order) in [
                ("digits-first", ["digits", "swahili"]), ("swahili-first", ["swahili", "digits"]),
            ] {
                for name in order {
                    let text = name == "digits" ? TrainTests.digits : TrainTests.swahili
                    try train(
                        store, name, text, on: branch, experts: name == "digits" ? experts : nil)
                }
            }
            try store.createBranch("merged", at: "digits", Checkpoints.signature)
            _ = try store.merge(["swahili"], into: "merged", Checkpoints.signature)
            try store.addEvidence(
                [Array("1 + 1 = 2".utf8)], adapter: "digits", label: "more",
                Checkpoints.options("evidence", branch: "merged"))
            let alone = try store.show("swahili").tree
            for branch in ["digits-first", "swahili-first", "merged"] {
                let result = try store.forget(
                    "digits", Checkpoints.options("forget", branch: branch))
                #expect(result.tree == alone, "\(branch)")
                #expect(result.tensors > 0 && result.experts == 2 && result.bytes > 0)
                #expect(result.evidence.count == (branch == "merged" ? 2 : 1))
                #expect(result.rounds.count == 1)
                #expect(try store.show(branch).metadata["forget.cohort"] == "digits")
                let other = try store.forget(
                    "swahili", Checkpoints.options("forget", branch: branch))
                #expect(other.tree == before, "\(branch)")
            }
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("tells which branches, tags and reflog entries still lead to it")
    func holders() throws {
        try withScratchDirectory { directory in
            let store = try base(in: directory)
            try store.createBranch("other", at: "main", Checkpoints.signature)
            try train(store, "digits", TrainTests.digits)
            try store.createTag("v1", at: "main", Checkpoints.signature)
            let result = try store.forget("digits", Checkpoints.options("forget"))
            #expect(
                result.holders == [
                    HistoryHolder(name: "main", kind: "branch", inModel: false),
                    HistoryHolder(name: "v1", kind: "tag", inModel: true),
                ])
            // main and HEAD: the round and the forgetting; the tag.
            #expect(result.reflogEntries == 5)
            #expect(
                refusal { try store.forget("digits", Checkpoints.options("again")) }?.hasPrefix(
                    "not-found") == true)
        }
    }

    @Test("is refused, by name, where something depends on it")
    func dependents() throws {
        try withScratchDirectory { directory in
            let store = try base(in: directory)
            try train(store, "digits", TrainTests.digits, experts: .swiglu(2, width: 8, topK: 1))
            let first = try store.resolve("main")
            try train(store, "digits", TrainTests.digits)
            let second = try store.resolve("main")
            let further = refusal { try store.forget(first, Checkpoints.options("forget")) }
            #expect(
                further?.hasPrefix(
                    "depended-on: round \(first.prefix(12)) cannot be forgotten alone") == true)
            #expect(further?.contains(String(second.prefix(12))) == true)
            let expert = try store.expert("main", "0/digits/0").data
            try store.commit(Checkpoints.options("a hand on it")) { patch in
                try patch.put(expert: 1, layer: 0, pool: "digits", expert)
            }
            let edit = try store.resolve("main")
            let edited = refusal { try store.forget("digits", Checkpoints.options("forget")) }
            #expect(
                edited?.hasPrefix("depended-on: adapter 'digits' was edited by \(edit.prefix(12))")
                    == true)
            #expect(edited?.contains("cambium revert \(edit.prefix(12))") == true)
            #expect(try store.resolve("main") == edit)
            _ = try store.revert("HEAD", Checkpoints.signature)
            let result = try store.forget("digits", Checkpoints.options("forget"))
            #expect(result.tree == (try store.show("\(first)~1").tree))
            for (name, code) in [("base", "usage"), ("nothing", "not-found"), (first, "not-found")]
            {
                #expect(
                    refusal { try store.forget(name, Checkpoints.options("x")) }?.hasPrefix(code)
                        == true, "\(name)")
            }
        }
    }

    @Test("a commit of its only round means the adapter")
    func byCommit() throws {
        try withScratchDirectory { directory in
            let store = try base(in: directory)
            let before = try store.show("main").tree
            try train(store, "digits", TrainTests.digits)
            let result = try store.forget("HEAD", Checkpoints.options("forget"))
            #expect(result.adapter == "digits" && result.tree == before)
        }
    }

    @Test("adapters are listed with size, evidence and the rounds that made them")
    func listed() throws {
        try withScratchDirectory { directory in
            let store = try base(in: directory)
            #expect(try store.list("main").adapters.isEmpty)
            try train(store, "digits", TrainTests.digits, experts: .swiglu(2, width: 8, topK: 1))
            let first = try store.resolve("main")
            try store.createBranch("side", at: "main", Checkpoints.signature)
            try train(store, "swahili", TrainTests.swahili, on: "side")
            let swahili = try store.resolve("side")
            try train(store, "digits", TrainTests.digits)
            let second = try store.resolve("main")
            _ = try store.merge(["side"], into: "main", Checkpoints.signature)
            let adapters = try store.list("main").adapters
            #expect(adapters.map(\.name) == ["digits", "swahili"])
            #expect(adapters.map(\.kind) == ["dense", "dense"])
            #expect(adapters.map { $0.rounds.map(\.id) } == [[second, first], [swahili]])
            #expect(adapters.map(\.experts) == [2, 0])
            #expect(adapters.allSatisfy { $0.evidence == 1 && $0.bytes >= 4 * $0.parameters })
            let trained = try store.tree("main").trunk.tensors.filter {
                $0.key.hasPrefix("cohorts.swahili.") && $0.value.shape.type == .f32
            }
            #expect(
                adapters[1].parameters
                    == trained.values.reduce(0) { $0 + ($1.shape.byteCount ?? 0) / 4 })
        }
    }

    @Test("dropping evidence says whose weights stay")
    func dropping() throws {
        try withScratchDirectory { directory in
            let store = try base(in: directory)
            try train(store, "digits", TrainTests.digits)
            let record = try #require(try store.evidence("main").first { $0.adapter == "digits" })
            let result = try store.dropEvidence([record.id], Checkpoints.options("drop"))
            #expect(result.adaptersWithWeights == ["digits"])
            #expect(try store.adapters("main") == ["digits"])
        }
    }

    /// Places where the file of a store has some bytes.
    private func count(_ pattern: [UInt8], in directory: String) throws -> Int {
        let data = try bytes(directory + "/S/data.mdb")
        var count = 0
        var start = data.startIndex
        while let range = data.range(of: Data(pattern), in: start..<data.endIndex) {
            count += 1
            start = range.upperBound
        }
        return count
    }

    /// The first and the last 48 bytes of some data that are not alike: zeros are everywhere.
    private func distinctive(_ data: [UInt8]) -> [[UInt8]] {
        let windows = stride(from: 0, through: data.count - 48, by: 16).map {
            Array(data[$0..<($0 + 48)])
        }.filter { Set($0).count > 24 }
        return [windows.first, windows.last].compactMap { $0 }
    }

    /// Bytes that nothing but an adapter's weights and evidence has.
    private func patterns(_ store: Store, _ revision: String) throws -> [[UInt8]] {
        let tree = try store.tree(revision)
        var found: [[UInt8]] = []
        for (name, tensor) in tree.trunk.tensors
        where name.hasPrefix("cohorts.digits.") && tensor.shape.type == .f32 {
            found += distinctive(try store.data(revision, named: name))
        }
        for ordinal in 0..<2 {
            found += distinctive(try store.expert(revision, "0/digits/\(ordinal)").data)
        }
        for record in try store.evidence(revision) where record.adapter == "digits" {
            found += distinctive(try store.data(revision, named: "evidence.\(record.id)"))
        }
        #expect(found.count > 10)
        // The names of its tensors and of its class.
        found.append(Array("cohorts.digits.".utf8))
        return found
    }

    @Test(
        "of all history leaves no byte in the store's file, and everything else as it was",
        arguments: [false, true])
    func fromHistory(compressed: Bool) throws {
        try withScratchDirectory { directory in
            var found: [[UInt8]] = []
            var first = 0
            var trees: [String: String] = [:]
            var swahili = ""
            do {
                let store = try base(in: directory)
                try train(
                    store, "digits", TrainTests.digits, experts: .swiglu(2, width: 8, topK: 1))
                found = try patterns(store, "main")
                first = found.count
                try store.createTag("v1", at: "main", Checkpoints.signature)
                try store.createBranch("side", at: "main~1", Checkpoints.signature)
                try train(store, "swahili", TrainTests.swahili, on: "side")
                swahili = try store.show("side").tree
                _ = try store.merge(["side"], into: "main", Checkpoints.signature)
                try train(store, "digits", TrainTests.digits)
                found += try patterns(store, "main")
                try store.createBranch("gone", at: "main", Checkpoints.signature)
                try store.deleteBranch("gone", Checkpoints.signature)
                var edit = Checkpoints.options("an edit")
                edit.allowsUnfit = true
                try store.commit(edit) { patch in
                    try patch.put(tensor: "model.norm.weight", [UInt8](repeating: 63, count: 64))
                }
                try store.addNote(to: "HEAD", text: "of the edit", Checkpoints.signature)
                try store.addNote(to: "v1", text: "of the round", Checkpoints.signature)
                _ = try store.revert("HEAD", Checkpoints.signature)
                try store.forget("digits", Checkpoints.options("forget"))
                for name in ["main", "side", "main~1", "main~2"] {
                    trees[name] = try store.show(name).tree
                }
                #expect(try store.show("main").tree == swahili)
            }
            if compressed { _ = try Store.repack(directory + "/S", compress: true) }
            let path = directory + "/S"
            let raw = try found.map { try count($0, in: directory) }
            // What took another's place may be stored as what changed.
            if !compressed { #expect(raw.prefix(first).allSatisfy { $0 > 0 }) }
            let before = try bytes(path + "/data.mdb")
            let preview = try Store.forgetFromHistory("digits", at: path, Checkpoints.signature)
            #expect(!preview.pruned && preview.objects == 0)
            #expect(preview.references.map(\.name) == ["main", "v1"])
            #expect(preview.dropped > 0 && preview.reflogEntries > 0)
            #expect(try bytes(path + "/data.mdb") == before)
            let result = try Store.forgetFromHistory(
                "digits", at: path, prune: true, Checkpoints.signature)
            #expect(result.pruned && result.references == preview.references && result.objects > 0)
            #expect(try found.map { try count($0, in: directory) } == found.map { _ in 0 })
            let store = try Store(path)
            #expect(try store.verify().faults.isEmpty)
            #expect(try store.show("main").tree == swahili)
            #expect(try store.show("side").tree == trees["side"])
            // The rounds and the forgetting are no commits any more, the edit and its revert are.
            let messages = try store.log(["main"]).map(\.message)
            #expect(messages.contains("an edit") && !messages.contains("forget"))
            #expect(try store.log(["main"]).allSatisfy { $0.metadata["train.cohort"] != "digits" })
            let edit = try #require(try store.log(["main"]).first { $0.message == "an edit" })
            #expect(try store.notes(of: edit.id).map(\.text) == ["of the edit"])
            #expect(try !store.notes(of: "v1").contains { $0.text == "of the round" })
            #expect(try store.adapters("main") == ["swahili"])
            #expect(try store.show("v1").tree == store.show("side~1").tree)
            #expect(throws: CambiumError.self) { try Store.forgetFromHistory("digits", at: path) }
        }
    }

    @Test("of one branch's history is refused while others lead to it, and while the store is open")
    func blocked() throws {
        try withScratchDirectory { directory in
            let path = directory + "/S"
            do {
                let store = try base(in: directory)
                try train(store, "digits", TrainTests.digits)
                try store.createTag("v1", at: "main", Checkpoints.signature)
                #expect(
                    refusal { _ = try Store.forgetFromHistory("digits", at: path) }?.hasPrefix(
                        "busy") == true)
            }
            let blocked = #expect(throws: CambiumError.self) {
                try Store.forgetFromHistory("digits", at: path, branch: "main", prune: true)
            }
            #expect(blocked?.code == .dependedOn)
            #expect(blocked?.message.hasPrefix("tag 'v1' still lead") == true)
            #expect(try Store(path).adapters("main") == ["digits"])
        }
    }
}
