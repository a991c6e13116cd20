internal import Routing
internal import Tensors

/// How well each of some models predicted a text so far, and what each of them predicts next.
struct LikelihoodState {
    private let gate: LikelihoodGate
    private var scores: [Int]
    /// By model the logits behind the last token, [vocabulary]; empty before the first.
    private var rows: [[Float]]

    init(_ gate: LikelihoodGate) {
        self.gate = gate
        scores = gate.start
        rows = [[Float]](repeating: [], count: gate.modelCount)
    }

    var weights: [UInt64] { gate.weights(scores) }

    /// A model's logits for the next token.
    func row(of model: Int) -> [Float] { rows[model] }

    /// Takes a token in.
    ///
    /// - Parameters:
    ///   - logits: By model, [tokens, vocabulary].
    ///   - row: The token's, of `count`.
    mutating func advance(_ token: Int, _ logits: [[Float]], row: Int, of count: Int) {
        // Nothing predicted the first.
        if rows.allSatisfy({ !$0.isEmpty }) {
            gate.advance(&scores, rows.map { Self.probability(of: token, $0) })
        }
        for (model, all) in logits.enumerated() {
            let width = all.count / count
            rows[model] = Array(all[row * width..<(row + 1) * width])
        }
    }

    private static func probability(of token: Int, _ row: [Float]) -> Float {
        var probabilities = row
        var span = probabilities.mutableSpan
        Kernels.softmax(&span, width: row.count)
        return probabilities[token]
    }
}
