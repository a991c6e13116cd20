internal import BenchmarkSupport
internal import Cambium
internal import Elements
internal import Foundation
internal import Glibc
internal import Objects
internal import Snapshots

/// Cold packs: how small, how fast, and that every byte comes back.
extension Benchmark {
    /// How the earlier version of the experts is related to the later one.
    private enum Relation {
        case unrelated
        /// A step of training: each weight moves by about this share of itself.
        case step(Float)
    }

    func compress() throws {
        for type in [ElementType.f32, .bf16] {
            let name = type == .f32 ? "fp32" : "bf16"
            try measure("\(name)", type, .unrelated)
            try measure("successive_\(name)_1e-2", type, .step(1e-2))
            try measure("successive_\(name)_1e-3", type, .step(1e-3))
        }
        try measureTrained()
    }

    private func measure(_ name: String, _ type: ElementType, _ relation: Relation) throws {
        let width = type == .f32 ? 4 : 2
        let count = size / width
        let parts = [TensorShape(type, [count / 2]), TensorShape(type, [count / 2])]
        var (ratios, compressing, reading): ([Double], [Double], [Double]) = ([], [], [])
        for _ in 1...rounds {
            defer { try? FileManager.default.removeItem(atPath: path) }
            try Store.create(at: path)
            do {
                let snapshots = try SnapshotStore.open(path)
                for version in 0...1 {
                    try commit(snapshots, parts, version: version) { expert in
                        let old = weights(expert, version: 0, count)
                        guard version == 1 else { return encoded(old, type) }
                        let noise = weights(expert, version: 1, count)
                        switch relation {
                        case .unrelated: return encoded(noise, type)
                        case .step(let share):
                            return encoded(
                                zip(old, noise).map { $0 + $0 * share * $1 * 50 }, type)
                        }
                    }
                }
            }
            let (time, result) = try seconds { try Store.repack(path, compress: true) }
            try expect(result.packsCompressed > 0, "nothing was compressed")
            ratios.append(Double(result.compressedBytes) / Double(result.rawBytes))
            compressing.append(Double(result.rawBytes) / time)
            let snapshots = try SnapshotStore.open(path)
            let snapshot = try snapshots.map(try snapshots.resolve("main~1"))
            guard let mapped = snapshot.experts(layer: 0, cohort: Cohort.base) else {
                throw Failure("no experts")
            }
            let (spent, wrong) = try seconds {
                try (0..<experts).first { expert in
                    try mapped.expert(expert).payload.count != size
                }
            }
            try expect(wrong == nil, "an expert has another length")
            reading.append(Double(experts * size) / spent)
            let differs = concurrentMap(experts, grain: 256) { expert in
                (try? mapped.expert(expert).payload.copy())
                    != encoded(weights(expert, version: 0, count), type)
            }
            try expect(!differs.contains(true), "an earlier version reads back wrong")
        }
        try report("ratio_\(name)", ratios, "ratio")
        try report("compress_bytes_per_second_\(name)", compressing, "count")
        try report("read_bytes_per_second_\(name)", reading, "count")
    }

    private func commit(
        _ store: SnapshotStore, _ parts: [TensorShape], version: Int,
        _ bytes: @Sendable (Int) -> [UInt8]
    ) throws {
        var draft = try CommitDraft(store, tree: Tree(architecture: "benchmark"))
        let header = try ObjectHeader(.neuron, parts)
        var ids: [ObjectID] = []
        for start in stride(from: 0, to: experts, by: 4096) {
            let block = concurrentMap(min(4096, experts - start), grain: 64) { bytes(start + $0) }
            for expert in block { ids.append(try draft.put(header, expert.raw)) }
        }
        let cohort = Cohort(
            kind: .neuron, parts: parts, count: UInt64(experts), experts: draft.putExperts(ids),
            routerKind: .productKey, router: [:])
        draft.tree.layers[0] = Layer(cohorts: [Cohort.base: cohort])
        let head = try store.references().branches["main"]
        _ = try draft.commit(
            to: "main", parents: head.map { [$0] } ?? [], note: Pool.note("version \(version)"))
    }

    /// The trained checkpoints, where they lie beside the repository: an earlier version is what the
    /// next branch trained on.
    private func measureTrained() throws {
        let folder = "../shared/checkpoints/peer-lm"
        guard FileManager.default.fileExists(atPath: folder + "/base/model.safetensors") else {
            return
        }
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Store.create(at: path)
        let names = ["base", "branch-swahili", "branch-metamath"]
        do {
            let store = try Store(path)
            for name in names {
                try store.commit(
                    checkpoint: "\(folder)/\(name)",
                    CommitOptions(message: name, signature: Pool.signature))
            }
        }
        let result = try Store.repack(path, compress: true)
        let store = try Store(path)
        for (back, name) in names.reversed().enumerated() {
            let out = dir + "/out"
            defer { try? FileManager.default.removeItem(atPath: out) }
            _ = try store.export("main~\(back)", to: out)
            try expect(
                FileManager.default.contentsEqual(
                    atPath: out + "/model.safetensors",
                    andPath: "\(folder)/\(name)/model.safetensors"),
                "\(name) is not given back byte for byte")
        }
        try report(
            "ratio_trained_fp32", [Double(result.compressedBytes) / Double(result.rawBytes)],
            "ratio")
    }
}

/// Weights as training leaves them: normal, with a scale of its own for each expert.
private func weights(_ expert: Int, version: Int, _ count: Int) -> [Float] {
    var state = ExpertData.mix(UInt64(expert) &* 2 &+ UInt64(version))
    func uniform() -> Float {
        state &+= 0x9E37_79B9_7F4A_7C15
        return (Float(ExpertData.mix(state) >> 40) + 0.5) * 0x1p-24
    }
    func normal() -> Float {
        (-2 * logf(uniform())).squareRoot() * cosf(2 * .pi * uniform())
    }
    let scale = 0.02 * expf(0.5 * normal())
    return (0..<count).map { _ in scale * normal() }
}

private func encoded(_ values: [Float], _ type: ElementType) -> [UInt8] {
    var encoder = ByteEncoder(capacity: values.count * 4)
    for value in values {
        if type == .f32 {
            encoder.append(value.bitPattern)
        } else {
            encoder.append(FloatCode.bfloat(of: value.bitPattern))
        }
    }
    return encoder.bytes
}
