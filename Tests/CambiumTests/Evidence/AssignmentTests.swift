import Checkpoints
import Evidence
import Foundation
import Objects
import Routing
import TestSupport
import Testing

@testable import Cambium

@Suite("Assigned experts, and the router that is solved from them")
struct AssignmentTests {
    /// Letters of which each belongs to an expert: more than one window of 16 bytes.
    private func sample(_ count: Int, seed: UInt64) -> (text: [UInt8], experts: [UInt32]) {
        var random = SeededGenerator(seed: seed)
        let letters = (0..<count).map { _ in UInt32.random(in: 0..<4, using: &random) }
        return (letters.map { UInt8(97 + $0) }, letters.map { $0 * 5 })
    }

    private func usage(_ body: () throws -> Void) throws -> String {
        let error = #expect(throws: CambiumError.self) { try body() }
        #expect(error?.code == .usage)
        return error?.message ?? ""
    }

    @Test("is read from numbers with any white space between them")
    func parse() throws {
        let read = try Assignments(text: Array("0 17\t3\r\n\n 4294967295".utf8), name: "f")
        #expect(read.experts == [0, 17, 3, 4_294_967_295])
        #expect(try Assignments(text: [], name: "f").experts == [])
        for (text, part) in [
            ("1\n2 x", "f, line 2: 'x'"), ("-1", "'-'"), ("1.5", "'.'"), ("1\u{0}", "byte 0"),
            ("4294967296", "line 1: a number above"), ("99999999999999999999", "number above"),
        ] {
            let said = try usage { _ = try Assignments(text: Array(text.utf8), name: "f") }
            #expect(said.contains(part), "\(text): \(said)")
        }
    }

    @Test("is learned over windows, agrees on unseen text, and merges to the router of all data")
    func solve() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let parts = (0..<3).map { sample(150, seed: UInt64($0)) }
            func add(_ index: Int, _ branch: String) throws {
                try store.addGramSums(
                    [parts[index].text], layer: 0, adapter: "base", target: .experts,
                    assignments: [Assignments(experts: parts[index].experts)],
                    Checkpoints.options("assigned", branch: branch))
            }
            for (index, branch) in [(0, "all"), (1, "all"), (2, "all")] { try add(index, branch) }
            for (index, branch) in [(2, "a"), (0, "b"), (1, "b"), (2, "b")] {
                try add(index, branch)
            }
            _ = try store.merge(["b", "a"], into: "main", Checkpoints.signature)
            let router = try store.expertRouter("main", layer: 0, threads: 2)
            #expect(try router.id == store.expertRouter("all", layer: 0).id)
            #expect(try router.id != store.expertRouter("a", layer: 0).id)
            #expect(router.evidence == (try store.evidence("main").map(\.id).sorted()))
            #expect(router.solved.router.topK == 2)
            #expect(router.explained.count == 2)
            #expect(router.explained.allSatisfy { $0 > 0.5 && $0 <= 1 })
            let unseen = sample(100, seed: 9)
            let found = try store.agreement(
                of: router, on: unseen.text, assigned: Assignments(experts: unseen.experts))
            #expect(!found.isEvidence && found.bytes == 100)
            #expect(found.first > 0.9 && found.first > found.mostFrequent + 0.4)
            #expect(found.picked >= found.first && found.digits.min() ?? 0 >= found.first)
            #expect(try store.agreement(of: router, on: parts[0].text).isEvidence)
            // Of a discriminant nothing is explained, and another form has another id.
            let other = try store.expertRouter("main", layer: 0, form: .discriminant)
            #expect(other.explained.isEmpty && other.id != router.id)
            // Dropped, it is the router that never saw the text.
            let before = try store.expertRouter("b", layer: 0).id
            try store.addGramSums(
                [unseen.text], layer: 0, adapter: "base", target: .experts,
                assignments: [Assignments(experts: unseen.experts)],
                Checkpoints.options("more", branch: "b"))
            let known = Set(router.evidence)
            let more = try store.evidence("b").map(\.id).filter { !known.contains($0) }
            #expect(try store.expertRouter("b", layer: 0).id != before)
            _ = try store.dropEvidence(more, Checkpoints.options("drop", branch: "b"))
            #expect(try store.expertRouter("b", layer: 0).id == before)
        }
    }

    @Test("is saved as what scores the digits")
    func saved() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let (text, experts) = sample(150, seed: 1)
            try store.addGramSums(
                [text], layer: 0, adapter: "base", target: .experts,
                assignments: [Assignments(experts: experts)], Checkpoints.options("assigned"))
            let router = try store.expertRouter("main", layer: 0)
            let path = directory + "/router.safetensors"
            try router.save(to: path)
            try router.save(to: path)
            let data = [UInt8](try Data(contentsOf: URL(filePath: path)))
            let size = data[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
            let header = try #require(
                JSONSerialization.jsonObject(with: Data(data[8..<8 + size])) as? [String: Any])
            let high = try #require(header["high.weight"] as? [String: Any])
            #expect(high["shape"] as? [Int] == [4, 8])
            let metadata = try #require(header["__metadata__"] as? [String: String])
            #expect(metadata["id"] == router.id && metadata["layer"] == "0")
            let offsets = try #require(high["data_offsets"] as? [Int])
            let tensors = router.solved.solution.tensors
            let expected = tensors[0].values[..<32].flatMap {
                littleEndian($0.bitPattern)
            }
            #expect(Array(data[8 + size + offsets[0]..<8 + size + offsets[1]]) == expected)
            #expect(throws: CambiumError.self) { try router.save(to: directory + "/no/such/file") }
        }
    }

    @Test("that does not fit text or layer is refused, and so are other picks of one text")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let before = try store.resolve("main")
            let (text, experts) = sample(40, seed: 1)
            func add(_ experts: [UInt32]?, _ target: GramTarget = .experts) throws {
                try store.addGramSums(
                    [text], layer: 0, adapter: "base", target: target,
                    assignments: experts.map { [Assignments(experts: $0)] },
                    Checkpoints.options("assigned"))
            }
            #expect(try usage { try add([1]) }.contains("40 bytes and 1 assigned"))
            var wrong = experts
            wrong[7] = 16
            #expect(try usage { try add(wrong) }.contains("byte 7 of the text"))
            #expect(try usage { try add(experts, .adapter) }.contains("target 'experts'"))
            #expect(try store.resolve("main") == before)
            try add(experts)
            #expect(try usage { try add(nil) }.contains("evidence drop"))
            wrong[7] = experts[7] == 0 ? 5 : 0
            #expect(try usage { try add(wrong) }.contains("other picks of layer 0"))
            let router = try store.expertRouter("main", layer: 0)
            #expect(throws: CambiumError.self) { try store.agreement(of: router, on: []) }
            #expect(throws: CambiumError.self) {
                try store.agreement(
                    of: router, on: text, assigned: Assignments(experts: [1]))
            }
        }
    }

    @Test("made with another quantiser is named by both ids, and told how to go on")
    func quantisers() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let (text, _) = sample(80, seed: 1)
            func add(_ target: GramTarget) throws {
                try store.addGramSums(
                    [text], layer: 0, adapter: "base", target: target,
                    Checkpoints.options("gram"))
            }
            for target in GramTarget.allCases { try add(target) }
            let list = try store.evidence("main")
            let known = try #require(list[0].quantiser)
            #expect(known.count == 64 && list[1].quantiser == known)
            // The id is that of the canonical bytes, which scales alone determine.
            var foreign: [GramContribution] = []
            for entry in try store.map("main").evidence() {
                guard case .gramSums(let record) = entry.record else { continue }
                let source = try GramContribution.Source(
                    layer: 0, trunk: record.source.trunk,
                    quantiser: Quantiser(scales: [Float](repeating: 3, count: 8)),
                    digits: record.source.digits)
                #expect(try ObjectID(ofFile: record.source.quantiser.encoded).hex == known)
                foreign.append(
                    try GramContribution(
                        adapter: "base", label: "foreign",
                        data: [UInt8](repeating: 7, count: 32), byteCount: 80, source: source,
                        fitted: record.fitted, heldOut: record.heldOut))
            }
            let others = foreign
            try store.commit(Checkpoints.options("foreign")) { patch in
                for record in others { try patch.model.add(.gramSums(record)) }
            }
            let ids = Set(try store.evidence("main").compactMap(\.quantiser))
            #expect(ids.count == 2)
            for said in [
                try usage { _ = try store.gate("main", layer: 0) },
                try usage { _ = try store.expertRouter("main", layer: 0) },
                try usage { try add(.adapter) },
            ] {
                #expect(ids.allSatisfy { said.contains($0.prefix(12)) }, "\(said)")
                #expect(said.contains("cambium evidence drop"))
            }
        }
    }
}
