import Architectures
import Elements
import Glibc
import Models
import Tensors

/// The peer-lm forward pass as plainly as it can be written.
///
/// One token after another, every sum a loop in double, every expert of the grid scored. It is the
/// specification that the real forward pass is tested against, not a way to run a model.
struct ReferenceForward {
    let config: PeerConfig
    let source: any WeightSource

    typealias Vector = [Double]

    /// Logits of every position: [tokens][256].
    func logits(_ bytes: [UInt8]) throws -> [Vector] {
        let embedding = try matrix("model.embed_tokens.weight")
        var x = bytes.map { embedding[Int($0)] }
        for layer in 0..<config.layerCount {
            try attend(layer, &x)
            for token in x.indices {
                x[token] = add(x[token], try feedForward(layer, x[token]))
                if config.peerLayers.contains(layer) {
                    x[token] = add(x[token], try experts(layer, x[token]))
                }
            }
        }
        let head = try matrix("lm_head.weight")
        let norm = try vector("model.norm.weight")
        return x.map { multiply(head, normalise($0, norm)) }
    }

    // x += o_proj(softmax(q k / sqrt(headSize)) v), causal, per head.
    private func attend(_ layer: Int, _ x: inout [Vector]) throws {
        let name = "model.layers.\(layer)"
        let norm = try vector("\(name).input_layernorm.weight")
        let normed = x.map { normalise($0, norm) }
        let projections = try ["q_proj", "k_proj", "v_proj", "o_proj"].map {
            try matrix("\(name).self_attn.\($0).weight")
        }
        let queries = normed.enumerated().map { rotate(multiply(projections[0], $1), at: $0) }
        let keys = normed.enumerated().map { rotate(multiply(projections[1], $1), at: $0) }
        let values = normed.map { multiply(projections[2], $0) }
        let size = config.headSize
        for token in x.indices {
            var mixed = Vector(repeating: 0, count: config.hiddenSize)
            for head in 0..<config.headCount {
                let range = head * size..<(head + 1) * size
                let scores = (0...token).map { past in
                    dot(Array(queries[token][range]), Array(keys[past][range]))
                        / Double(size).squareRoot()
                }
                for (past, weight) in softmax(scores).enumerated() {
                    for i in range { mixed[i] += weight * values[past][i] }
                }
            }
            x[token] = add(x[token], multiply(projections[3], mixed))
        }
    }

    // down(silu(gate(x)) * up(x))
    private func feedForward(_ layer: Int, _ x: Vector) throws -> Vector {
        let name = "model.layers.\(layer)"
        let normed = normalise(x, try vector("\(name).post_attention_layernorm.weight"))
        let gate = multiply(try matrix("\(name).mlp.gate_proj.weight"), normed)
        let up = multiply(try matrix("\(name).mlp.up_proj.weight"), normed)
        let intermediateSize = zip(gate, up).map { $0 / (1 + exp(-$0)) * $1 }
        return multiply(try matrix("\(name).mlp.down_proj.weight"), intermediateSize)
    }

    // The sum over heads and their top-k experts of weight * gelu(u . x) * v.
    private func experts(_ layer: Int, _ x: Vector) throws -> Vector {
        guard let peer = config.peer else { return Vector(repeating: 0, count: x.count) }
        let name = "model.layers.\(layer)"
        let normed = normalise(x, try vector("\(name).peer_layernorm.weight"))
        let queries = multiply(try matrix("\(name).peer.query.weight"), normed)
        let keys = try matrix("\(name).peer.sub_keys")
        let table = try source.experts(layer: layer)
        let half = peer.keySize / 2
        var sum = Vector(repeating: 0, count: x.count)
        for head in 0..<peer.heads {
            let query = Array(queries[head * peer.keySize..<(head + 1) * peer.keySize])
            let first = normaliseHalf(Array(query[..<half]))
            let second = normaliseHalf(Array(query[half...]))
            let a = (0..<peer.subKeys).map { dot(first, keys[$0]) }
            let b = (0..<peer.subKeys).map { dot(second, keys[peer.subKeys + $0]) }
            var grid = a.flatMap { high in b.map { low in high + low } }
            var selection: [(id: Int, score: Double)] = []
            for _ in 0..<peer.topK {
                guard let best = grid.max(), let id = grid.firstIndex(of: best) else { continue }
                selection.append((id, best))
                grid[id] = -.infinity
            }
            for (pick, weight) in zip(selection, softmax(selection.map(\.score))) {
                let (u, v) = try rows(table, pick.id)
                let h = dot(u, normed)
                let activation = h * erfc(-h / 2.0.squareRoot()) / 2
                for i in sum.indices { sum[i] += weight * activation * v[i] }
            }
        }
        return sum
    }

    private func rotate(_ x: Vector, at position: Int) -> Vector {
        var y = x
        let (size, half) = (config.headSize, config.headSize / 2)
        for head in 0..<config.headCount {
            for i in 0..<half {
                let angle =
                    Double(position) / pow(config.ropeTheta, 2 * Double(i) / Double(size))
                let (a, b) = (x[head * size + i], x[head * size + i + half])
                y[head * size + i] = a * cos(angle) - b * sin(angle)
                y[head * size + i + half] = b * cos(angle) + a * sin(angle)
            }
        }
        return y
    }

    private func normalise(_ x: Vector, _ weight: Vector) -> Vector {
        let mean = dot(x, x) / Double(x.count)
        let scale = 1 / (mean + Double(config.normEpsilon)).squareRoot()
        return zip(x, weight).map { $0 * scale * $1 }
    }

    private func normaliseHalf(_ x: Vector) -> Vector {
        let scale = 1 / (dot(x, x) / Double(x.count) + 1e-6).squareRoot()
        return x.map { $0 * scale }
    }

    private func softmax(_ x: Vector) -> Vector {
        let largest = x.max() ?? 0
        let weights = x.map { exp($0 - largest) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }

    private func dot(_ x: Vector, _ y: Vector) -> Double {
        var sum = 0.0
        for i in x.indices { sum += x[i] * y[i] }
        return sum
    }

    private func add(_ x: Vector, _ y: Vector) -> Vector { zip(x, y).map { $0 + $1 } }

    private func multiply(_ w: [Vector], _ x: Vector) -> Vector { w.map { dot($0, x) } }

    /// A tensor as rows: all dimensions but the last, flattened.
    private func matrix(_ name: String) throws -> [Vector] {
        let weights = try source.tensor(name)
        let width = weights.shape.dimensions.last ?? 1
        let values = floats(weights.bytes.bytes, weights.shape.type)
        return stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
    }

    private func vector(_ name: String) throws -> Vector { try matrix(name)[0] }

    private func rows(_ table: any ExpertTable, _ id: Int) throws -> (u: Vector, v: Vector) {
        var values: Vector = []
        let ids = [UInt32(id)]
        try table.visit(ids.span) { _, bytes in values = floats(bytes, table.parts[0].type) }
        return (Array(values[..<config.hiddenSize]), Array(values[config.hiddenSize...]))
    }

    private func floats(_ bytes: RawSpan, _ type: ElementType) -> Vector {
        var values = [Float](repeating: 0, count: bytes.byteCount * 8 / type.bitWidth)
        do {
            var span = values.mutableSpan
            convertToFloat(bytes, type: type, into: &span)
        }
        return values.map(Double.init)
    }
}
