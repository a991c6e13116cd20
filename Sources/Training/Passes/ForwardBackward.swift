internal import Architectures
internal import Models
internal import Routing
package import Tensors

/// The whole model over some windows, forward and backward, in memory that one thread at a time uses.
///
/// Each part of a step has one of its own; `ThreadTeam.forEach` waits for all of them before their
/// gradients are read, which the compiler cannot see (SE-0302, "Unchecked Sendable").
package final class ForwardBackward: @unchecked Sendable {
    private let model: TrainableModel
    private let windows: Int
    package let length: Int
    /// Whether the expert layers run; an adapter may leave them out.
    private let usesExperts: Bool
    /// The gradient of every dense tensor, by the model's layout.
    package let gradient: FloatMemory
    private let layers: [Layer]
    private let head: TrainedProduct
    /// [tokens, hidden]: the residual behind the last layer, its norm, and gradients.
    private let last, normed, residualGradient, spare: FloatSlice
    /// [tokens, 256].
    package let logits: FloatSlice
    private let gradients: Scratch
    private let productScratch: FloatSlice
    /// Rows in front of layers, ascending.
    let hashPasses: [HashPass]
    private let router: HashRouter?
    /// The rows of each token, [tokens, orders], behind `forward`; empty when there are none.
    private(set) var rowPicks: [UInt32] = []
    /// Which tokens go without the rows of their longer n-grams, and how many of all; nil for none.
    var rowDrop: (share: Double, draw: UInt64)?

    /// The products of one block, and the activations that its way back needs.
    private struct Layer {
        let attentionProduct, outputProduct, gateProduct, downProduct: TrainedProduct
        let input, normed, projections, attended: FloatSlice
        let middle, middleNormed, gates, inner: FloatSlice
        let expertInput: FloatSlice?
        let attention: AttentionPass
        let experts: ExpertPass?
        let linear: LinearExpertPass?

        private var dense: [TrainedProduct] {
            [attentionProduct, outputProduct, gateProduct, downProduct]
        }
        var products: [TrainedProduct] {
            dense + (experts?.products ?? []) + (linear?.products ?? [])
        }
        /// Those whose inputs' gradients are products as well.
        var backwardProducts: [TrainedProduct] {
            dense + (experts?.backwardProducts ?? []) + (linear?.products ?? [])
        }
    }

    /// Gradients that every block reuses.
    private struct Scratch {
        let projections, attended, gates, inner: FloatSlice
    }

    private var tokens: Int { windows * length }
    private var width: Int { model.config.hiddenSize }

    /// - Parameters:
    ///   - windows: Texts of a batch.
    ///   - length: Bytes of each that predict the next one; at most the context length.
    package init(model: TrainableModel, windows: Int, length: Int, usesExperts: Bool) {
        let config = model.config
        precondition(
            windows >= 1 && length >= 1 && length <= config.contextLength,
            "\(windows) windows of \(length) bytes")
        self.model = model
        self.windows = windows
        self.length = length
        self.usesExperts = usesExperts
        let (tokens, width, wide) = (windows * length, config.hiddenSize, config.feedForwardSize)
        func rows(_ columns: Int) -> FloatSlice { FloatMemory(count: tokens * columns).slice }
        func hidden() -> FloatSlice { rows(width) }
        let rotations = AttentionPass.Rotations(
            windows: windows, length: length, headSize: config.headSize, theta: config.ropeTheta)
        let scratch = FloatMemory(
            count: CausalAttention.scratchSize(length: length, headSize: config.headSize)
        ).slice
        let layers = model.layout.blocks.map { block in
            let experts = usesExperts ? block.experts : nil
            let pass = experts.map { ExpertPass(config, layout: $0, tokens: tokens) }
            let linear = (usesExperts ? block.linear : nil).flatMap { layout in
                config.linear.map {
                    LinearExpertPass($0, layout: layout, tokens: tokens, width: width)
                }
            }
            return Layer(
                attentionProduct: TrainedProduct(block.projections, columns: width),
                outputProduct: TrainedProduct(block.output, columns: width),
                gateProduct: TrainedProduct(block.gates, columns: width),
                downProduct: TrainedProduct(block.down, columns: wide),
                input: hidden(), normed: hidden(), projections: rows(3 * width),
                attended: hidden(), middle: hidden(), middleNormed: hidden(),
                gates: rows(2 * wide), inner: rows(wide),
                expertInput: pass == nil && linear == nil ? nil : hidden(),
                attention: AttentionPass(
                    windows: windows, heads: config.headCount, rotations: rotations,
                    scratch: scratch),
                experts: pass, linear: linear)
        }
        self.layers = layers
        head = TrainedProduct(model.layout.head, columns: width)
        (last, normed, residualGradient, spare) = (hidden(), hidden(), hidden(), hidden())
        logits = rows(256)
        gradients = Scratch(
            projections: rows(3 * width), attended: hidden(), gates: rows(2 * wide),
            inner: rows(wide))
        productScratch =
            FloatMemory(
                count: (layers.flatMap(\.backwardProducts) + [head]).map(\.scratchSize).max() ?? 0
            ).slice
        gradient = FloatMemory(count: model.layout.count)
        router = config.hash?.router
        hashPasses = model.rows.map { HashPass($0, tokens: tokens, width: width) }
    }

    /// The passes of the expert layers, in ascending layers, for the gradients of their rows.
    var expertPasses: [ExpertPass] { layers.compactMap(\.experts) }

    /// What each expert layer picked, [tokens, heads topK], behind `forward`.
    package var selection: [[UInt32]] {
        expertPasses.map { $0.selection?.ids ?? [] } + layers.compactMap { $0.linear?.selection }
    }

    /// The gradients of the experts' rows of each expert layer, behind `backward`.
    package func expertRowGradients() -> [ExpertGradient] {
        expertPasses.map {
            ExpertGradient([$0], count: model.config.expertCount, team: .single)
        }
    }

    /// The gradient of what each layer's hashed experts were added to, [tokens, hidden], behind `backward`.
    package func rowGradient(_ slot: Int) -> FloatSlice { hashPasses[slot].gradient }

    /// Sets `logits`.
    ///
    /// - Parameters:
    ///   - inputs: [windows, length].
    ///   - isChanged: False when the weights are those of the last call.
    package func forward(_ inputs: [UInt8], isChanged: Bool = true) {
        precondition(inputs.count == tokens, "\(inputs.count) bytes for \(tokens) tokens")
        let layout = model.layout
        let weights = model.weights
        if isChanged {
            for layer in layers { for product in layer.products { product.packForward(weights) } }
            head.packForward(weights)
        }
        let embedding = weights[layout.embedding]
        let first = layers[0].input
        for (token, byte) in inputs.enumerated() {
            let row = Int(byte) * width
            first[token * width..<(token + 1) * width].copy(embedding[row..<row + width])
        }
        route(inputs)
        for (index, block) in layout.blocks.enumerated() {
            if let rows = rows(before: index) {
                rows.forward(rowPicks, perToken: rowPicks.count / tokens, out: layers[index].input)
            }
            let next = index + 1 < layers.count ? layers[index + 1].input : last
            forward(layers[index], block, into: next)
        }
        norm(last, layout.finalNorm, into: normed)
        head.forward(rows(normed), into: rows(logits), tokens: tokens)
    }

    /// Finds the rows of each window, which begins as a text does.
    private func route(_ inputs: [UInt8]) {
        guard let router else { return }
        rowPicks = (0..<windows).flatMap { window in
            router.rows(of: Array(inputs[window * length..<(window + 1) * length]))
        }
        guard let rowDrop, rowDrop.share > 0 else { return }
        var noise = SplitMix64(seed: rowDrop.draw)
        let (orders, none) = (router.picksPerToken, UInt32(router.expertCount))
        for token in 0..<rowPicks.count / orders where noise.nextUnit() < rowDrop.share {
            // As in a text that has n-grams which no text had: the longer ones are missing.
            let kept = Int(noise.nextUnit() * Double(orders))
            for place in token * orders + kept..<(token + 1) * orders { rowPicks[place] = none }
        }
    }

    private func rows(before layer: Int) -> HashPass? {
        model.config.hash?.layers.firstIndex(of: layer).map { hashPasses[$0] }
    }

    private func forward(_ layer: Layer, _ block: ParameterLayout.Block, into next: FloatSlice) {
        norm(layer.input, block.attentionNorm, into: layer.normed)
        layer.attentionProduct.forward(
            rows(layer.normed), into: rows(layer.projections), tokens: tokens)
        layer.attention.forward(layer.projections, into: layer.attended)
        layer.middle.copy(layer.input)
        layer.outputProduct.forward(
            rows(layer.attended), into: rows(layer.middle), tokens: tokens, keeping: true)
        norm(layer.middle, block.feedForwardNorm, into: layer.middleNormed)
        layer.gateProduct.forward(rows(layer.middleNormed), into: rows(layer.gates), tokens: tokens)
        TrainingKernels.siluRows(
            layer.gates, width: model.config.feedForwardSize, into: layer.inner)
        let out = layer.expertInput ?? next
        out.copy(layer.middle)
        layer.downProduct.forward(rows(layer.inner), into: rows(out), tokens: tokens, keeping: true)
        if let linear = layer.linear, let layout = block.linear {
            norm(out, layout.norm, into: linear.input)
            next.copy(out)
            return linear.forward(out: next)
        }
        guard let pass = layer.experts, let experts = block.experts else { return }
        norm(out, experts.norm, into: pass.input)
        next.copy(out)
        pass.forward(weights: model.weights, table: table(experts), out: next)
    }

    /// Adds the gradient of `scale` times the sum of the targets' -ln p to `gradient`.
    ///
    /// `forward` comes first; `logits` become their own gradient.
    ///
    /// - Parameters:
    ///   - targets: [windows, length].
    ///   - adjust: May change the gradient of the logits before it goes on.
    /// - Returns: The sum itself, in nats.
    package func backward(
        _ inputs: [UInt8], targets: [UInt8], scale: Float, adjust: ((FloatSlice) -> Void)? = nil
    ) -> Double {
        let layout = model.layout
        let nats = TrainingKernels.crossEntropyBackward(logits, targets: targets, scale: scale)
        adjust?(logits)
        for layer in layers {
            for product in layer.backwardProducts { product.packBackward(model.weights) }
        }
        head.packBackward(model.weights)
        backward(head, logits, normed, into: spare)
        residualGradient.fill(0)
        normBackward(last, layout.finalNorm, dy: spare)
        for (index, block) in layout.blocks.enumerated().reversed() {
            backward(layers[index], block)
            rows(before: index)?.backward(residualGradient)
        }
        let embedding = gradient[layout.embedding]
        for (token, byte) in inputs.enumerated() {
            let row = Int(byte) * width
            embedding[row..<row + width].add(residualGradient[token * width..<(token + 1) * width])
        }
        return nats
    }

    private func backward(_ layer: Layer, _ block: ParameterLayout.Block) {
        if let pass = layer.experts, let experts = block.experts, let input = layer.expertInput {
            pass.backward(
                weights: model.weights, table: table(experts), dout: residualGradient,
                dinput: spare, gradient: gradient,
                scratch: productScratch)
            normBackward(input, experts.norm, dy: spare)
        }
        if let linear = layer.linear, let layout = block.linear, let input = layer.expertInput {
            linear.backward(
                dout: residualGradient, dinput: spare, gradient: gradient, scratch: productScratch)
            normBackward(input, layout.norm, dy: spare)
        }
        let scratch = gradients
        backward(layer.downProduct, residualGradient, layer.inner, into: scratch.inner)
        TrainingKernels.siluRowsBackward(
            layer.gates, dy: scratch.inner, width: model.config.feedForwardSize,
            into: scratch.gates)
        backward(layer.gateProduct, scratch.gates, layer.middleNormed, into: spare)
        normBackward(layer.middle, block.feedForwardNorm, dy: spare)
        backward(layer.outputProduct, residualGradient, layer.attended, into: scratch.attended)
        layer.attention.backward(
            layer.projections, dout: scratch.attended, into: scratch.projections)
        backward(layer.attentionProduct, scratch.projections, layer.normed, into: spare)
        normBackward(layer.input, block.attentionNorm, dy: spare)
    }

    /// Adds to the gradient of a product's weights, and sets that of its inputs.
    private func backward(
        _ product: TrainedProduct, _ dy: FloatSlice, _ x: FloatSlice, into dx: FloatSlice
    ) {
        product.addWeightGradient(
            rows(dy), rows(x), tokens: tokens, scratch: productScratch, to: gradient)
        product.inputGradient(rows(dy), into: rows(dx), tokens: tokens)
    }

    private func table(_ experts: ParameterLayout.Experts) -> FloatSlice {
        let slot = model.config.peerLayers.firstIndex(of: experts.layer) ?? 0
        return model.experts[slot].slice
    }

    private func norm(_ x: FloatSlice, _ weight: Range<Int>, into out: FloatSlice) {
        TrainingKernels.rmsNorm(
            x, weight: model.weights[weight], width: width, epsilon: model.config.normEpsilon,
            into: out)
    }

    private func normBackward(_ x: FloatSlice, _ weight: Range<Int>, dy: FloatSlice) {
        TrainingKernels.rmsNormBackward(
            x, weight: model.weights[weight], dy: dy, width: width,
            epsilon: model.config.normEpsilon, dx: residualGradient, dweight: gradient[weight])
    }

    /// The rows of all tokens, one behind the other.
    private func rows(_ x: FloatSlice) -> FloatRows { FloatRows(x, stride: x.count / tokens) }
}
