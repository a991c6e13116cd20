internal import Architectures
internal import ArgumentParser
internal import BenchmarkSupport
internal import Elements
internal import Foundation
internal import Models
internal import Routing
internal import Tensors

/// A trained model from a store: `generate COUNT BATCH THREADS`, `text COUNT PATH`,
/// `eval BYTES THREADS`, `recall BYTES`.
struct LanguageCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "language")

    @Option var store: String
    @Option(help: "What eval and recall read.") var text: String
    @Option(help: "A file whose bytes are continued.") var prompt: String

    func run() throws {
        let (config, weights) = try LayerStore.weights(store)
        let description = ModelDescription(config)
        let model = try LanguageModel(description, source: weights)
        let bytes = try read(text)
        let start = try read(prompt).map { Int($0) }
        func generate(_ command: Command) throws -> Figures {
            let (count, batch) = (try command.number(1), try command.number(2))
            let (prompts, threads) = (
                [[Int]](repeating: start, count: batch), try command.number(3)
            )
            let (spent, made) = try seconds {
                try AdaptedModel(model).generate(
                    prompts: prompts, GenerationLimits(count: count), threads: threads)
            }
            try expect(made.allSatisfy { $0.tokens == made[0].tokens }, "a batch differs")
            return ["tokens_per_s": Double(count * batch) / spent]
        }
        func continued(_ command: Command) throws -> Figures {
            let made = try AdaptedModel(model).generate(
                prompts: [start], GenerationLimits(count: command.number(1)))
            try write(made[0].tokens.map { UInt8($0) }, to: command.text(2))
            return [:]
        }
        func evaluate(_ command: Command) throws -> Figures {
            let (limit, threads) = (try command.number(1), try command.number(2))
            let (spent, result) = try seconds {
                try AdaptedModel(model).evaluate(
                    bytes.prefix(limit).map { Int($0) }, threads: threads)
            }
            let tokens = Double(result.windows * config.contextLength)
            return ["ms_per_token": spent / tokens * 1e3, "bits": result.bitsPerToken]
        }
        func recall(_ command: Command) throws -> Figures {
            let fast = try LanguageModel(description, source: QuantizedRouters(weights))
            return try compare(model, fast, bytes, limit: command.number(1))
        }
        try answer(
            [:], ["generate": generate, "text": continued, "eval": evaluate, "recall": recall])
    }

    /// How much of the fp32 routes the int8 routers find, each on its own hidden states, and what that
    /// does to bits per byte.
    private func compare(
        _ exact: LanguageModel, _ fast: LanguageModel, _ bytes: [UInt8], limit: Int
    ) throws -> Figures {
        let window = exact.description.contextLength
        var (kept, all, whole, heads) = (0, 0, 0, 0)
        for start in stride(from: 0, to: min(limit, bytes.count) - window + 1, by: window) {
            var routes: [[Session.RouteRecord]] = []
            for model in [exact, fast] {
                let session = Session(model)
                session.recordsRoutes = true
                _ = try session.append(bytes[start..<start + window].map { Int($0) })
                routes.append(session.routes)
            }
            for (one, two) in zip(routes[0], routes[1]) {
                for (wanted, found) in zip(one.heads, two.heads) {
                    let set = Set(wanted.experts)
                    let count = found.experts.count(where: set.contains)
                    kept += count
                    all += set.count
                    heads += 1
                    if count == set.count { whole += 1 }
                }
            }
        }
        let bits = try [exact, fast].map {
            try AdaptedModel($0).evaluate(bytes.prefix(limit).map { Int($0) }, threads: 2)
                .bitsPerToken
        }
        return [
            "recall": Double(kept) / Double(all), "same_sets": Double(whole) / Double(heads),
            "bits": bits[0], "bits_int8": bits[1], "bits_difference": bits[1] - bits[0],
        ]
    }
}

/// Weights whose routers are quantised row by row.
private struct QuantizedRouters: WeightSource {
    private let source: SnapshotWeights

    init(_ source: SnapshotWeights) { self.source = source }

    func experts(layer: Int) throws -> any ExpertTable {
        try source.experts(layer: layer)
    }

    func tensor(_ name: String) throws -> Weights {
        let isScale = name.hasSuffix(".scale")
        let base = isScale ? String(name.dropLast(6)) : name
        let found = try source.tensor(base)
        let dimensions = found.shape.dimensions
        guard base.hasSuffix(".peer.query.weight") || base.hasSuffix(".peer.sub_keys"),
            found.shape.type == .f32
        else { return found }
        let columns = dimensions[dimensions.count - 1]
        let rows = dimensions.dropLast().reduce(1, *)
        let matrix = Matrix(rows: rows, columns: columns, bytes: found.bytes, type: .f32)
        let (values, scales) = QuantizedMatrix.quantize(matrix)
        if isScale {
            let bytes = unsafe scales.withUnsafeBytes { unsafe Array($0) }
            return Weights(
                shape: TensorShape(.f32, Array(dimensions.dropLast())),
                bytes: MappedBytes(copying: bytes))
        }
        let bytes = values.map { UInt8(bitPattern: $0) }
        return Weights(shape: TensorShape(.i8, dimensions), bytes: MappedBytes(copying: bytes))
    }
}
