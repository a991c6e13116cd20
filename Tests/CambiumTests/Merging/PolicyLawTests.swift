import Elements
import Snapshots
import TestSupport
import Testing

@testable import Cambium
@testable import Merging

/// A policy as the table of laws in docs/merging.md names it, and the laws that it obeys.
struct PolicyLaws: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let isCommutative: Bool
    let isAssociative: Bool
    let isIdempotent: Bool
    let policy: @Sendable (_ sides: Int) -> any ConflictPolicy
    /// What is merged; a row of a router where the policy needs to know.
    var entity = MergeEntity.trunk("w")

    init(
        _ name: String, commutative: Bool, associative: Bool, idempotent: Bool,
        _ policy: @escaping @Sendable (Int) -> any ConflictPolicy
    ) {
        testDescription = name
        (isCommutative, isAssociative, isIdempotent) = (commutative, associative, idempotent)
        self.policy = policy
    }

    /// Settles one entity of floats; nil when the conflict stands.
    func merge(_ sides: [[Float]], base: [Float]) -> [Float]? {
        let values = sides.enumerated().map {
            ConflictValue(
                side: $0.offset, bytes: $0.element.flatMap { littleEndian($0.bitPattern) })
        }
        let result = policy(sides.count).resolve(
            entity, parts: [TensorShape(.f32, [base.count])],
            base: base.flatMap { littleEndian($0.bitPattern) }, values: values)
        guard let bytes = result?.bytes else { return nil }
        return stride(from: 0, to: bytes.count, by: 4).map { start in
            Float(
                bitPattern: (0..<4).reduce(UInt32(0)) {
                    $0 | UInt32(bytes[start + $1]) << UInt32(8 * $1)
                })
        }
    }
}

private let laws: [PolicyLaws] = [
    PolicyLaws("ours", commutative: false, associative: true, idempotent: true) { _ in
        OursPolicy()
    },
    PolicyLaws("theirs", commutative: false, associative: true, idempotent: true) { _ in
        TheirsPolicy()
    },
    PolicyLaws("mean", commutative: true, associative: false, idempotent: true) {
        MeanPolicy(weights: [Double](repeating: 1, count: $0))
    },
    PolicyLaws("ties", commutative: true, associative: false, idempotent: false) { _ in
        TiesPolicy()
    },
    PolicyLaws("ties, density 1", commutative: true, associative: false, idempotent: true) { _ in
        TiesPolicy(density: 1)
    },
    PolicyLaws("task", commutative: true, associative: false, idempotent: false) { _ in
        TaskPolicy()
    },
]

@Suite("The laws of the policies")
struct PolicyLawTests {
    private func random(_ generator: inout SeededGenerator) -> [Float] {
        (0..<12).map { _ in Float.random(in: -1...1, using: &generator) }
    }

    /// Whether a law held in each of many random cases.
    private func holds(
        seed: UInt64, _ law: (_ base: [Float], _ sides: [[Float]]) throws -> Bool
    ) rethrows -> Bool {
        var generator = SeededGenerator(seed: seed)
        var always = true
        for _ in 0..<200 {
            let base = random(&generator)
            let sides = (0..<3).map { _ in random(&generator) }
            let held = try law(base, sides)
            always = always && held
        }
        return always
    }

    @Test("a policy is commutative on random values, or is not, as the table says", arguments: laws)
    func commutative(laws: PolicyLaws) throws {
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
        let held = try holds(seed: 1) { base, sides in
            let results = try orders.map { order in
                try #require(laws.merge(order.map { sides[$0] }, base: base))
            }
            return results.allSatisfy { $0 == results[0] }
        }
        #expect(held == laws.isCommutative)
    }

    @Test("a policy is associative on random values, or is not, as the table says", arguments: laws)
    func associative(laws: PolicyLaws) throws {
        let held = try holds(seed: 2) { base, sides in
            let all = try #require(laws.merge(sides, base: base))
            let left = try #require(laws.merge(Array(sides[..<2]), base: base))
            let right = try #require(laws.merge(Array(sides[1...]), base: base))
            return try #require(laws.merge([left, sides[2]], base: base)) == all
                && #require(laws.merge([sides[0], right], base: base)) == all
        }
        #expect(held == laws.isAssociative)
    }

    @Test("a policy is idempotent on random values, or is not, as the table says", arguments: laws)
    func idempotent(laws: PolicyLaws) throws {
        let held = try holds(seed: 3) { base, sides in
            let twice = try #require(laws.merge([sides[0], sides[0]], base: base))
            // Adding a difference to the base rounds once.
            return zip(twice, sides[0]).allSatisfy { abs($0 - $1) <= $1.ulp }
        }
        #expect(held == laws.isIdempotent)
    }

    @Test("task arithmetic is associative where nothing is rounded")
    func taskOfIntegers() throws {
        let task = try #require(laws.first { $0.testDescription == "task" })
        let held = try holds(seed: 4) { base, sides in
            func whole(_ values: [Float]) -> [Float] { values.map { ($0 * 1000).rounded() } }
            let (base, sides) = (whole(base), sides.map(whole))
            let all = try #require(task.merge(sides, base: base))
            let left = try #require(task.merge(Array(sides[..<2]), base: base))
            return try #require(task.merge([left, sides[2]], base: base)) == all
        }
        #expect(held)
    }
}

@Suite("TIES and task arithmetic")
struct TiesPolicyTests {
    private func merge(
        _ policy: any ConflictPolicy, _ sides: [[Float]], base: [Float]
    ) -> [Float]? {
        PolicyLaws("", commutative: true, associative: false, idempotent: false) { _ in policy }
            .merge(sides, base: base)
    }

    @Test("keeps the greatest changes, elects a sign and averages those that have it")
    func example() throws {
        // Differences: a (5, -1, 2, 0.5), b (3, 4, -6, 0.25); half of each is kept.
        let base: [Float] = [10, 10, 10, 10]
        let sides: [[Float]] = [[15, 9, 12, 10.5], [13, 14, 4, 10.25]]
        let merged = merge(TiesPolicy(density: 0.5), sides, base: base)
        // Kept: a (5, 0, 2, 0), b (0, 4, -6, 0). Signs: +, +, -, none.
        #expect(merged == [15, 14, 4, 10])
        let halved = merge(TiesPolicy(density: 0.5, scale: 0.5), sides, base: base)
        #expect(halved == [12.5, 12, 7, 10])
        let all = merge(TiesPolicy(density: 1), sides, base: base)
        #expect(all == [14, 14, 4, 10.375])
    }

    @Test("keeps what equals the smallest that is kept, and the base where signs balance")
    func ties() throws {
        let base: [Float] = [0, 0, 0, 0]
        let equal = merge(
            TiesPolicy(density: 0.25), [[1, -1, 1, 1], [1, -1, 1, 1]], base: base)
        #expect(equal == [1, -1, 1, 1])
        let balanced = merge(
            TiesPolicy(density: 1), [[1, 2, 0, 0], [-1, 1, 0, 0]], base: base)
        #expect(balanced == [0, 1.5, 0, 0])
    }

    @Test("task arithmetic adds the scaled differences")
    func task() throws {
        let sides: [[Float]] = [[3, 0], [2, 5]]
        #expect(merge(TaskPolicy(), sides, base: [1, 1]) == [4, 4])
        #expect(merge(TaskPolicy(scale: 0.5), sides, base: [1, 1]) == [2.5, 2.5])
    }

    @Test("leaves the conflict without a base, and what has no difference")
    func refuses() throws {
        let shape = TensorShape(.f32, [1])
        let one = ConflictValue(side: 0, bytes: littleEndian(Float(1).bitPattern))
        let nan = ConflictValue(side: 1, bytes: littleEndian(Float.nan.bitPattern))
        let gone = ConflictValue(side: 1, bytes: nil)
        for policy in [TiesPolicy(), TaskPolicy()] as [any ConflictPolicy] {
            func settles(
                _ values: [ConflictValue], _ parts: [TensorShape], base: [UInt8]? = [0, 0, 0, 0]
            ) -> Bool {
                policy.resolve(.trunk("w"), parts: parts, base: base, values: values) != nil
            }
            #expect(settles([one, one], [shape]))
            #expect(!settles([one, one], [shape], base: nil))
            #expect(!settles([one, nan], [shape]))
            #expect(!settles([one, gone], [shape]))
            #expect(!settles([one, one], []))
            #expect(!settles([one, one], [TensorShape(.i32, [1])]))
        }
    }

    @Test("settle a merge of branches, and the commit records their settings")
    func store() throws {
        try withScratchDirectory { directory in
            try Store.create(at: directory + "/S")
            let store = try Store(directory + "/S")
            var checkpoint = TinyCheckpoint()
            checkpoint.setExpert(3, to: 1)
            _ = try store.commit(
                checkpoint: checkpoint.write(to: directory + "/base"), Checkpoints.options("base"))
            for (name, value) in [("a", Float(3)), ("b", Float(2))] {
                checkpoint.setExpert(3, to: value)
                _ = try store.commit(
                    checkpoint: checkpoint.write(to: directory + "/" + name),
                    Checkpoints.options(name, branch: name))
            }
            for (policy, expected) in [(MergePolicy.ties, Float(2)), (.task, 2.5)] {
                let trees = try [["a", "b"], ["b", "a"]].map { order in
                    try store.merge(
                        order, into: "main", policy: policy,
                        settings: PolicySettings(
                            scale: policy == .ties ? Double(2) / 3 : 0.5), dryRun: true,
                        Checkpoints.signature
                    ).tree
                }
                #expect(trees[0] != nil && trees[0] == trees[1])
                let branch = "with-\(policy.rawValue)"
                try store.createBranch(branch, at: "main", Checkpoints.signature)
                _ = try store.merge(
                    ["a", "b"], into: branch, policy: policy,
                    settings: PolicySettings(scale: policy == .ties ? Double(2) / 3 : 0.5),
                    Checkpoints.signature)
                let data = try store.expert(branch, "0/3").data
                #expect(Array(data.prefix(4)) == littleEndian(expected.bitPattern))
                let metadata = try store.show(branch).metadata
                #expect(metadata["merge.policy"] == policy.rawValue)
                #expect(metadata["merge.scale"] != nil)
                #expect((metadata["merge.density"] == "0.2") == (policy == .ties))
            }
            for settings in [
                PolicySettings(density: 0), PolicySettings(density: 1.5),
                PolicySettings(scale: .nan),
            ] {
                let error = #expect(throws: CambiumError.self) {
                    try store.merge(["a"], into: "main", policy: .ties, settings: settings)
                }
                #expect(error?.code == .usage)
            }
        }
    }
}
