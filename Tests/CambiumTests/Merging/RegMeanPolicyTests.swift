import Elements
import Snapshots
import TestSupport
import Testing

@testable import Cambium
@testable import Merging

@Suite("The RegMean policy")
struct RegMeanPolicyTests {
    private static let width = 6
    private let row = MergeEntity.routerRow(
        layer: 3, pool: "base", tensor: "model.layers.3.peer.query.weight", row: 2)

    /// Integer inputs of a side, and their products.
    private func inputs(
        _ generator: inout SeededGenerator, count: Int = 40
    ) -> (x: [[Int]], inputs: RegMeanPolicy.Inputs) {
        let mix = (0..<Self.width).map { _ in Int.random(in: 1...9, using: &generator) }
        let x = (0..<count).map { _ in mix.map { Int.random(in: -20...20, using: &generator) * $0 }
        }
        return (x, RegMeanPolicy.Inputs(scales: scales, gram: products(x)))
    }

    private let scales: [Float] = [1, 2, 0.5, 4, 1, 3]

    private func products(_ x: [[Int]]) -> [Int64] {
        (0..<Self.width).flatMap { row in
            (0...row).map { column in x.reduce(Int64(0)) { $0 + Int64($1[row] * $1[column]) } }
        }
    }

    private func random(_ generator: inout SeededGenerator) -> [Float] {
        (0..<Self.width).map { _ in Float.random(in: -1...1, using: &generator) }
    }

    private func merge(
        _ sides: [[Float]], _ inputs: [RegMeanPolicy.Inputs?], entity: MergeEntity? = nil
    ) -> [Float]? {
        let tables = inputs.map { $0.map { [UInt32(3): $0] } ?? [:] }
        var laws = PolicyLaws("", commutative: true, associative: false, idempotent: false) {
            count in
            RegMeanPolicy(weights: [Double](repeating: 1, count: count), inputs: tables)
        }
        laws.entity = entity ?? row
        return laws.merge(sides, base: [Float](repeating: 0, count: Self.width))
    }

    /// (Σ G)⁻¹ Σ G w by Gauss-Jordan elimination, off the diagonal times 0.9, over activations φ / scale.
    private func reference(_ sides: [[Float]], _ x: [[[Int]]]) -> [Double] {
        let n = Self.width
        var system = [[Double]](repeating: [Double](repeating: 0, count: n + 1), count: n)
        for (side, inputs) in zip(sides, x) {
            for i in 0..<n {
                for j in 0..<n {
                    var sum = 0.0
                    for token in inputs {
                        sum +=
                            Double(token[i]) / Double(scales[i]) * Double(token[j])
                            / Double(scales[j])
                    }
                    sum *= i == j ? 1 : 0.9
                    system[i][j] += sum
                    system[i][n] += sum * Double(side[j])
                }
            }
        }
        for i in 0..<n {
            let pivot = system[i][i]
            for j in i...n { system[i][j] /= pivot }
            for k in 0..<n where k != i {
                let factor = system[k][i]
                for j in i...n { system[k][j] -= factor * system[i][j] }
            }
        }
        return system.map { $0[n] }
    }

    @Test("gives the closed form", arguments: 0..<10)
    func closedForm(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let sides = [random(&generator), random(&generator)]
        let inputs = [inputs(&generator), inputs(&generator)]
        let merged = try #require(merge(sides, inputs.map(\.inputs)))
        for (found, expected) in zip(merged, reference(sides, inputs.map(\.x))) {
            #expect(abs(Double(found) - expected) < 1e-5)
        }
    }

    @Test("is commutative in its bits, and associative and idempotent but for rounding")
    func laws() throws {
        var generator = SeededGenerator(seed: 20)
        var (isAssociative, isIdempotent) = (true, true)
        for _ in 0..<100 {
            let sides = (0..<3).map { _ in random(&generator) }
            let seen = (0..<3).map { _ in self.inputs(&generator) }
            let known = seen.map(\.inputs)
            let all = try #require(merge(sides, known))
            #expect(merge([2, 0, 1].map { sides[$0] }, [2, 0, 1].map { known[$0] }) == all)
            // A merge unites the evidence.
            let both = RegMeanPolicy.Inputs(scales: scales, gram: products(seen[0].x + seen[1].x))
            let left = try #require(merge(Array(sides[..<2]), Array(known[..<2])))
            let nested = try #require(merge([left, sides[2]], [both, known[2]]))
            isAssociative = isAssociative && nested == all
            for (one, other) in zip(nested, all) { #expect(abs(one - other) < 1e-5) }
            let twice = try #require(merge([sides[0], sides[0]], [known[0], known[1]]))
            isIdempotent = isIdempotent && twice == sides[0]
            for (one, other) in zip(twice, sides[0]) { #expect(abs(one - other) < 1e-5) }
        }
        #expect(!isAssociative && !isIdempotent)
    }

    @Test("is the mean of what has no inputs, and leaves rows without Gram sums in conflict")
    func without() throws {
        var generator = SeededGenerator(seed: 21)
        let sides: [[Float]] = [[1, 2, 3, 4, 5, 6], [3, 2, 1, 0, -1, -2]]
        let known = inputs(&generator).inputs
        #expect(merge(sides, [known, known], entity: .trunk("w")) == [2, 2, 2, 2, 2, 2])
        let keys = MergeEntity.routerRow(
            layer: 3, pool: "base", tensor: "model.layers.3.peer.sub_keys", row: 2)
        #expect(merge(sides, [known, nil], entity: keys) == [2, 2, 2, 2, 2, 2])
        #expect(merge(sides, [known, nil]) == nil)
        let other = RegMeanPolicy.Inputs(scales: scales.map { 2 * $0 }, gram: known.gram)
        #expect(merge(sides, [known, other]) == nil)
        // A feature that no text has leaves the sum singular.
        let dead = products(inputs(&generator).x.map { [0] + $0.dropFirst() })
        let merged = try #require(
            merge(
                sides,
                [RegMeanPolicy.Inputs?](repeating: .init(scales: scales, gram: dead), count: 2)))
        #expect(merged.allSatisfy { $0.isFinite })
    }

    @Test("settles a merge by the Gram sums that each side added, and says what is missing")
    func store() throws {
        try withScratchDirectory { directory in
            let store = try Checkpoints.tinyStore(in: directory)
            let query = "model.layers.0.peer.query.weight"
            let texts = [
                "a": "the quick brown fox jumps over", "b": "habari ya asubuhi watoto wangu",
            ]
            for (name, value) in [("a", Float(0.25)), ("b", -0.5)] {
                try store.createBranch(name, at: "main", Checkpoints.signature)
                try store.commit(Checkpoints.options(name, branch: name)) {
                    patch in
                    let row = [Float](repeating: value, count: 8)
                    let bytes = (0..<8).flatMap { index in
                        row.flatMap { littleEndian(($0 + Float(index)).bitPattern) }
                    }
                    try patch.put(tensor: query, bytes)
                }
            }
            func merge(_ order: [String]) throws -> MergeResult {
                try store.merge(
                    order, into: "main", policy: .regmean, dryRun: true, Checkpoints.signature)
            }
            let none = #expect(throws: CambiumError.self) { try merge(["a", "b"]) }
            #expect(none?.code == .usage && none?.message.contains("routes of its own") == true)
            func add(_ name: String) throws {
                try store.addGramSums(
                    [Array(texts[name]!.utf8)], layer: 0, adapter: name,
                    Checkpoints.options("gram", branch: name))
            }
            try add("a")
            let one = #expect(throws: CambiumError.self) { try merge(["a", "b"]) }
            #expect(one?.code == .usage && one?.message.contains("Gram sums of layer 0") == true)
            try add("b")
            let merged = try merge(["a", "b"])
            #expect(merged.kind == .merged && merged.resolved == 8)
            #expect(try merge(["b", "a"]).tree == merged.tree)
            let mean = try store.merge(
                ["a", "b"], into: "main", policy: .mean, dryRun: true, Checkpoints.signature)
            #expect(mean.tree != merged.tree)
        }
    }

    @Test(
        "merges the rows of a linear router by the routes that each side recorded")
    func linear() throws {
        try withScratchDirectory { directory in
            let store = try Growth.store(Growth.model("olmoe"), in: directory)
            let router = "model.layers.1.mlp.gate.weight"
            let before = try store.data("main", named: router)
            let rowBytes = before.count / 16
            func row(_ revision: String) throws -> [Double] {
                let bytes = try store.data(revision, named: router)
                return try #require(
                    FloatCode.decode(
                        Array(bytes[3 * rowBytes..<4 * rowBytes]),
                        [TensorShape(.f32, [rowBytes / 4])]))
            }
            let texts = ["a": Growth.shortOld, "b": Growth.new]
            for (name, value) in [("a", Float(0.25)), ("b", -0.5)] {
                try store.createBranch(name, at: "main", Checkpoints.signature)
                try store.commit(Checkpoints.options(name, branch: name)) {
                    patch in
                    var bytes = before
                    // One of the row's 64 weights.
                    bytes.replaceSubrange(
                        3 * rowBytes..<3 * rowBytes + 4, with: littleEndian(value.bitPattern))
                    try patch.put(tensor: router, bytes)
                }
            }
            func merge(_ order: [String], dryRun: Bool = true) throws -> MergeResult {
                try store.merge(
                    order, into: "main", policy: .regmean, dryRun: dryRun, Checkpoints.signature)
            }
            for name in ["a", "b"] {
                let error = #expect(throws: CambiumError.self) { try merge(["a", "b"]) }
                #expect(error?.code == .usage && "\(error!)".contains("--kind routes"))
                _ = try store.addRoutes(
                    [texts[name]!], Checkpoints.options("routes", branch: name))
            }
            let other = try merge(["b", "a"])
            let merged = try merge(["a", "b"], dryRun: false)
            #expect(merged.resolved == 1 && merged.tree == other.tree)
            // What the sides agree about changes with what they do not: the outputs are what counts.
            let (a, b, made) = (try row("a"), try row("b"), try row("main"))
            #expect(made.allSatisfy { $0.isFinite } && a[1] == b[1] && made[1] != a[1])
            #expect(made[0] > b[0] && made[0] < a[0] && made[0] != (a[0] + b[0]) / 2)
        }
    }
}
