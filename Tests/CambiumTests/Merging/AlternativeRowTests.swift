import CheckpointSupport
import Elements
import Foundation
import Models
import Routing
import TestSupport
import Testing

@testable import Cambium

@Suite("Alternatives with hashed rows")
struct AlternativeRowTests {
    @Test("hashed rows are each side's own, and the base's stay what they were made over")
    func rows() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            try HashedCheckpoint().commit("base", to: store, in: directory)
            let text = Array("a text, and a text that goes on".utf8).map { Int($0) }
            let used = HashRouter(orders: [2, 3, 5], tableSize: 64).rows(of: text.map(UInt8.init))
            func row(_ value: Float) -> [UInt8] {
                [Float](repeating: value, count: 32).littleEndianBytes
            }
            for (branch, value) in [("a", Float(1)), ("b", -2)] {
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                try store.commit(Checkpoints.options(branch, branch: branch)) { patch in
                    for ordinal in Set(used.suffix(9)) {
                        try patch.put(expert: Int(ordinal), layer: 0, row(value))
                    }
                }
            }
            func bits(_ branch: String, _ model: Int = 0) throws -> [UInt32] {
                let mapped = try store.model(branch)
                return try withExtendedLifetime(mapped) {
                    try mapped.model.model(model).forward(text).map(\.bitPattern)
                }
            }
            try store.createBranch("m", at: "a", Checkpoints.signature)
            try store.createBranch("plain", at: "main", Checkpoints.signature)
            _ = try store.merge(
                ["a", "b"], into: "plain", policy: .alternatives, Checkpoints.signature)
            #expect(try store.adapters("plain") == ["a", "b"])
            #expect(try bits("plain") == bits("main"))
            for (index, branch) in ["a", "b"].enumerated() {
                #expect(try bits("plain", index + 1) == bits(branch))
            }
            func refused(_ body: (CommitOptions) throws -> Void) {
                let error = #expect(throws: CambiumError.self) {
                    try body(Checkpoints.options("x", branch: "plain"))
                }
                #expect(error?.code == .unfit, "\(String(describing: error))")
            }
            refused { try store.quantizeRows(bits: 2, $0) }
            refused { try store.quantizeRows(bits: 2, $0, adapters: ["base"]) }
            refused { try store.quantizeRows(bits: 2, $0, adapters: ["a"]) }
            refused { try store.pruneRows(usedLessThan: 9, texts: [[1, 2]], $0, commits: true) }
            refused { try store.restore(["a:0/\(used.last ?? 0)"], $0) }
            #expect(try bits("plain") == bits("main"))
            _ = try store.resolve(taking: "b", branch: "plain", Checkpoints.signature)
            #expect(try store.tree("plain") == store.tree("b"))
        }
    }

    @Test("held-out bits of an adapter beside alternatives are those of the committed model")
    func heldOut() throws {
        try withScratchDirectory { directory in
            let rounds = TrainTests()
            let store = try rounds.store(in: directory, mixesCounts: false)
            for (branch, text) in [("a", TrainTests.digits), ("b", TrainTests.swahili)] {
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                try store.commit(Checkpoints.options(branch, branch: branch)) { patch in
                    let bytes = [Float](repeating: Float(text[0]) / 99, count: 32)
                    try patch.put(expert: 1, layer: 0, bytes.littleEndianBytes)
                }
            }
            _ = try store.merge(
                ["a", "b"], into: "main", policy: .alternatives, Checkpoints.signature)
            #expect(try store.adapters("main") == ["a", "b"])
            let text = TrainTests.digits
            var options = rounds.options(rounds.adapter("sums"), text, steps: 10)
            options.mixesCounts = true
            #expect(rounds.code { try store.train(options) } == "usage")
            options.mixesCounts = nil
            options.heldOut = [HeldOutText(name: "sums", bytes: text)]
            let result = try store.train(options)
            let bits = try rounds.bits(store, "main", text)
            #expect(abs((result.bitsPerByte["sums"] ?? 0) - bits) < 1e-12)
        }
    }
}
