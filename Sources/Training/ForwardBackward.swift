internal import Models
package import Tensors

/// The whole model over some windows, forward and backward, in memory that one thread at a time uses.
///
/// Each part of a step has one of its own; `ThreadTeam.forEach` waits for all of them before their
/// gradients are read, which the compiler cannot see (SE-0302, "Unchecked Sendable").
package final class ForwardBackward: @unchecked Sendable {
    private let model: TrainableModel
    private let windows: Int
    package let length: Int
    /// Whether the expert layers run; a cohort may leave them out.
    private let usesExperts: Bool
    /// The gradient of every dense tensor, by the model's layout.
    package let gradient: FloatMemory
    private let layers: [Layer]
    /// [tokens, hidden]: the residual behind the last layer, its norm, and gradients.
    private let last, normed, residualGradient, spare: FloatSlice
    /// [tokens, 256].
    package let logits: FloatSlice
    private let gradients: Scratch

    /// Activations of one block that the way back needs.
    private struct Layer {
        let input, normed, query, key, value, attended: FloatSlice
        let middle, middleNormed, gate, up, inner: FloatSlice
        let expertInput: FloatSlice?
        let attention: AttentionPass
        let experts: ExpertPass?
    }

    /// Gradients that every block reuses.
    private struct Scratch {
        let query, key, value, attended: FloatSlice
        let gate, up, inner: FloatSlice
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
        let (tokens, width, wide) = (
            windows * length, config.hiddenSize, config.feedForwardSize
        )
        func hidden() -> FloatSlice { FloatMemory(count: tokens * width).slice }
        func inner() -> FloatSlice { FloatMemory(count: tokens * wide).slice }
        let rotations = AttentionPass.Rotations(
            windows: windows, length: length, headSize: config.headSize, theta: config.ropeTheta)
        let scratch = FloatMemory(count: length * length).slice
        layers = model.layout.blocks.map { block in
            let experts = usesExperts && block.experts != nil
            let pass =
                experts
                ? config.peer.map { ExpertPass(sizes: $0, tokens: tokens, width: width) } : nil
            return Layer(
                input: hidden(), normed: hidden(), query: hidden(), key: hidden(),
                value: hidden(), attended: hidden(), middle: hidden(), middleNormed: hidden(),
                gate: inner(), up: inner(), inner: inner(),
                expertInput: experts ? hidden() : nil,
                attention: AttentionPass(
                    windows: windows, length: length, heads: config.headCount,
                    headSize: config.headSize, rotations: rotations, scratch: scratch),
                experts: pass)
        }
        (last, normed, residualGradient, spare) = (hidden(), hidden(), hidden(), hidden())
        logits = FloatMemory(count: tokens * 256).slice
        gradients = Scratch(
            query: hidden(), key: hidden(), value: hidden(), attended: hidden(), gate: inner(),
            up: inner(), inner: inner())
        gradient = FloatMemory(count: model.layout.count)
    }

    /// The passes of the expert layers, in ascending layers, for the gradients of their rows.
    var expertPasses: [ExpertPass] { layers.compactMap(\.experts) }

    /// What each expert layer picked, [tokens, heads topK], behind `forward`.
    package var picks: [[UInt32]] { expertPasses.map { $0.picks?.ids ?? [] } }

    /// The gradients of the experts' rows of each expert layer, behind `backward`.
    package func expertRowGradients() -> [ExpertGradient] {
        expertPasses.map {
            ExpertGradient([$0], count: model.config.peer?.expertCount ?? 0, team: .single)
        }
    }

    /// Sets `logits`.
    ///
    /// - Parameter inputs: [windows, length].
    package func forward(_ inputs: [UInt8]) {
        precondition(inputs.count == tokens, "\(inputs.count) bytes for \(tokens) tokens")
        let layout = model.layout
        let weights = model.weights
        let embedding = weights[layout.embedding]
        let first = layers[0].input
        for (token, byte) in inputs.enumerated() {
            let row = Int(byte) * width
            first[token * width..<(token + 1) * width].copy(embedding[row..<row + width])
        }
        for (index, block) in layout.blocks.enumerated() {
            let next = index + 1 < layers.count ? layers[index + 1].input : last
            forward(layers[index], block, into: next)
        }
        norm(last, layout.finalNorm, into: normed)
        product(normed, layout.head, rows: 256, columns: width, into: logits)
    }

    private func forward(_ layer: Layer, _ block: ParameterLayout.Block, into next: FloatSlice) {
        let wide = model.config.feedForwardSize
        norm(layer.input, block.attentionNorm, into: layer.normed)
        for (range, out) in [
            (block.query, layer.query), (block.key, layer.key), (block.value, layer.value),
        ] {
            product(layer.normed, range, rows: width, columns: width, into: out)
        }
        layer.attention.forward(
            query: layer.query, key: layer.key, value: layer.value, out: layer.attended)
        layer.middle.copy(layer.input)
        product(
            layer.attended, block.output, rows: width, columns: width, into: layer.middle,
            keeping: 1)
        norm(layer.middle, block.feedForwardNorm, into: layer.middleNormed)
        product(layer.middleNormed, block.gate, rows: wide, columns: width, into: layer.gate)
        product(layer.middleNormed, block.up, rows: wide, columns: width, into: layer.up)
        layer.inner.copy(layer.gate)
        layer.inner.withMutableSpan { gate in
            layer.up.withSpan { Kernels.siluGate(&gate, up: $0) }
        }
        let out = layer.expertInput ?? next
        out.copy(layer.middle)
        product(layer.inner, block.down, rows: width, columns: wide, into: out, keeping: 1)
        guard let pass = layer.experts, let experts = block.experts else { return }
        norm(out, experts.norm, into: pass.input)
        next.copy(out)
        pass.forward(
            query: model.weights[experts.query], subKeys: model.weights[experts.subKeys],
            table: table(experts), out: next)
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
        weightGradient(logits, normed, layout.head, rows: 256, columns: width)
        inputGradient(logits, layout.head, rows: 256, columns: width, into: spare)
        residualGradient.fill(0)
        normBackward(last, layout.finalNorm, dy: spare)
        for (index, block) in layout.blocks.enumerated().reversed() {
            backward(layers[index], block)
        }
        let embedding = gradient[layout.embedding]
        for (token, byte) in inputs.enumerated() {
            let row = Int(byte) * width
            embedding[row..<row + width].add(
                residualGradient[token * width..<(token + 1) * width])
        }
        return nats
    }

    private func backward(_ layer: Layer, _ block: ParameterLayout.Block) {
        let wide = model.config.feedForwardSize
        if let pass = layer.experts, let experts = block.experts, let input = layer.expertInput {
            pass.backward(
                query: model.weights[experts.query], subKeys: model.weights[experts.subKeys],
                table: table(experts), dout: residualGradient, dinput: spare,
                dquery: gradient[experts.query], dsubKeys: gradient[experts.subKeys])
            normBackward(input, experts.norm, dy: spare)
        }
        let scratch = gradients
        weightGradient(residualGradient, layer.inner, block.down, rows: width, columns: wide)
        inputGradient(residualGradient, block.down, rows: width, columns: wide, into: scratch.inner)
        TrainingKernels.siluGateBackward(
            gate: layer.gate, up: layer.up, dy: scratch.inner, dgate: scratch.gate,
            dup: scratch.up)
        weightGradient(scratch.gate, layer.middleNormed, block.gate, rows: wide, columns: width)
        weightGradient(scratch.up, layer.middleNormed, block.up, rows: wide, columns: width)
        inputGradient(scratch.gate, block.gate, rows: wide, columns: width, into: spare)
        inputGradient(scratch.up, block.up, rows: wide, columns: width, into: spare, keeping: 1)
        normBackward(layer.middle, block.feedForwardNorm, dy: spare)

        weightGradient(residualGradient, layer.attended, block.output, rows: width, columns: width)
        inputGradient(
            residualGradient, block.output, rows: width, columns: width, into: scratch.attended)
        layer.attention.backward(
            query: layer.query, key: layer.key, value: layer.value, dout: scratch.attended,
            dquery: scratch.query, dkey: scratch.key, dvalue: scratch.value)
        for (index, (range, dy)) in [
            (block.query, scratch.query), (block.key, scratch.key), (block.value, scratch.value),
        ].enumerated() {
            weightGradient(dy, layer.normed, range, rows: width, columns: width)
            inputGradient(
                dy, range, rows: width, columns: width, into: spare, keeping: index == 0 ? 0 : 1)
        }
        normBackward(layer.input, block.attentionNorm, dy: spare)
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

    /// out = x Wᵀ + keeping out, W [rows, columns].
    private func product(
        _ x: FloatSlice, _ w: Range<Int>, rows: Int, columns: Int, into out: FloatSlice,
        keeping: Float = 0
    ) {
        multiply(
            MatrixSlice(x, rows: tokens, columns: columns),
            MatrixSlice(model.weights[w], rows: rows, columns: columns).transposed,
            into: MatrixSlice(out, rows: tokens, columns: rows), keeping: keeping)
    }

    /// dx = dy W + keeping dx.
    private func inputGradient(
        _ dy: FloatSlice, _ w: Range<Int>, rows: Int, columns: Int, into dx: FloatSlice,
        keeping: Float = 0
    ) {
        multiply(
            MatrixSlice(dy, rows: tokens, columns: rows),
            MatrixSlice(model.weights[w], rows: rows, columns: columns),
            into: MatrixSlice(dx, rows: tokens, columns: columns), keeping: keeping)
    }

    /// dW += dyᵀ x.
    private func weightGradient(
        _ dy: FloatSlice, _ x: FloatSlice, _ w: Range<Int>, rows: Int, columns: Int
    ) {
        multiply(
            MatrixSlice(dy, rows: tokens, columns: rows).transposed,
            MatrixSlice(x, rows: tokens, columns: columns),
            into: MatrixSlice(gradient[w], rows: rows, columns: columns), keeping: 1)
    }
}
