import Checkpoints
import Evidence
import Routing
import TestSupport
import Testing

@testable import Cambium

@Suite("Evidence in a commit of new tensors")
struct EvidenceCommitTests {
    private static let english = Array("the quick brown fox jumps over the lazy dog".utf8)
    private static let swahili = Array("habari ya asubuhi, watoto wanakwenda shule".utf8)

    private func withBase(_ body: (Store) throws -> Void) throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            try body(store)
        }
    }

    @Test("is one commit, and its gate is the one of evidence that came alone")
    func together() throws {
        try withBase { store in
            let expert = [UInt8](repeating: 0, count: 64)
            let before = try store.resolve("main")
            try store.commit(Checkpoints.options("round")) { patch in
                try patch.put(expert: 3, layer: 0, expert)
                try patch.addEvidence(Self.english, adapter: "base")
                try patch.addEvidence(Self.swahili, adapter: "swahili", label: "round 1")
                try patch.addEvidence(Self.swahili, adapter: "swahili", label: "round 1")
            }
            #expect(try store.resolve("main~1") == before)
            #expect(try store.evidence("main").map(\.adapter) == ["base", "swahili"])
            #expect(try store.expert("main", "0/3").data == expert)
            try store.createBranch("alone", at: "main~1", Checkpoints.signature)
            for (text, adapter) in [(Self.english, "base"), (Self.swahili, "swahili")] {
                try store.addEvidence(
                    [text], adapter: adapter, Checkpoints.options("alone", branch: "alone"))
            }
            #expect(try store.gate("main").id == store.gate("alone").id)
            #expect(try store.verify().faults.isEmpty)
        }
    }

    @Test("gives a mapped snapshot its gate, classes in the order of their names")
    func mapped() throws {
        try withBase { store in
            #expect(try store.map("main").gate() == nil)
            try store.commit(Checkpoints.options("round")) { patch in
                try patch.addEvidence(Self.swahili, adapter: "swahili")
                try patch.addEvidence(Self.english, adapter: "base")
            }
            let gate = try #require(try store.map("main").gate())
            #expect(gate.adapters == ["base", "swahili"])
            var state = gate.solved.start
            for byte in Array("watoto wanakwenda".utf8) { gate.solved.advance(&state, byte) }
            #expect(gate.solved.pick(state, count: 1).classes == [1])
        }
    }

    @Test("that cannot be leaves the branch where it was")
    func refused() throws {
        try withBase { store in
            let before = try store.resolve("main")
            let error = #expect(throws: CambiumError.self) {
                try store.commit(Checkpoints.options("bad")) { patch in
                    try patch.put(expert: 3, layer: 0, [UInt8](repeating: 0, count: 64))
                    try patch.addEvidence([1, 2], adapter: "base")
                }
            }
            #expect(error?.code == .usage)
            // Each is as large as a class may be.
            let huge = try NGramCounts(
                order: 1, entries: [NGramCounts.Entry(key: 1, count: 1 << 33 - 1)])
            let overflow = #expect(throws: CambiumError.self) {
                try store.commit(Checkpoints.options("huge")) { patch in
                    for digest in [UInt8(1), 2] {
                        let record = try counted(.usage) {
                            try CountContribution(
                                adapter: "a", label: "",
                                data: [UInt8](repeating: digest, count: 32),
                                byteCount: 1 << 33 - 1, counts: huge)
                        }
                        try patch.model.add(.counts(record))
                    }
                }
            }
            #expect(overflow?.message.contains("2^33") == true)
            #expect(try store.resolve("main") == before)
        }
    }

    @Test("is added, changed and removed in a difference by those words")
    func difference() throws {
        try withBase { store in
            let added = try store.addEvidence(
                [Self.english], adapter: "base", Checkpoints.options("add"))
            let id = try #require(added.evidence.first?.id)
            let name = "evidence." + id
            #expect(
                try store.diff(from: "main~1", to: "main").files
                    == [ModelDiff.File(name: name, kind: "added")])
            #expect(
                try store.diff(from: "main", to: "main~1").files
                    == [ModelDiff.File(name: name, kind: "removed")])
        }
    }
}
