import Elements
import Objects
import Snapshots
import TestSupport
import Testing

@testable import Cambium

/// What tests of solved merges share: stores with a model of another library and branches that changed some of its
/// experts, rows and tensors.
struct Solving {
    static let texts: [String: [UInt8]] = [
        "base": Growth.text(97...104, 360, seed: 1), "a": Growth.text(110...116, 360, seed: 2),
        "b": Growth.text(65...70, 360, seed: 3), "c": Growth.text(48...57, 360, seed: 4),
    ]

    /// What a branch changes: experts, and rows of the routers, of every layer that has some.
    struct Edit {
        var experts: [Int] = []
        var rows: [Int] = []
        var tensors: [String] = []
        /// Nil for all.
        var layers: Set<UInt32>?
        var seed: UInt64
    }

    let store: Store

    init(store: Store) { self.store = store }

    /// - Parameters:
    ///   - edits: By branch.
    ///   - excerpts: Whether base and branches keep some of their texts.
    init(
        _ architecture: String, _ edits: [String: Edit], excerpts: Bool = true, in directory: String
    ) throws {
        store = try Growth.store(Growth.model(architecture), in: directory)
        if excerpts { try keep("base", on: "main") }
        for (name, edit) in edits.sorted(by: { $0.key < $1.key }) {
            try store.createBranch(name, at: "main", Checkpoints.signature)
            try change(name, edit)
            if excerpts { try keep(name, on: name) }
        }
    }

    /// Two branches that changed some experts and rows, one of them the same.
    static func two(
        _ architecture: String = "olmoe", excerpts: Bool = true, in directory: String
    ) throws -> Solving {
        try Solving(
            architecture,
            [
                "a": Edit(experts: [1, 2], rows: [1, 2], seed: 11),
                "b": Edit(experts: [2, 3], rows: [2, 3], seed: 12),
            ], excerpts: excerpts, in: directory)
    }

    func keep(_ text: String, on branch: String) throws {
        try store.addExcerpts(
            [Excerpts(Self.texts[text] ?? [], label: text)],
            Checkpoints.options("excerpts", branch: branch))
    }

    /// Moves numbers by some tenths of what they are.
    func change(_ branch: String, _ edit: Edit) throws {
        var random = SeededGenerator(seed: edit.seed)
        let snapshot = try store.map(branch)
        try store.commit(Checkpoints.options("change", branch: branch)) { patch in
            for (number, layer) in snapshot.tree.layers.sorted(by: { $0.key < $1.key }) {
                guard edit.layers?.contains(number) ?? true, let pool = layer.pools["base"],
                    let experts = snapshot.experts(layer: number, pool: "base")
                else { continue }
                for expert in edit.experts {
                    let bytes = Self.moved(try experts.data(expert), pool.parts, &random)
                    try patch.put(expert: expert, layer: Int(number), bytes)
                }
                for (name, tensor) in pool.router.sorted(by: { $0.key < $1.key })
                where !edit.rows.isEmpty && !name.hasSuffix("correction_bias") {
                    var bytes = try snapshot.data(of: tensor.id)
                    let size = bytes.count / Int(pool.count)
                    for row in edit.rows {
                        let range = row * size..<(row + 1) * size
                        let elements = size * 8 / tensor.shape.type.bitWidth
                        bytes.replaceSubrange(
                            range,
                            with: Self.moved(
                                Array(bytes[range]), [TensorShape(tensor.shape.type, [elements])],
                                &random))
                    }
                    try patch.put(tensor: name, bytes)
                }
            }
            for name in edit.tensors {
                guard let tensor = snapshot.tree.trunk.tensors[name] else { continue }
                try patch.put(
                    tensor: name,
                    Self.moved(try snapshot.data(of: tensor.id), [tensor.shape], &random))
            }
        }
    }

    private static func moved(
        _ bytes: [UInt8], _ parts: [TensorShape], _ random: inout SeededGenerator
    ) -> [UInt8] {
        let values = (FloatCode.decode(bytes, parts) ?? []).map {
            $0 * (1 + Double.random(in: -0.4...0.4, using: &random))
        }
        return FloatCode.encode(values, parts) ?? []
    }

    /// Expects of a merge of both branches into a new one that it is nearer than their mean to each side on its text,
    /// and to the base on its own.
    func expectNearer(_ branch: String, _ merge: () throws -> Void) throws {
        for name in ["mean", branch] {
            try store.createBranch(name, at: "main", Checkpoints.signature)
        }
        try self.merge(["a", "b"], into: "mean", dryRun: false, policy: .mean)
        try merge()
        for (name, own) in [("a", "a"), ("b", "b"), ("base", "main")] {
            let text = try #require(Self.texts[name])
            let mean = try distance("mean", own, text)
            let other = try distance(branch, own, text)
            #expect(other < 0.8 * mean, "\(name): \(other) and \(mean)")
        }
    }

    /// Merges by `solve`.
    @discardableResult
    func merge(
        _ branches: [String], into target: String = "main", dryRun: Bool = true,
        threads: Int = 1, texts: [(String, [UInt8])] = [], policy: MergePolicy = .solve,
        takes: [String] = [], memoryLimit: Int? = nil, grows: Bool = false,
        progress: ProgressReporter = { _ in }
    ) throws -> MergeResult {
        try store.merge(
            branches, into: target, policy: policy, takes: takes.map { try MergeTake($0) },
            solving: SolveOptions(
                texts: texts.map { ($0.0, "FILE", $0.1) }, threads: threads,
                memoryLimit: memoryLimit, grows: grows),
            dryRun: dryRun, Checkpoints.signature, progress: progress)
    }

    /// The ids of a layer's experts.
    func experts(_ revision: String, layer: UInt32) throws -> [ObjectID] {
        guard let experts = try store.map(revision).experts(layer: layer, pool: "base") else {
            return []
        }
        return try (0..<experts.count).map { try experts.id($0) }
    }

    /// Σ (difference of logits)² of a model and another on a text.
    func distance(_ one: String, _ other: String, _ text: [UInt8]) throws -> Double {
        let tokens = text.prefix(200).map { Int($0) }
        let logits = try [one, other].map { try store.model($0).logits(tokens).joined() }
        return zip(logits[0], logits[1]).reduce(0) { sum, pair in
            sum + Double((pair.0 - pair.1) * (pair.0 - pair.1))
        }
    }
}
