internal import Architectures
internal import Models
internal import Tensors

/// Old behaviour that a run keeps close to, on stored states of old text.
///
/// With y the output of an expert layer for its states and p its router's distribution over all experts, y₀ and p₀
/// those of the model before, the loss of a step gets in addition the mean over the layers of
///
///     output ‖y − y₀‖² / ‖y₀‖² + router KL(p₀, p)
///
/// of as many states as a step draws. The states are given: no gradient goes on from them. Hashed experts in front of
/// a layer are one layer more, whose y is the sum of the rows that a token picks; a hash has no distribution.
package struct Hold: Sendable {
    /// The model before: not changed; not the one that is trained.
    package let model: TrainableModel
    /// By number of the layer, [states, width]; at least one of each expert layer.
    package let states: [Int: [Float]]
    /// What tokens pick of hashed experts, [tokens, orders]; empty where these are not held.
    package let rowPicks: [UInt32]
    /// What the output counts, and what the router does.
    package let output, router: Float
    /// States of a layer in a step, at most.
    package var perStep = 512

    package init(
        _ model: TrainableModel, states: [Int: [Float]], rowPicks: [UInt32] = [], output: Float,
        router: Float
    ) {
        self.model = model
        self.states = states
        self.rowPicks = rowPicks
        self.output = output
        self.router = router
    }

    /// What of all that is held one layer counts.
    var share: Float {
        1 / Float(model.config.expertLayers.count + (rowPicks.isEmpty ? 0 : model.rows.count))
    }

    /// Which of `count` a step takes, at most `perStep`.
    ///
    /// - Parameter number: Of the step, and what else the draw depends on.
    func draw(_ number: UInt64, of count: Int) -> [Int] {
        guard count > perStep else { return Array(0..<count) }
        var generator = SplitMix64(seed: number)
        return (0..<perStep).map { _ in Int(generator.next() % UInt64(count)) }
    }
}

/// How far expert layers are from what they are held to: means over layers and states.
package struct HoldDistance: Sendable, Equatable {
    /// ‖y − y₀‖² / ‖y₀‖².
    package var output: Double
    /// KL(p₀, p), in nats; 0 of routers without a distribution.
    package var router: Double
}

/// One layer of what is held, forward and backward, in memory that one thread at a time uses.
///
/// A step has one for each expert layer; `ThreadTeam.forEach` waits for all of them before their gradients are
/// read, which the compiler cannot see (SE-0302, "Unchecked Sendable").
final class HoldPass: @unchecked Sendable {
    private let hold: Hold
    private let model: TrainableModel
    private let states: FloatSlice
    /// All states, and those of a step.
    private let count, drawn: Int
    private let now, before: LayerPass
    /// Of all layers: what each one's mean counts.
    private let share: Float
    private let outputs, oldOutputs, inputGradient, scratch: FloatSlice
    private(set) var distance = HoldDistance(output: 0, router: 0)

    /// The pass of neurons, for the gradients of their rows; nil of SwiGLU experts.
    var expertPass: ExpertPass? { now.neurons }

    /// What the states of the last step picked.
    var picks: [UInt32] { now.neurons?.selection?.ids ?? now.linear?.selection ?? [] }

    /// For each expert layer one, ascending.
    static func all(_ hold: Hold, of model: TrainableModel) -> [HoldPass] {
        model.config.expertLayers.map { HoldPass(hold, model, layer: $0, share: hold.share) }
    }

    private init(_ hold: Hold, _ model: TrainableModel, layer: Int, share: Float) {
        let width = model.config.hiddenSize
        let all = hold.states[layer] ?? []
        precondition(!all.isEmpty && all.count % width == 0, "\(all.count) elements of states")
        self.hold = hold
        self.model = model
        self.share = share
        states = FloatMemory(count: all.count).slice
        states.copy(all)
        count = all.count / width
        let drawn = min(all.count / width, hold.perStep)
        self.drawn = drawn
        now = LayerPass(model, layer: layer, tokens: drawn)
        before = LayerPass(hold.model, layer: layer, tokens: drawn)
        func rows() -> FloatSlice { FloatMemory(count: drawn * width).slice }
        (outputs, oldOutputs, inputGradient) = (rows(), rows(), rows())
        scratch = FloatMemory(count: now.scratchSize).slice
        before.pack()
    }

    /// Adds the layer's gradients to those of all dense weights.
    ///
    /// - Parameter number: Of the step, and what else the draw depends on.
    func run(draw number: UInt64, gradient: FloatMemory) {
        draw(number)
        now.pack()
        for (pass, outputs) in [(before, oldOutputs), (now, outputs)] {
            outputs.fill(0)
            pass.forward(into: outputs)
        }
        distance.output = outputs.becomeGradient(from: oldOutputs, weight: share * hold.output)
        var pull: FloatSlice?
        distance.router = 0
        if let old = before.distribution(), let own = now.distribution() {
            let found = own.pull(to: old, weight: share * hold.router)
            distance.router = found.divergence
            if hold.router > 0 { pull = found.gradient }
        }
        now.backward(
            dout: outputs, dinput: inputGradient, gradient: gradient, scratch: scratch, pull: pull)
    }

    /// Copies the step's states to both passes.
    private func draw(_ number: UInt64) {
        let width = states.count / count
        for (row, from) in hold.draw(number, of: count).enumerated() {
            let state = states[from * width..<(from + 1) * width]
            for pass in [now, before] {
                pass.input[row * width..<(row + 1) * width].copy(state)
            }
        }
    }

}

extension FloatSlice {
    /// Becomes the gradient of its distance from what it was, ‖y − y₀‖² / ‖y₀‖².
    ///
    /// - Parameter weight: Times which the gradient is taken.
    /// - Returns: The distance.
    func becomeGradient(from before: FloatSlice, weight: Float) -> Double {
        var (distance, norm) = (0.0, 0.0)
        before.withSpan { old in
            withMutableSpan { own in
                for index in own.indices {
                    own[index] -= old[index]
                    distance += Double(own[index]) * Double(own[index])
                    norm += Double(old[index]) * Double(old[index])
                }
                // A layer that gave nothing has no measure of its own.
                let scale = norm > 0 ? 2 * weight / Float(norm) : 0
                for index in own.indices { own[index] *= scale }
            }
        }
        return norm > 0 ? distance / norm : 0
    }
}

/// An expert layer of a model over given states, of whatever kind.
private struct LayerPass {
    let model: TrainableModel
    let neurons: ExpertPass?
    let linear: LinearExpertPass?
    private let slot: Int

    init(_ model: TrainableModel, layer: Int, tokens: Int) {
        let (config, block) = (model.config, model.layout.blocks[layer])
        self.model = model
        neurons = block.experts.map { ExpertPass(config, layout: $0, tokens: tokens) }
        linear = block.linear.flatMap { layout in
            config.linear.map {
                LinearExpertPass($0, layout: layout, tokens: tokens, width: config.hiddenSize)
            }
        }
        slot = config.peerLayers.firstIndex(of: layer) ?? 0
        precondition(neurons != nil || linear != nil, "layer \(layer) has no experts")
    }

    var input: FloatSlice {
        guard let slice = neurons?.input ?? linear?.input else { preconditionFailure("no experts") }
        return slice
    }

    private var products: [TrainedProduct] { neurons?.products ?? linear?.products ?? [] }
    var scratchSize: Int { products.map(\.scratchSize).max() ?? 0 }

    func pack() {
        for product in products {
            product.packForward(model.weights)
            product.packBackward(model.weights)
        }
    }

    func forward(into out: FloatSlice) {
        neurons?.forward(weights: model.weights, table: model.experts[slot].slice, out: out)
        linear?.forward(out: out)
    }

    func distribution() -> RouterDistribution? { neurons?.distribution() ?? linear?.distribution() }

    func backward(
        dout: FloatSlice, dinput: FloatSlice, gradient: FloatMemory, scratch: FloatSlice,
        pull: FloatSlice?
    ) {
        neurons?.backward(
            weights: model.weights, table: model.experts[slot].slice, dout: dout, dinput: dinput,
            gradient: gradient, scratch: scratch, pull: pull)
        linear?.backward(
            dout: dout, dinput: dinput, gradient: gradient, scratch: scratch, pull: pull)
    }
}
