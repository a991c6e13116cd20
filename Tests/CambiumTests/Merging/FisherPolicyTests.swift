import Elements
import Evidence
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium
@testable import Merging

@Suite("The Fisher policy")
struct FisherPolicyTests {
    private let shape = TensorShape(.f32, [4])

    private func bytes(_ values: [Float]) -> [UInt8] {
        values.flatMap { littleEndian($0.bitPattern) }
    }

    /// Merges a trunk tensor of sides with squared gradients.
    private func merge(
        _ sides: [[Float]], _ gradients: [[Float]?], weights: [Double]? = nil
    ) throws -> [UInt8]? {
        let header = try ObjectHeader(.tensor, [shape])
        var (trees, known) = ([Tree](), [[ObjectID: [Float]]]())
        for (side, gradient) in zip(sides, gradients) {
            let id = header.id(of: bytes(side).raw)
            var tree = Tree(architecture: "x")
            tree.trunk.tensors["w"] = StoredTensor(shape: shape, id: id)
            trees.append(tree)
            known.append(gradient.map { [id: $0] } ?? [:])
        }
        return FisherPolicy(
            weights: weights ?? [Double](repeating: 1, count: sides.count), trees: trees,
            gradients: known
        ).resolve(
            .trunk("w"), parts: [shape], base: nil,
            values: sides.enumerated().map {
                ConflictValue(side: $0.offset, bytes: bytes($0.element))
            })?.bytes
    }

    @Test("weighs each element by its squared gradient, and by the side's weight")
    func weighted() throws {
        let sides: [[Float]] = [[1, 1, 1, 1], [5, 5, 5, 5]]
        let gradients: [[Float]] = [[1, 3, 0, 0], [1, 1, 2, 0]]
        // The last element has no gradient on either side.
        #expect(try merge(sides, gradients) == bytes([3, 2, 5, 3]))
        #expect(try merge(sides, gradients, weights: [3, 1]) == bytes([2, 1.4, 5, 2]))
    }

    @Test("is commutative and idempotent, and not associative")
    func laws() throws {
        var generator = SeededGenerator(seed: 7)
        func random(_ range: ClosedRange<Float>) -> [Float] {
            (0..<4).map { _ in Float.random(in: range, using: &generator) }
        }
        for _ in 0..<100 {
            let sides = (0..<3).map { _ in random(-1...1) }
            let gradients = (0..<3).map { _ in random(0...1) }
            let all = try #require(try merge(sides, gradients))
            for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                #expect(
                    try merge(order.map { sides[$0] }, order.map { gradients[$0] }) == all)
            }
            #expect(
                try merge([sides[0], sides[0]], [gradients[0], gradients[0]]) == bytes(sides[0]))
            // Not associative: the merged value has no gradients of its own, and stays in conflict.
            let two = try #require(try merge([sides[0], sides[1]], [gradients[0], gradients[1]]))
            let merged = stride(from: 0, to: two.count, by: 4).map { start in
                Float(
                    bitPattern: two[start..<start + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
                )
            }
            #expect(try merge([merged, sides[2]], [nil, gradients[2]]) == nil)
        }
    }

    @Test("sides with equal bytes keep the gradients that each recorded, in any order")
    func equalBytes() throws {
        let (a, b): ([Float], [Float]) = ([1, 1, 1, 1], [4, 4, 4, 4])
        // Of two sides with one value the one minds a change, the other hardly.
        let gradients: [[Float]] = [[3, 3, 3, 0], [0, 1, 3, 0], [1, 1, 6, 0]]
        let expected = bytes([1.75, 1.6, 2.5, 2])
        for order in [[0, 1, 2], [1, 0, 2], [2, 1, 0], [2, 0, 1], [0, 2, 1], [1, 2, 0]] {
            let found = try merge(order.map { [a, a, b][$0] }, order.map { gradients[$0] })
            #expect(found == expected)
            // Whose gradients they are counts, not where they come.
            let weighted = try merge(
                order.map { [a, a, b][$0] }, order.map { gradients[$0] },
                weights: order.map { [2, 1, 1][$0] })
            #expect(
                try weighted
                    == merge([a, a, b], gradients, weights: [2, 1, 1]))
        }
        #expect(try merge([a, a, b], [gradients[0], nil, gradients[2]]) == nil)
    }

    @Test("of experts, rows and tensors is recorded by patches and settles a merge")
    func store() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let query = "model.layers.0.peer.query.weight"
            func make(_ name: String, _ value: Float, _ gradient: Float?) throws {
                try store.createBranch(name, at: "main", Checkpoints.signature)
                try store.commit(Checkpoints.options(name, branch: name)) {
                    patch in
                    let expert = self.bytes([Float](repeating: value, count: 16))
                    try patch.put(expert: 3, layer: 0, expert)
                    try patch.put(
                        tensor: query, self.bytes([Float](repeating: value, count: 64)))
                    try patch.put(
                        tensor: "model.norm.weight", self.bytes([Float](repeating: value, count: 8))
                    )
                    guard let gradient else { return }
                    func all(_ count: Int) -> [Float] { [Float](repeating: gradient, count: count) }
                    try patch.record(squaredGradients: all(16), ofExpert: expert, layer: 0)
                    try patch.record(squaredGradients: all(64), ofTensor: query)
                    try patch.record(squaredGradients: all(8), ofTensor: "model.norm.weight")
                }
            }
            try make("a", 1, 3)
            try make("b", 5, 1)
            try make("c", 7, nil)
            try make("d", 9, nil)
            #expect(try store.verify().faults.isEmpty)
            let merged = try store.merge(
                ["a", "b"], into: "main", policy: .fisher, Checkpoints.signature)
            #expect(merged.kind == .merged && merged.resolved == 10)
            let data = try store.expert("main", "0/3").data
            #expect(data == bytes([Float](repeating: 2, count: 16)))
            #expect(try store.show("main").metadata["merge.weights"] != nil)
            // What was recorded goes with the model, but not where others read it.
            let export = try store.export("main", to: directory + "/out")
            #expect(export.files.contains { $0.hasPrefix("fisher") })
            let plain = try store.export("main", to: directory + "/plain", isPlain: true)
            #expect(!plain.files.contains { $0.hasPrefix("fisher") })
            #expect(plain.leftOut.contains { $0.hasPrefix("fisher") })
            let partly = try store.merge(
                ["c"], into: "a", policy: .fisher, dryRun: true, Checkpoints.signature)
            #expect(partly.kind == .conflicts && partly.conflicts.count == 10)
            let none = #expect(throws: CambiumError.self) {
                try store.merge(["c"], into: "d", policy: .fisher, dryRun: true)
            }
            #expect(none?.code == .usage)
        }
    }

    @Test("is refused of what does not fit")
    func refused() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            func code(_ body: (inout Patch) throws -> Void) -> CambiumError.Code? {
                do {
                    try store.commit(Checkpoints.options("x"), patch: body)
                    return nil
                } catch {
                    return (error as? CambiumError)?.code
                }
            }
            let norm = "model.norm.weight"
            #expect(
                code { patch in
                    try patch.record(squaredGradients: [1], ofTensor: norm)
                } == .badShape)
            for value in [-1, Float.nan, .infinity] {
                #expect(
                    code { patch in
                        try patch.record(
                            squaredGradients: [Float](repeating: value, count: 8), ofTensor: norm)
                    } == .usage)
            }
            #expect(
                code { patch in
                    try patch.record(squaredGradients: [], ofTensor: "none")
                } == .notFound)
            #expect(
                code { patch in
                    try patch.record(squaredGradients: [], ofExpert: [], layer: 9)
                } == .notFound)
            #expect(
                code { patch in
                    try patch.record(
                        squaredGradients: [Float](repeating: 1, count: 16), ofExpert: [1], layer: 0)
                } == .badShape)
            for bytes in [[], [1, 2], FisherFile.encoded([1]) + [0]] as [[UInt8]] {
                #expect(throws: CambiumError.self) { try FisherFile.decoded(bytes, "fisher.x") }
            }
            #expect(try FisherFile.decoded(FisherFile.encoded([1, 0.5]), "x") == [1, 0.5])
        }
    }

    @Test("recorded twice of one object is added up in a merge")
    func sums() throws {
        let values = [[1, 2], [0.5, 4]].enumerated().map {
            ConflictValue(side: $0.offset, bytes: FisherFile.encoded($0.element))
        }
        let policy = FisherPolicy(weights: [1, 1], trees: [], gradients: [[:], [:]])
        let sum = policy.resolve(.file("fisher.ab"), parts: [], base: nil, values: values)
        #expect(sum?.bytes == FisherFile.encoded([1.5, 6]))
        #expect(policy.resolve(.file("config.json"), parts: [], base: nil, values: values) == nil)
    }
}
