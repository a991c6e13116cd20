internal import Architectures
internal import ArgumentParser
internal import BenchmarkSupport
internal import Cambium
internal import Checkpoints
internal import Elements
internal import Evidence
internal import Foundation
internal import Glibc
internal import Models
internal import Objects
internal import Routing
internal import Snapshots
internal import Tensors

/// Makes a store of two branches of a million experts, each with changed experts and Gram sums of its picks.
struct MillionMakeCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "million-make")

    @Argument(help: "Where the store is made.") var path: String
    @Option(help: "Values of a digit: its square is the number of experts.") var side = 1_024
    @Option var width = 128
    @Option(help: "Tokens that each branch counted.") var tokens = 100_000
    @Option(help: "Experts that each branch changed.") var changes = 1_000

    func run() throws {
        try Store.create(at: path)
        let store = try Store(path)
        let parts = [TensorShape](repeating: TensorShape(.bf16, [width]), count: 2)
        try NeuronPool.commit(
            to: store.snapshots, count: side * side, parts: parts, config: config
        ) { [width] in ExpertData.bytes($0, version: 0, size: 4 * width) }
        for name in ["first", "second", "all"] {
            try store.createBranch(name, at: "main", .current)
        }
        for (number, name) in ["first", "second"].enumerated() {
            let record = try record(store, number)
            let ids = ExpertData.changed(round: 7 + number, count: changes, of: side * side)
            // Each branch has its half of the experts, so that there is no conflict.
            for branch in [name, "all"] {
                let options = CommitOptions(message: name, branch: branch)
                try store.commit(options) { patch in
                    for id in ids where id % 2 == number {
                        try patch.put(
                            expert: id, layer: 0,
                            ExpertData.bytes(id, version: 1, size: 4 * width))
                    }
                    try patch.model.add(.gramSums(record))
                }
            }
        }
    }

    private var config: String {
        """
        {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": \(width), "num_layers": 1,
         "num_heads": 4, "context_length": 256, "ffn_size": 256, "rms_norm_eps": 1e-5,
         "rope_theta": 10000, "peer_layers": [0],
         "peer": {"sub_keys": \(side), "heads": 8, "top_k": 16, "key_size": 128}}
        """
    }

    /// Clouds around a centre for each value of each digit.
    private func record(_ store: Store, _ number: Int) throws -> GramContribution {
        let tree = try store.snapshots.tree(
            store.snapshots.commit(store.snapshots.resolve("main")).tree)
        let trunk = try TrunkIdentity.id(
            of: tree, PeerConfig(json: Array(config.utf8)), layer: 0)
        let source = try GramContribution.Source(
            layer: 0, trunk: trunk.bytes,
            quantiser: Quantiser(scales: [Float](repeating: 128, count: width)),
            digits: [UInt32(side), UInt32(side)])
        var (fitted, heldOut) = (source.nothing, source.nothing)
        var random = SplitMix64(seed: UInt64(number) + 1)
        let centres = (0..<2 * side).map {
            Noise.floats(tag: UInt64($0), count: width, scale: 150)
        }
        for start in stride(from: 0, to: tokens, by: 4_096) {
            let count = min(4_096, tokens - start)
            var (x, experts) = ([Int16](), [UInt32]())
            for _ in 0..<count {
                let (high, low) = (
                    Int(random.next() % UInt64(side)), Int(random.next() % UInt64(side))
                )
                experts.append(UInt32(high * side + low))
                for feature in 0..<width {
                    let noise = Float(random.next() % 201) - 100
                    x.append(Int16(centres[high][feature] + centres[side + low][feature] + noise))
                }
            }
            if start / 4_096 % 4 == GramContribution.heldOutRest {
                try heldOut.add(x.span, experts: experts, second: UInt32(side))
            } else {
                try fitted.add(x.span, experts: experts, second: UInt32(side))
            }
        }
        return try GramContribution(
            adapter: "base", label: "\(number)", data: [UInt8](repeating: UInt8(number), count: 32),
            byteCount: UInt64(tokens), source: source, fitted: fitted, heldOut: heldOut)
    }
}

/// Merges the two branches and solves the router of the merge; then checks that it is the one of all data.
struct MillionMergeCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "million-merge")

    @Argument(help: "The store.") var path: String
    @Option var threads = 2

    func run() throws {
        let own = MemoryPeak()
        // Of all threads, and what others run beside it does not count.
        let before = clock()
        let whole = try seconds {
            let store = try Store(path)
            let merge = try seconds {
                try store.merge(["first", "second"], into: "main", .current)
            }
            let solved = try seconds {
                try store.expertRouter("main", layer: 0, threads: threads)
            }
            return (store: store, merge: merge, solved: solved)
        }
        let processor = Double(clock() - before) / Double(CLOCKS_PER_SEC)
        let (store, merge, solved) = whole.1
        // The kernel's own mark, before the check below.
        var figures = [
            "own": own.stop(), "mapped": try memory("VmHWM"),
            "seconds": whole.0, "processor": processor, "merge": merge.0, "solve": solved.0,
            "experts": Double(solved.1.experts), "lambda_high": solved.1.lambdas[0],
            "lambda_low": solved.1.lambdas[1],
        ]
        try expect(merge.1.kind == .merged && merge.1.conflicts.isEmpty, "the merge: \(merge.1)")
        let all = try store.expertRouter("all", layer: 0, threads: 1)
        try expect(all.id == solved.1.id, "the merged router has other bits than that of all data")
        try expect(
            try store.show("main").tree == store.show("all").tree, "the merged tree is another one")
        figures["evidence"] = Double(
            try store.evidence("main").reduce(0) { $0 + $1.recordBytes })
        try say(figures)
    }
}
