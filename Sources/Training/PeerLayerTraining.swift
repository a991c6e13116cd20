package import Architectures
internal import Models
internal import Synchronization
package import Tensors

/// One PEER layer of any size that learns to give certain outputs: gradient descent on the rows of the
/// experts that a batch picked, in place and without moments, and Adam on the router.
///
/// The loss is half the squared distance to the targets, divided by the tokens.
package final class PeerLayerTraining: Sendable {
    /// Query [heads keySize, width], then sub-keys [sets, 2, subKeys, keySize / 2].
    package let router: FloatMemory
    /// [experts, 2, width].
    package let table: FloatMemory
    /// What the last step computed: outputs and the gradient of the inputs, [tokens, width].
    package let outputs, inputGradients: FloatMemory
    private let width: Int
    private let parts: [Part]
    private let first, second: FloatMemory
    private let team: ThreadTeam

    private struct Part: Sendable {
        let tokens: Range<Int>
        let pass: ExpertPass
        let gradient: FloatMemory
        let outputGradient: FloatSlice
        let scratch: FloatSlice
    }

    /// - Parameters:
    ///   - keySets: 1, or one for each head.
    ///   - tokens: Of a batch; divided among `team.count` parts, on which the bits depend.
    package init(
        _ sizes: PeerConfig.Peer, width: Int, keySets: Int, tokens: Int, team: ThreadTeam
    ) {
        precondition(tokens >= team.count, "\(tokens) tokens for \(team.count) parts")
        let query = 0..<sizes.heads * sizes.keySize * width
        let keys = keySets * sizes.subKeys * sizes.keySize
        let count = query.upperBound + keys
        router = FloatMemory(count: count)
        first = FloatMemory(count: count)
        second = FloatMemory(count: count)
        table = FloatMemory(count: sizes.expertCount * 2 * width)
        outputs = FloatMemory(count: tokens * width)
        inputGradients = FloatMemory(count: tokens * width)
        parts = (0..<team.count).map { index in
            let own = tokens * index / team.count..<tokens * (index + 1) / team.count
            let pass = ExpertPass(
                ProductKeyPass(
                    sizes, query: query, subKeys: query.upperBound..<query.upperBound + keys,
                    tokens: own.count, width: width), tokens: own.count, width: width)
            return Part(
                tokens: own, pass: pass, gradient: FloatMemory(count: count),
                outputGradient: FloatMemory(count: own.count * width).slice,
                scratch: FloatMemory(count: pass.products.map(\.scratchSize).max() ?? 0).slice)
        }
        self.width = width
        self.team = team
    }

    /// The gradient of the router in the last step.
    package var routerGradient: FloatSlice { parts[0].gradient.slice }

    /// Computes outputs, gradients and the new weights.
    ///
    /// - Parameters:
    ///   - number: Of the step, from 1.
    ///   - inputs: [tokens, width], as `targets`.
    ///   - expertRate: Of gradient descent.
    ///   - routerRate: Of Adam (0.9, 0.98).
    /// - Returns: The loss before the step.
    package func step(
        _ number: Int, inputs: FloatSlice, targets: FloatSlice, expertRate: Float,
        routerRate: Float
    ) -> Double {
        precondition(
            inputs.count == outputs.count && targets.count == outputs.count,
            "\(inputs.count) inputs and \(targets.count) targets for \(outputs.count)")
        let experts = table.count / (2 * width)
        let found = Mutex([PicksByExpert?](repeating: nil, count: parts.count))
        team.forEach(parts.count) { index in
            run(parts[index], inputs, targets)
            let picks = PicksByExpert(parts[index].pass.picks?.ids ?? [], count: experts)
            found.withLock { $0[index] = picks }
        }
        let sorted = found.withLock { $0.compactMap { $0 } }
        let tokens = Double(outputs.count / width)
        let loss = parts.reduce(0.0) {
            $0 + TrainingKernels.squareSum($1.outputGradient) * tokens / 2
        }
        let rule = AdamStep(
            step: number, scale: 1, rate: routerRate, beta1: 0.9, beta2: 0.98, epsilon: 1e-8,
            decay: 0)
        let (pieces, blocks) = (32, 64)
        team.forEach(pieces + blocks) { index in
            if index < pieces {
                updateRouter(index, of: pieces, rule)
            } else {
                let block = index - pieces
                updateExperts(
                    experts * block / blocks..<experts * (block + 1) / blocks, sorted,
                    expertRate)
            }
        }
        return loss
    }

    private func run(_ part: Part, _ inputs: FloatSlice, _ targets: FloatSlice) {
        let rows = part.tokens.lowerBound * width..<part.tokens.upperBound * width
        for product in part.pass.products { product.packForward(router) }
        for product in part.pass.backwardProducts { product.packBackward(router) }
        part.pass.input.copy(inputs[rows])
        let out = outputs[rows]
        out.fill(0)
        part.pass.forward(weights: router, table: table.slice, out: out)
        let scale = Float(width) / Float(outputs.count)
        part.outputGradient.fill(0)
        part.outputGradient.add(out, times: scale)
        part.outputGradient.add(targets[rows], times: -scale)
        part.gradient.slice.fill(0)
        part.pass.backward(
            weights: router, table: table.slice, dout: part.outputGradient,
            dinput: inputGradients[rows], gradient: part.gradient, scratch: part.scratch)
    }

    private func updateRouter(_ piece: Int, of pieces: Int, _ rule: AdamStep) {
        let range = router.count * piece / pieces..<router.count * (piece + 1) / pieces
        let sum = parts[0].gradient[range]
        for part in parts.dropFirst() { sum.add(part.gradient[range]) }
        TrainingKernels.adam(
            router[range], gradient: sum, m: first[range], v: second[range], rule: rule)
    }

    private func updateExperts(_ range: Range<Int>, _ sorted: [PicksByExpert], _ rate: Float) {
        for (part, picks) in zip(parts, sorted) {
            let own = picks.count(below: range.lowerBound)..<picks.count(below: range.upperBound)
            part.pass.addRowGradients(
                picks, own, to: table.slice, at: Array(picks.experts[own]), scale: -rate)
        }
    }
}
