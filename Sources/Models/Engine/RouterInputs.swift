internal import Architectures
internal import Elements
internal import Routing
package import Tensors

/// Reads what the router of one layer reads: the normalised hidden states in front of its experts.
///
/// Runs the layers below, with their experts, as ``ForwardPass`` does: the bits depend on the text alone.
/// A text is cut into windows of the model's context length, each of which starts anew. Not to be shared
/// between threads.
package final class RouterInputs {
    private let pass: ForwardPass
    private let session: Session
    /// How large the states are, feature by feature: the weights of the norm that makes them, [`width`].
    package let normWeights: [Float]
    private let router: any Router
    private let layer: Int
    private let team: ThreadTeam

    /// - Parameter layer: The number of a layer with experts.
    /// - Throws: `.badInput` for another layer.
    package init(
        _ model: LanguageModel, layer: Int, team: ThreadTeam = .single
    ) throws {
        guard model.layers.indices.contains(layer), let experts = model.layers[layer].experts else {
            throw CambiumError(
                .badInput,
                "layer \(layer) has no experts; layers with experts: "
                    + model.description.expertLayers.filter { model.layers[$0].experts != nil }
                    .map(String.init).joined(separator: ", "))
        }
        pass = ForwardPass(model, team: team)
        session = Session(model, pass: pass)
        normWeights = model.routerInputScales[layer] ?? []
        router = experts.experts.router
        self.layer = layer
        self.team = team
    }

    /// Elements of a state.
    package var width: Int { pass.model.description.hiddenSize }
    /// Tokens of a window.
    package var windowLength: Int { pass.model.description.contextLength }
    /// Picks of the layer's router for one token.
    package var picksPerToken: Int { router.heads }

    /// The states of one window.
    ///
    /// - Parameter window: 1 to `windowLength` tokens.
    /// - Returns: [tokens, `width`].
    /// - Throws: What reading an expert of a layer below throws.
    package func states(of window: ArraySlice<Int>) throws -> [Float] {
        precondition(
            (1...windowLength).contains(window.count), "a window of \(window.count) tokens")
        session.reset()
        var states: [Float] = []
        // The layers take a block at a time.
        for start in stride(from: window.startIndex, to: window.endIndex, by: Session.blockSize) {
            let block = window[start..<min(start + Session.blockSize, window.endIndex)]
            let segment = ForwardPass.Segment(session: session, tokens: block, start: 0)
            states += try pass.routerInputs([segment], layer: layer)
            session.advance(block)
        }
        return states
    }

    /// The expert that each head of the layer's router picks first.
    ///
    /// - Parameter states: [tokens, `width`].
    /// - Returns: [tokens, `picksPerToken`].
    package func firstSelections(_ states: [Float]) -> [UInt32] {
        let tokens = states.count / width
        var selection = router.noPicks
        router.route(states.span, tokens: tokens, into: &selection, team: team)
        let (heads, topK) = (selection.heads, selection.topK)
        return (0..<tokens * heads).map { selection.experts[$0 * topK] }
    }

    /// The experts that each head of the layer's router picks, each as often as its share of the routing weights is of
    /// `count`; what is left of rounding goes to the greatest remainders, of equal ones to the better picks.
    ///
    /// - Parameter states: [tokens, `width`].
    /// - Returns: [tokens, `picksPerToken`, `count`].
    package func selections(_ states: [Float], count: Int) -> [UInt32] {
        let tokens = states.count / width
        var selection = router.noPicks
        router.route(states.span, tokens: tokens, into: &selection, team: team)
        let topK = selection.topK
        var all: [UInt32] = []
        all.reserveCapacity(tokens * selection.heads * count)
        for start in stride(from: 0, to: tokens * selection.heads * topK, by: topK) {
            let weights = selection.weights[start..<start + topK]
            let sum = max(weights.reduce(0, +), .leastNormalMagnitude)
            let shares = weights.map { max(0, min($0 / sum, 1)) * Float(count) }
            var times = shares.map { Int($0) }
            let order = shares.indices.sorted { left, right in
                let (first, second) = (
                    shares[left] - Float(times[left]), shares[right] - Float(times[right])
                )
                return first != second ? first > second : left < right
            }
            var rest = count - times.reduce(0, +)
            // Weights of no sense leave more than a round.
            while rest > 0 {
                for index in order.prefix(rest) { times[index] += 1 }
                rest = count - times.reduce(0, +)
            }
            for index in times.indices {
                all += repeatElement(selection.experts[start + index], count: times[index])
            }
        }
        return all
    }
}
