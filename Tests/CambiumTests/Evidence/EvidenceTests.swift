import TestSupport
import Testing

@testable import Cambium

@Suite("Evidence and the gate solved from it")
struct EvidenceTests {
    private static let texts: [(adapter: String, text: String)] = [
        ("base", "the quick brown fox jumps over the lazy dog and runs away"),
        ("swahili", "habari ya asubuhi, watoto wanakwenda shule kila siku"),
        ("basque", "kaixo guztioi, gaur eguraldi ona dago hemen"),
        ("base", "to be or not to be that is the question"),
        ("swahili", "nchi yetu ni nzuri sana na watu wake ni wakarimu"),
        ("basque", "etxe handi bat daukagu mendiaren ondoan"),
    ]

    @discardableResult
    private func add(
        _ index: Int, to branch: String, of store: Store
    ) throws -> EvidenceResult {
        let (adapter, text) = Self.texts[index]
        return try store.addEvidence(
            [Array(text.utf8)], adapter: adapter, label: "\(index)",
            Checkpoints.options("evidence \(index)", branch: branch))
    }

    @Test("is listed, survives reopening, and its gate tells the adapters apart")
    func addAndAsk() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            for index in Self.texts.indices { try add(index, to: "main", of: store) }
            let again = try Store(directory + "/S", readOnly: true)
            let list = try again.evidence("main")
            #expect(
                list.map(\.adapter) == ["base", "base", "basque", "basque", "swahili", "swahili"])
            #expect(list.allSatisfy { $0.order == 3 && ($0.distinct ?? 0) > 10 && $0.bytes > 30 })
            let gate = try again.gate("main")
            #expect(gate.adapters == ["base", "basque", "swahili"])
            for (adapter, text) in Self.texts {
                let shares = gate.shares(after: Array(text.utf8))
                #expect(shares.first?.adapter == adapter)
                #expect(abs(shares.reduce(0) { $0 + $1.weight } - 1) < 1e-9)
            }
            #expect(try again.verify().faults.isEmpty)
        }
    }

    @Test("on branches merges without conflict to the gate of all data, in any way of dividing it")
    func merges() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            for index in Self.texts.indices { try add(index, to: "all", of: store) }
            let once = try store.gate("all").id
            let tree = try store.show("all").tree
            var random = SeededGenerator(seed: 5)
            for round in 0..<20 {
                let into = try Checkpoints.divide(
                    Self.texts.indices, of: store, among: 1...3, "r\(round)", pause: 4,
                    using: &random
                ) { try add($0, to: $1, of: store) }
                #expect(try store.gate(into).id == once)
                #expect(try store.show(into).tree == tree)
            }
        }
    }

    @Test(
        "that merge bases disagree about is no conflict: who dropped it is followed, either way round"
    )
    func crissCross() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let added = try add(0, to: "main", of: store).evidence.map(\.id)
            for name in ["drops", "keeps"] {
                try store.createBranch(name, at: "main", Checkpoints.signature)
            }
            _ = try store.dropEvidence(added, Checkpoints.options("drop", branch: "drops"))
            try add(1, to: "keeps", of: store)
            // Each takes the other's state from before the crossing.
            let (one, other) = (try store.resolve("drops"), try store.resolve("keeps"))
            _ = try store.merge([other], into: "drops", Checkpoints.signature)
            _ = try store.merge([one], into: "keeps", Checkpoints.signature)
            // Added again after the crossing: of the two merge bases one has it, the other has not.
            try add(0, to: "keeps", of: store)
            try add(2, to: "drops", of: store)
            var trees: Set<String> = []
            for (into, from) in [("drops", "keeps"), ("keeps", "drops")] {
                let branch = "merged-\(into)"
                try store.createBranch(branch, at: into, Checkpoints.signature)
                let merge = try store.merge([from], into: branch, Checkpoints.signature)
                #expect(merge.kind == .merged && merge.conflicts.isEmpty)
                #expect(merge.bases.count == 2)
                #expect(try store.evidence(branch).map(\.label).sorted() == ["1", "2"])
                trees.insert(try store.show(branch).tree)
            }
            #expect(trees.count == 1)
        }
    }

    @Test("that is dropped or reverted leaves the gate that never saw it")
    func dropped() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            for index in 0..<3 { try add(index, to: "never", of: store) }
            let never = try store.gate("never").id
            for index in 0..<3 { try add(index, to: "main", of: store) }
            let added = try add(4, to: "main", of: store)
            #expect(added.gate != never)
            let id = try #require(added.evidence.first?.id)
            let result = try store.dropEvidence(
                [String(id.prefix(12))], Checkpoints.options("drop", branch: "main"))
            #expect(result.gate == never && result.evidence.map(\.id) == [id])
            #expect(try store.show("main").tree == store.show("never").tree)
            // Undoing the drop brings it back; undoing its addition removes it again.
            _ = try store.revert("main", branch: "main", Checkpoints.signature)
            #expect(try store.gate("main").id == added.gate)
            _ = try store.revert(added.commit, branch: "main", Checkpoints.signature)
            #expect(try store.gate("main").id == never)
            // Dropped on one branch and untouched on the other, it is dropped in the merge.
            try store.createBranch("side", at: added.commit, Checkpoints.signature)
            try add(5, to: "side", of: store)
            _ = try store.merge(["side"], into: "main", Checkpoints.signature)
            #expect(!(try store.evidence("main").map(\.label).contains("4")))
        }
    }

    @Test("added twice is added once, and stays when a new checkpoint is committed")
    func stays() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let first = try add(1, to: "main", of: store)
            let second = try add(1, to: "main", of: store)
            #expect(second.unchanged && second.commit == first.commit && second.evidence.isEmpty)
            var checkpoint = TinyCheckpoint()
            checkpoint.setExpert(2, to: 0.5)
            let path = try checkpoint.write(to: directory + "/next")
            _ = try store.commit(checkpoint: path, Checkpoints.options("round", branch: "main"))
            #expect(try store.gate("main").id == first.gate)
            let export = try store.export("main", to: directory + "/out")
            #expect(export.files.contains { $0.hasPrefix("evidence") })
            let same = try store.commit(
                checkpoint: directory + "/out", Checkpoints.options("same", branch: "main"))
            #expect(same.unchanged)
        }
    }

    @Test("that cannot be is refused, and the branch stays where it was")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            try add(1, to: "main", of: store)
            let before = try store.resolve("main")
            let options = Checkpoints.options("bad", branch: "main")
            let text = Array("some text".utf8)
            #expect(code { try store.addEvidence([[1, 2]], adapter: "a", options) } == .usage)
            #expect(code { try store.addEvidence([text], adapter: "", options) } == .usage)
            #expect(
                code { try store.addEvidence([text], adapter: "a", order: 9, options) } == .usage)
            #expect(code { try store.dropEvidence(["ffff"], options) } == .notFound)
            #expect(code { try store.dropEvidence([""], options) } != nil)
            #expect(try store.resolve("main") == before)
            try store.createBranch("none", at: "main~1", Checkpoints.signature)
            #expect(code { _ = try store.gate("none") } == .notFound)
            #expect(try store.evidence("none").isEmpty)
        }
    }

    @Test("of one text counts once under any labels, and names that look alike stay apart")
    func identities() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let text = Array(Self.texts[0].text.utf8)
            func add(_ branch: String, _ adapter: String, _ label: String) throws -> String? {
                try store.addEvidence(
                    [text], adapter: adapter, label: label,
                    Checkpoints.options("evidence", branch: branch)
                ).gate
            }
            let once = try add("main", "a", "one")
            #expect(try add("main", "a", "two") == once)
            #expect(try store.evidence("main").count == 2)
            // Composed and decomposed.
            for names in [["\u{e9}", "e\u{301}"], ["e\u{301}", "\u{e9}"]] {
                let branch = names[0].utf8.count == 2 ? "x" : "y"
                for name in names { _ = try add(branch, name, "") }
                #expect(try store.gate(branch).adapters.count == 3)
            }
            #expect(try store.gate("x").id == store.gate("y").id)
            #expect(try add("x", "e\u{301}", "again") == store.gate("x").id)
        }
    }

    @Test("of different orders merges to a gate of the lowest")
    func orders() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            for (branch, order) in [("three", 3), ("five", 5)] {
                try store.addEvidence(
                    [Array(Self.texts[order == 3 ? 0 : 1].text.utf8)], adapter: branch,
                    order: order, Checkpoints.options(branch, branch: branch))
            }
            let merge = try store.merge(["three", "five"], into: "main", Checkpoints.signature)
            #expect(merge.conflicts.isEmpty)
            let gate = try store.gate("main")
            #expect(gate.adapters == ["five", "three"])
            #expect(gate.shares(after: Array("watoto wanakwenda".utf8)).first?.adapter == "five")
        }
    }

    @Test("is collected with its last commit")
    func collected() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            try add(1, to: "gone", of: store)
            try store.deleteBranch("gone", Checkpoints.signature)
            let result = try store.collect(prune: true, grace: 0)
            #expect(result.deadObjects > 0)
            #expect(try store.verify().faults.isEmpty)
        }
    }
}
