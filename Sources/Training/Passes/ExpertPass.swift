internal import Architectures
internal import Models
internal import Tensors

/// What picks neurons in training: forward and backward of a router over some tokens.
///
/// One thread at a time runs it.
protocol RouterPass: AnyObject {
    /// Picks of all heads.
    var picksPerToken: Int { get }
    /// Those whose scores have one softmax.
    var picksPerHead: Int { get }
    /// Those that `route` reads.
    var products: [TrainedProduct] { get }
    /// Those that `backward` reads as well.
    var backwardProducts: [TrainedProduct] { get }

    /// The picks of each token, and the softmax of their scores.
    ///
    /// - Parameters:
    ///   - input: [tokens, width].
    ///   - weights: All dense ones.
    func route(_ input: FloatSlice, weights: FloatMemory) -> (ids: [UInt32], gates: FloatSlice)

    /// Behind `route`, the shares of all alternatives, in rows that are 1 together; nil of a router without.
    func distribution() -> RouterDistribution?

    /// Adds the router's gradients, and that of its inputs.
    ///
    /// - Parameters:
    ///   - ids: What `route` picked for `input`.
    ///   - scores: The gradient of each pick's score.
    ///   - dinput: [tokens, width].
    ///   - gradient: Of all dense weights.
    ///   - scratch: Of the products' greatest ``TrainedProduct/scratchSize``.
    ///   - pull: Of the scores of all alternatives, the gradient besides; nil for none.
    func backward(
        _ ids: [UInt32], scores: FloatSlice, input: FloatSlice, weights: FloatMemory,
        dinput: FloatSlice, gradient: FloatMemory, scratch: FloatSlice, pull: FloatSlice?)
}

/// What a router thinks of all its experts for some tokens: a softmax for each independent choice.
///
/// The two halves of product keys choose apart: the distribution over their pairs is the product of two, and its
/// divergence the sum of theirs.
struct RouterDistribution {
    /// [rows, width].
    let shares: FloatSlice
    let width: Int
    /// Choices of all experts, over which the divergence is a mean: tokens, or tokens times heads.
    let choices: Int

    /// KL(old, this), a mean over the choices, in nats; and the gradient of `weight` times it by the scores, which
    /// takes the place of the shares.
    ///
    /// - Parameter old: Of the same router.
    func pull(to old: RouterDistribution, weight: Float) -> (
        divergence: Double, gradient: FloatSlice
    ) {
        let scale = weight / Float(choices)
        var sum = 0.0
        old.shares.withSpan { old in
            shares.withMutableSpan { own in
                for index in own.indices {
                    if old[index] > 0 {
                        sum +=
                            Double(old[index])
                            * Double(Kernels.log(old[index]) - Kernels.log(max(own[index], 1e-38)))
                    }
                    own[index] = scale * (own[index] - old[index])
                }
            }
        }
        return (sum / Double(choices), shares)
    }
}

/// A layer of neurons over some tokens, and its gradient (2407.04153): a router, and what it picked.
///
/// One thread at a time runs it; several may then read it. The team that shares a step out waits for all
/// of its parts (`ThreadTeam.forEach`) before anything else is read, which the compiler cannot see (SE-0302,
/// "Unchecked Sendable").
final class ExpertPass: @unchecked Sendable {
    let tokens: Int
    let width: Int
    /// What the neurons saw, [tokens, width].
    let input: FloatSlice
    /// The gradient of what they gave, [tokens, width], kept for the rows' gradients.
    let outputGradient: FloatSlice
    private(set) var selection: NeuronSelection?
    private let router: any RouterPass

    /// Those that `forward` reads.
    var products: [TrainedProduct] { router.products }
    /// Those that `backward` reads as well.
    var backwardProducts: [TrainedProduct] { router.backwardProducts }

    init(_ router: any RouterPass, tokens: Int, width: Int) {
        self.router = router
        self.tokens = tokens
        self.width = width
        func rows(_ columns: Int) -> FloatSlice { FloatMemory(count: tokens * columns).slice }
        (input, outputGradient) = (rows(width), rows(width))
    }

    /// Of a model's layer.
    convenience init(_ config: PeerConfig, layout: ParameterLayout.Experts, tokens: Int) {
        let width = config.hiddenSize
        let router: any RouterPass =
            switch (layout.router, config.peer, config.tree) {
            case (.productKey(let query, let subKeys), let sizes?, _):
                ProductKeyPass(sizes, query: query, subKeys: subKeys, tokens: tokens, width: width)
            case (.digits(let weights, let biases), let sizes?, _):
                DigitPass(sizes, weights: weights, biases: biases, tokens: tokens, width: width)
            case (.tree(let levels, let biases), _, let sizes?):
                TreePass(sizes, levels: levels, biases: biases, tokens: tokens, width: width)
            default: preconditionFailure("a layout of another config")
            }
        self.init(router, tokens: tokens, width: width)
    }

    /// out += the layer's output for `input`.
    ///
    /// - Parameters:
    ///   - weights: All dense ones.
    ///   - table: [experts, 2, width].
    ///   - out: [tokens, width].
    func forward(weights: FloatMemory, table: FloatSlice, out: FloatSlice) {
        let (ids, gates) = router.route(input, weights: weights)
        let selection = NeuronSelection(ids: ids, gates: gates, perToken: router.picksPerToken)
        selection.forward(table: table, x: input, out: out, width: width)
        self.selection = selection
    }

    /// Sets dinput, and adds the router's gradients; the neurons' come from ``addRowGradients``.
    ///
    /// - Parameters:
    ///   - weights: All dense ones.
    ///   - dout: [tokens, width].
    ///   - dinput: [tokens, width]; overwritten.
    ///   - gradient: Of all dense weights.
    ///   - scratch: Of the products' greatest ``TrainedProduct/scratchSize``.
    ///   - pull: As of ``RouterPass/backward``.
    func backward(
        weights: FloatMemory, table: FloatSlice, dout: FloatSlice, dinput: FloatSlice,
        gradient: FloatMemory, scratch: FloatSlice, pull: FloatSlice? = nil
    ) {
        guard let selection else { return }
        outputGradient.copy(dout)
        dinput.fill(0)
        selection.backward(table: table, dout: dout, dx: dinput, width: width)
        let scores = FloatMemory(count: selection.ids.count).slice
        selection.scoreGradients(width: router.picksPerHead, into: scores)
        router.backward(
            selection.ids, scores: scores, input: input, weights: weights, dinput: dinput,
            gradient: gradient, scratch: scratch, pull: pull)
    }

    /// As ``RouterPass/distribution()``.
    func distribution() -> RouterDistribution? { router.distribution() }

    /// Adds `scale` times the gradients of some experts to their rows.
    ///
    /// - Parameters:
    ///   - sorted: The picks of this pass.
    ///   - range: Of `sorted.experts`.
    ///   - rows: [n, 2, width].
    ///   - targets: Which of `rows` each expert's are.
    func addRowGradients(
        _ sorted: SelectionByExpert, _ range: Range<Int>, to rows: FloatSlice, at targets: [UInt32],
        scale: Float
    ) {
        selection?.addRowGradients(
            order: sorted.order, starts: sorted.starts[range.lowerBound...range.upperBound],
            targets: targets, x: input, dout: outputGradient, width: width, scale: scale, to: rows)
    }
}
