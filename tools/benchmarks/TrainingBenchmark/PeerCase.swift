internal import Architectures
internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
internal import Models
internal import Tensors
internal import Training

/// Steps of one PEER layer with sub-keys of its own for each head, of width 256, 8 heads and k = 16,
/// on the numbers of `peers/data.py`: `time STEPS START` gives µs a token, `answer PATH` takes one step
/// and writes outputs, the router's gradients and the rows of some experts.
struct PeerCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "peer")

    @Option(help: "Sub-keys per side.") var keys = 1024
    @Option(help: "Tokens in a batch.") var batch = 512
    @Option(help: "Threads, each with its part of a step.") var threads = 2

    private static let hidden = 256
    private static let heads = 8
    private static let half = 128
    private static let tokens = 8192

    func run() throws {
        let json = """
            {"architecture": "peer-lm", "vocab_size": 256, "hidden_size": \(Self.hidden),
             "num_layers": 1, "num_heads": 4, "context_length": 256, "ffn_size": 256,
             "rms_norm_eps": 1e-5, "rope_theta": 10000, "peer_layers": [0],
             "peer": {"sub_keys": \(keys), "heads": \(Self.heads), "top_k": 16,
              "key_size": \(2 * Self.half)}}
            """
        guard let sizes = try PeerConfig(json: Array(json.utf8)).peer else {
            throw Failure("no sizes")
        }
        let layer = PeerLayerTraining(
            sizes, width: Self.hidden, keySets: Self.heads, tokens: batch,
            team: ThreadTeam(count: threads))
        fill(layer)
        let count = Self.tokens * Self.hidden
        let (x, y) = (FloatMemory(count: count), FloatMemory(count: count))
        x.slice.copy(Noise.floats(tag: 4 << 40, count: count, scale: 1.732))
        y.slice.copy(Noise.floats(tag: 5 << 40, count: count, scale: 1))
        var taken = 0
        func step(_ number: Int) -> Double {
            let first = number * batch % (Self.tokens - batch + 1) * Self.hidden
            let range = first..<first + batch * Self.hidden
            taken += 1
            return layer.step(
                taken, inputs: x[range], targets: y[range], expertRate: 1, routerRate: 1e-3)
        }
        try answer([:]) { words in
            switch words.first {
            case "time":
                let (steps, start) = (try number(words, 1), try number(words, 2))
                var loss = 0.0
                let processor = processorSeconds()
                let (spent, _) = seconds {
                    for index in 0..<steps { loss = step(start + index) }
                }
                let tokens = Double(steps * batch)
                return [
                    "us": spent / tokens * 1e6, "loss": loss,
                    "cpu_us": (processorSeconds() - processor) / tokens * 1e6,
                ]
            case "answer":
                guard words.count == 2 else { throw Failure("'answer' needs a path") }
                let loss = step(0)
                var data = Data()
                for values in [
                    layer.outputs.slice, layer.inputGradients.slice, layer.routerGradient,
                    layer.table[0..<min(layer.table.count, 1 << 22)],
                ] {
                    unsafe values.array.withUnsafeBytes { unsafe data.append(contentsOf: $0) }
                }
                try data.write(to: URL(filePath: words[1]))
                return ["loss": loss]
            default: throw Failure("there is no command '\(words.joined(separator: " "))'")
            }
        }
    }

    private func fill(_ layer: PeerLayerTraining) {
        let query = Self.heads * 2 * Self.half * Self.hidden
        layer.router[0..<query].copy(Noise.floats(tag: 1 << 40, count: query, scale: 0.108))
        let side = keys * Self.half
        for head in 0..<Self.heads {
            for index in 0..<2 {
                let start = query + (2 * head + index) * side
                layer.router[start..<start + side].copy(
                    Noise.floats(
                        tag: UInt64(2 + index) << 40 + UInt64(head), count: side, scale: 0.153))
            }
        }
        var row = [Float](repeating: 0, count: 2 * Self.hidden)
        for expert in 0..<keys * keys {
            var span = row.mutableSpan
            Noise.fill(&span, state: ExpertData.mix(UInt64(expert)), scale: 0.108)
            layer.table[expert * row.count..<(expert + 1) * row.count].copy(row)
        }
    }
}
