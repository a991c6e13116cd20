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

    func compress(_ found: Measured) throws {
        for type in [ElementType.f32, .bf16] {
            let name = type == .f32 ? "fp32" : "bf16"
            try measure(found, name, type, .unrelated)
            try measure(found, "successive_\(name)_1e-2", type, .step(1e-2))
            try measure(found, "successive_\(name)_1e-3", type, .step(1e-3))
        }
        try measureTrained(found)
    }

    private func measure(
        _ found: Measured, _ name: String, _ type: ElementType, _ relation: Relation
    ) throws {
        let width = type == .f32 ? 4 : 2
        let count = size / width
        let parts = [TensorShape(type, [count / 2]), TensorShape(type, [count / 2])]
        for _ in 1...rounds {
            defer { try? FileManager.default.removeItem(atPath: path) }
            try Store.create(at: path)
            do {
                let snapshots = try SnapshotStore.open(path)
                for version in 0...1 {
                    try NeuronPool.commit(
                        to: snapshots, count: experts, parts: parts, message: "version \(version)"
                    ) { expert in
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
            found.add(
                "ratio_\(name)", Double(result.compressedBytes) / Double(result.rawBytes),
                unit: "ratio")
            found.add(
                "compress_bytes_per_second_\(name)", Double(result.rawBytes) / time, unit: "count")
            let snapshots = try SnapshotStore.open(path)
            let snapshot = try snapshots.map(try snapshots.resolve("main~1"))
            guard let mapped = snapshot.experts(layer: 0, pool: ExpertPool.base) else {
                throw Failure("no experts")
            }
            let (spent, wrong) = try seconds {
                try (0..<experts).first { expert in
                    try mapped.expert(expert).payload.count != size
                }
            }
            try expect(wrong == nil, "an expert has another length")
            found.add(
                "read_bytes_per_second_\(name)", Double(experts * size) / spent, unit: "count")
            let differs = concurrentMap(experts, grain: 256) { expert in
                (try? mapped.expert(expert).payload.copy())
                    != encoded(weights(expert, version: 0, count), type)
            }
            try expect(!differs.contains(true), "an earlier version reads back wrong")
        }
    }

    /// The trained checkpoints, where they lie beside the repository: an earlier version is what the
    /// next branch trained on.
    private func measureTrained(_ found: Measured) throws {
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
        found.add(
            "ratio_trained_fp32", Double(result.compressedBytes) / Double(result.rawBytes),
            unit: "ratio")
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
