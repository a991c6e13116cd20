import Evidence
import Routing
import TestSupport
import Testing

@testable import Cambium

@Suite("Gram sums as evidence")
struct GramEvidenceTests {
    /// Texts long enough that windows of 16 bytes are held out of each.
    private static let texts: [(adapter: String, text: [UInt8])] = [
        (
            "base",
            "the quick brown fox jumps over the lazy dog and runs away from all of them again"
        ),
        ("swahili", "habari ya asubuhi, watoto wanakwenda shule kila siku, na wazazi wao kazini"),
        ("basque", "kaixo guztioi, gaur eguraldi ona dago hemen, eta bihar euria egingo du agian"),
        (
            "base",
            "to be or not to be that is the question, whether it is nobler in the mind or not"
        ),
        ("swahili", "nchi yetu ni nzuri sana na watu wake ni wakarimu, karibu sana rafiki yangu"),
    ].map { ($0.0, Array($0.1.utf8)) }

    @discardableResult
    private func add(
        _ index: Int, to branch: String, of store: Store, threads: Int = 1
    ) throws -> EvidenceResult {
        let (adapter, text) = Self.texts[index]
        return try store.addGramSums(
            [text], layer: 0, adapter: adapter, label: "\(index)", threads: threads,
            Checkpoints.options("Gram sums \(index)", branch: branch))
    }

    private func ids(_ store: Store, _ revision: String) throws -> [String] {
        try ReadOutForm.allCases.map { try store.gate(revision, layer: 0, form: $0).id }
    }

    @Test("is listed beside counts, survives reopening, and is solved to a gate")
    func addAndAsk() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            for index in Self.texts.indices { try add(index, to: "main", of: store) }
            try store.addEvidence(
                [Self.texts[0].text], adapter: "base", Checkpoints.options("counts"))
            let again = try Store(directory + "/S", readOnly: true)
            let list = try again.evidence("main")
            #expect(list.map(\.kind).filter { $0 == "gram" }.count == 5)
            let gramSums = try #require(list.first { $0.kind == "gram" })
            #expect(gramSums.layer == 0 && gramSums.experts == nil && gramSums.order == nil)
            #expect(Set(list.compactMap(\.trunk)).count == 1)
            for form in ReadOutForm.allCases {
                let gate = try again.gate("main", layer: 0, form: form, threads: 2)
                #expect(gate.adapters == ["base", "basque", "swahili"])
                #expect(try gate.id == again.gate("main", layer: 0, form: form).id)
                let shares = try gate.shares(of: Self.texts[1].text)
                #expect(Set(shares.map(\.adapter)) == ["base", "basque", "swahili"])
                #expect(abs(shares.reduce(0) { $0 + $1.weight } - 1) < 1e-9)
            }
            #expect(try again.gate("main").adapters == ["base"])
            #expect(try again.verify().faults.isEmpty)
        }
    }

    @Test("tells texts of different letters apart that it never saw")
    func accuracy() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            var random = SeededGenerator(seed: 8)
            func text(_ letters: String, _ count: Int) -> [UInt8] {
                let letters = Array(letters.utf8)
                return (0..<count).map { _ in letters.randomElement(using: &random)! }
            }
            for (adapter, letters) in [("letters", "abcd"), ("digits", "0123")] {
                try store.addGramSums(
                    [text(letters, 400)], layer: 0, adapter: adapter, Checkpoints.options(adapter))
            }
            for form in ReadOutForm.allCases {
                let gate = try store.gate("main", layer: 0, form: form)
                for (adapter, letters) in [("letters", "abcd"), ("digits", "0123")] {
                    let first = try #require(try gate.shares(of: text(letters, 100)).first)
                    #expect(first.adapter == adapter && first.weight > 0.6, "\(form)")
                }
            }
        }
    }

    @Test("on branches merges to the gate of all data, in any way of dividing it")
    func merges() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            for index in Self.texts.indices { try add(index, to: "all", of: store, threads: 2) }
            let (once, tree) = (try ids(store, "all"), try store.show("all").tree)
            var random = SeededGenerator(seed: 6)
            for round in 0..<6 {
                let into = try Checkpoints.divide(
                    Self.texts.indices, of: store, among: 2...3, "r\(round)", pause: 3,
                    using: &random
                ) { try add($0, to: $1, of: store) }
                #expect(try ids(store, into) == once)
                #expect(try store.show(into).tree == tree)
            }
        }
    }

    @Test("that is dropped leaves the gate that never saw it")
    func dropped() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            for index in 0..<3 { try add(index, to: "never", of: store) }
            for index in 0..<3 { try add(index, to: "main", of: store) }
            let added = try add(4, to: "main", of: store)
            #expect(try ids(store, "main") != ids(store, "never"))
            _ = try store.dropEvidence(
                added.evidence.map(\.id), Checkpoints.options("drop", branch: "main"))
            #expect(try ids(store, "main") == ids(store, "never"))
            #expect(try store.show("main").tree == store.show("never").tree)
        }
    }

    @Test("of picks is kept apart from the gate's, and merges too")
    func picks() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let text = Self.texts[0].text
            try store.addGramSums(
                [text], layer: 0, adapter: "base", target: .experts,
                Checkpoints.options("picks", branch: "a"))
            try add(1, to: "b", of: store)
            _ = try store.merge(["a", "b"], into: "main", Checkpoints.signature)
            let list = try store.evidence("main")
            #expect(list.map(\.experts) == [16, nil])
            #expect(try store.gate("main", layer: 0).adapters == ["swahili"])
            let error = #expect(throws: CambiumError.self) {
                try store.addGramSums(
                    [text], layer: 0, adapter: "a", target: .experts, Checkpoints.options("x"))
            }
            #expect(error?.code == .usage)
        }
    }

    @Test("of picks are solved to the router of all data, however it was divided")
    func expertRouter() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            func add(_ index: Int, _ branch: String) throws {
                try store.addGramSums(
                    [Self.texts[index].text], layer: 0, adapter: "base", target: .experts,
                    Checkpoints.options("picks", branch: branch))
            }
            func id(_ revision: String, threads: Int = 1) throws -> [String] {
                try ReadOutForm.allCases.map {
                    try store.expertRouter(revision, layer: 0, form: $0, threads: threads).id
                }
            }
            for index in [0, 1, 2] { try add(index, "all") }
            for (index, branch) in [(2, "a"), (0, "a"), (1, "b"), (2, "b")] {
                try add(index, branch)
            }
            _ = try store.merge(["b", "a"], into: "main", Checkpoints.signature)
            #expect(try id("main", threads: 2) == id("all"))
            #expect(try id("main") != id("a"))
            let solved = try store.expertRouter("main", layer: 0, topK: 3)
            #expect(solved.experts == 16 && solved.lambdas.count == 2 && solved.layer == 0)
            #expect(solved.solved.router.topK == 3)
            let none = #expect(throws: CambiumError.self) {
                try store.expertRouter("main~1", layer: 0)
            }
            #expect(none?.code == .notFound)
            for topK in [0, 17] {
                let wrong = #expect(throws: CambiumError.self) {
                    try store.expertRouter("main", layer: 0, topK: topK)
                }
                #expect(wrong?.code == .usage)
            }
            try store.commit(Checkpoints.options("dense")) { patch in
                try patch.put(
                    tensor: "model.layers.0.mlp.up_proj.weight", [UInt8](repeating: 0, count: 256))
            }
            let stale = #expect(throws: CambiumError.self) {
                try store.expertRouter("main", layer: 0)
            }
            #expect(stale?.message.contains("another trunk") == true)
        }
    }

    @Test("over another trunk is refused, added or asked for; the layer's own experts may change")
    func otherTrunk() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            for index in [0, 1] { try add(index, to: "main", of: store) }
            let gate = try ids(store, "main")
            // Experts and router of the layer are behind what was counted.
            try store.commit(Checkpoints.options("experts")) { patch in
                try patch.put(expert: 3, layer: 0, [UInt8](repeating: 0, count: 64))
                try patch.put(
                    tensor: "model.layers.0.peer.query.weight", [UInt8](repeating: 0, count: 256))
            }
            #expect(try ids(store, "main") == gate)
            try store.createBranch("same", at: "main", Checkpoints.signature)
            try add(2, to: "same", of: store)
            try store.commit(Checkpoints.options("dense")) { patch in
                try patch.put(
                    tensor: "model.layers.0.mlp.up_proj.weight", [UInt8](repeating: 0, count: 256))
            }
            let before = try store.resolve("main")
            let asked = #expect(throws: CambiumError.self) { try store.gate("main", layer: 0) }
            #expect(asked?.code == .usage && asked?.message.contains("another trunk") == true)
            let added = #expect(throws: CambiumError.self) { try add(2, to: "main", of: store) }
            #expect(added?.code == .usage && added?.message.contains("evidence drop") == true)
            #expect(try store.resolve("main") == before)
            // Dropped, the new trunk can be counted over.
            _ = try store.dropEvidence(
                store.evidence("main").map(\.id), Checkpoints.options("drop"))
            try add(2, to: "main", of: store)
            // A merge unites the records, and the gate tells that they do not add.
            _ = try store.merge(["same"], into: "main", Checkpoints.signature)
            #expect(try store.evidence("main").count == 2)
            #expect(throws: CambiumError.self) { try store.gate("main", layer: 0) }
        }
    }

    @Test("that cannot be is refused, and the branch stays where it was")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let before = try store.resolve("main")
            let (text, options) = (Self.texts[0].text, Checkpoints.options("bad"))
            #expect(code { try store.addGramSums([[]], layer: 0, adapter: "a", options) } == .usage)
            #expect(
                code { try store.addGramSums([text], layer: 0, adapter: "", options) } == .usage)
            #expect(code { try store.addGramSums([text], layer: 5, adapter: "a", options) } != nil)
            #expect(
                code {
                    try store.addGramSums([text], layer: 0, adapter: "a", threads: 0, options)
                } == .usage)
            #expect(try store.resolve("main") == before)
            #expect(code { _ = try store.gate("main", layer: 0) } == .notFound)
            #expect(code { _ = try store.gate("main", layer: 7) } != nil)
        }
    }
}
