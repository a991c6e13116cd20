internal import Architectures
internal import Models
internal import Tensors

/// A layer of SwiGLU experts over some tokens, and its gradient: a linear router, softmax of the picks'
/// scores (Shazeer et al., 1701.06538, without noise), experts down (SiLU(gate x) ⊙ up x) (2002.05202).
///
/// One thread at a time runs it.
final class LinearExpertPass {
    let tokens: Int
    let width: Int
    /// What the experts saw, [tokens, width].
    let input: FloatSlice
    private let sizes: PeerConfig.Linear
    private let routerProduct: TrainedProduct
    private let experts: [(gates: TrainedProduct, down: TrainedProduct)]
    /// Each token's picks, [tokens, topK], and their weights.
    private(set) var selection: [UInt32] = []
    private var weights: [Float] = []
    /// The places of picks, expert by expert, those of one in their order; and where each one's start.
    private var order: [Int] = []
    private var starts: [Int] = []
    /// [tokens, experts].
    private let scores: FloatSlice
    /// One row for each pick, in `order`: inputs, gates and up, inner, outputs; and gradients.
    private let gathered, gates, inner, outputs, gatheredGradients, innerGradients,
        gateGradients: FloatSlice

    var products: [TrainedProduct] {
        [routerProduct] + experts.flatMap { [$0.gates, $0.down] }
    }

    init(
        _ sizes: PeerConfig.Linear, layout: ParameterLayout.LinearExperts, tokens: Int, width: Int
    ) {
        self.sizes = sizes
        self.tokens = tokens
        self.width = width
        routerProduct = TrainedProduct(layout.router, columns: width)
        experts = layout.experts.map {
            (
                TrainedProduct($0.gates, columns: width),
                TrainedProduct($0.down, columns: sizes.width)
            )
        }
        func rows(_ count: Int, _ columns: Int) -> FloatSlice {
            FloatMemory(count: count * columns).slice
        }
        input = rows(tokens, width)
        scores = rows(tokens, sizes.experts)
        let all = tokens * sizes.topK
        (gathered, outputs, gatheredGradients) = (
            rows(all, width), rows(all, width), rows(all, width)
        )
        (inner, innerGradients) = (rows(all, sizes.width), rows(all, sizes.width))
        (gates, gateGradients) = (rows(all, 2 * sizes.width), rows(all, 2 * sizes.width))
    }

    /// out += the layer's output for `input`.
    ///
    /// - Parameter out: [tokens, width].
    func forward(out: FloatSlice) {
        routerProduct.forward(rows(input, width), into: rows(scores, sizes.experts), tokens: tokens)
        pick()
        for (place, pick) in order.enumerated() {
            gathered[row(place, width)].copy(input[row(pick / sizes.topK, width)])
        }
        for (expert, product) in experts.enumerated() where count(expert) > 0 {
            let own = starts[expert]..<starts[expert + 1]
            product.gates.forward(
                some(gathered, width, own), into: some(gates, 2 * sizes.width, own),
                tokens: own.count)
            TrainingKernels.siluRows(
                gates[all(own, 2 * sizes.width)], width: sizes.width,
                into: inner[all(own, sizes.width)])
            product.down.forward(
                some(inner, sizes.width, own), into: some(outputs, width, own), tokens: own.count)
        }
        for (place, pick) in order.enumerated() {
            out[row(pick / sizes.topK, width)].add(outputs[row(place, width)], times: weights[pick])
        }
    }

    /// Picks as `LinearRouter` does, and sorts the picks by expert.
    private func pick() {
        var selection = [UInt32](repeating: 0, count: tokens * sizes.topK)
        var weights = [Float](repeating: 0, count: selection.count)
        var margins = [Float](repeating: 0, count: tokens)
        do {
            var ids = selection.mutableSpan
            var found = weights.mutableSpan
            var edges = margins.mutableSpan
            scores.withSpan {
                Kernels.top($0, ids: &ids, picked: &found, margins: &edges, team: .single)
            }
            Kernels.softmax(&found, width: sizes.topK)
        }
        (self.selection, self.weights) = (selection, weights)
        starts = [Int](repeating: 0, count: sizes.experts + 1)
        for pick in selection { starts[Int(pick) + 1] += 1 }
        for expert in 0..<sizes.experts { starts[expert + 1] += starts[expert] }
        var next = starts
        order = [Int](repeating: 0, count: selection.count)
        for (index, pick) in selection.enumerated() {
            order[next[Int(pick)]] = index
            next[Int(pick)] += 1
        }
    }

    /// Behind `forward`, the router's shares of all experts, those that were not picked too.
    func distribution() -> RouterDistribution {
        let shares = FloatMemory(count: scores.count).slice
        shares.copy(scores)
        shares.withMutableSpan { Kernels.softmax(&$0, width: sizes.experts) }
        return RouterDistribution(shares: shares, width: sizes.experts, choices: tokens)
    }

    /// Sets dinput, and adds the gradients of router and experts.
    ///
    /// - Parameters:
    ///   - dout: [tokens, width].
    ///   - dinput: [tokens, width]; overwritten.
    ///   - gradient: Of all dense weights.
    ///   - scratch: Of the products' greatest ``TrainedProduct/scratchSize``.
    ///   - pull: Of all scores, the gradient besides; nil for none.
    func backward(
        dout: FloatSlice, dinput: FloatSlice, gradient: FloatMemory, scratch: FloatSlice,
        pull: FloatSlice? = nil
    ) {
        dinput.fill(0)
        let weightGradients = weightGradients(dout)
        // The rows of the outputs become their gradients.
        for (place, pick) in order.enumerated() {
            let target = outputs[row(place, width)]
            target.fill(0)
            target.add(dout[row(pick / sizes.topK, width)], times: weights[pick])
        }
        for (expert, product) in experts.enumerated() where count(expert) > 0 {
            let own = starts[expert]..<starts[expert + 1]
            let dy = some(outputs, width, own)
            product.down.addWeightGradient(
                dy, some(inner, sizes.width, own), tokens: own.count, scratch: scratch,
                to: gradient)
            product.down.inputGradient(
                dy, into: some(innerGradients, sizes.width, own), tokens: own.count)
            TrainingKernels.siluRowsBackward(
                gates[all(own, 2 * sizes.width)], dy: innerGradients[all(own, sizes.width)],
                width: sizes.width, into: gateGradients[all(own, 2 * sizes.width)])
            let dgates = some(gateGradients, 2 * sizes.width, own)
            product.gates.addWeightGradient(
                dgates, some(gathered, width, own), tokens: own.count, scratch: scratch,
                to: gradient)
            product.gates.inputGradient(
                dgates, into: some(gatheredGradients, width, own), tokens: own.count)
        }
        for (place, pick) in order.enumerated() {
            dinput[row(pick / sizes.topK, width)].add(gatheredGradients[row(place, width)])
        }
        setScoreGradients(weightGradients)
        if let pull { scores.add(pull) }
        let dscores = rows(scores, sizes.experts)
        routerProduct.addWeightGradient(
            dscores, rows(input, width), tokens: tokens, scratch: scratch, to: gradient)
        routerProduct.inputGradient(
            dscores, into: rows(dinput, width), tokens: tokens, keeping: true)
    }

    /// The gradient of each pick's weight: its output times that of the layer's.
    private func weightGradients(_ dout: FloatSlice) -> [Float] {
        var result = [Float](repeating: 0, count: selection.count)
        for (place, pick) in order.enumerated() {
            var sum: Float = 0
            outputs[row(place, width)].withSpan { output in
                dout[row(pick / sizes.topK, width)].withSpan { gradient in
                    for column in 0..<width { sum += output[column] * gradient[column] }
                }
            }
            result[pick] = sum
        }
        return result
    }

    /// The scores become their gradients: of a softmax w, dsₖ = wₖ (dwₖ - Σ w dw); 0 of what is not picked.
    private func setScoreGradients(_ weightGradients: [Float]) {
        scores.fill(0)
        scores.withMutableSpan { scores in
            for token in 0..<tokens {
                let own = token * sizes.topK..<(token + 1) * sizes.topK
                var mean: Float = 0
                for pick in own { mean += weights[pick] * weightGradients[pick] }
                for pick in own {
                    scores[token * sizes.experts + Int(selection[pick])] =
                        weights[pick] * (weightGradients[pick] - mean)
                }
            }
        }
    }

    private func count(_ expert: Int) -> Int { starts[expert + 1] - starts[expert] }

    private func row(_ index: Int, _ width: Int) -> Range<Int> {
        index * width..<(index + 1) * width
    }

    private func all(_ rows: Range<Int>, _ width: Int) -> Range<Int> {
        rows.lowerBound * width..<rows.upperBound * width
    }

    private func rows(_ x: FloatSlice, _ width: Int) -> FloatRows { FloatRows(x, stride: width) }

    private func some(_ x: FloatSlice, _ width: Int, _ rows: Range<Int>) -> FloatRows {
        FloatRows(x[all(rows, width)], stride: width)
    }
}
