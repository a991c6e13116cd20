internal import Architectures
package import Elements
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
    private let experts: PeerModel.Experts
    private let layer: Int
    private let team: ThreadTeam

    /// - Parameter layer: The number of a layer with experts.
    /// - Throws: `.badInput` for another layer.
    package init(
        _ model: PeerModel, layer: Int, team: ThreadTeam = .single
    ) throws(ModelError) {
        guard model.layers.indices.contains(layer), let experts = model.layers[layer].experts else {
            throw ModelError(
                .badInput,
                "layer \(layer) has no experts; those that have are \(model.config.expertLayers)")
        }
        pass = ForwardPass(model, team: team)
        session = Session(model, pass: pass)
        self.experts = experts
        self.layer = layer
        self.team = team
    }

    /// Elements of a state.
    package var width: Int { pass.model.config.hiddenSize }
    /// Bytes of a window.
    package var windowLength: Int { pass.model.config.contextLength }
    /// The weights of the norm that makes the states, [`width`].
    package var normWeights: [Float] { experts.norm }
    /// Picks of the layer's router for one byte.
    package var picksPerToken: Int { experts.router.heads }

    /// The states of one window.
    ///
    /// - Parameter window: 1 to `windowLength` bytes.
    /// - Returns: [bytes, `width`].
    /// - Throws: What reading an expert of a layer below throws.
    package func states(of window: ArraySlice<UInt8>) throws(ModelError) -> [Float] {
        precondition((1...windowLength).contains(window.count), "a window of \(window.count) bytes")
        session.reset()
        var states: [Float] = []
        // The layers take a block at a time.
        for start in stride(from: window.startIndex, to: window.endIndex, by: Session.blockSize) {
            let block = window[start..<min(start + Session.blockSize, window.endIndex)]
            let segment = ForwardPass.Segment(session: session, tokens: block, start: 0)
            states += try pass.routerInputs([segment], layer: layer)
            session.advance(block.count)
        }
        return states
    }

    /// The expert that each head of the layer's router picks first.
    ///
    /// - Parameter states: [tokens, `width`].
    /// - Returns: [tokens, `picksPerToken`].
    package func firstPicks(_ states: [Float]) -> [UInt32] {
        let tokens = states.count / width
        var picks = experts.router.noPicks
        experts.router.route(states.span, tokens: tokens, into: &picks, team: team)
        let (heads, topK) = (picks.heads, picks.topK)
        return (0..<tokens * heads).map { picks.experts[$0 * topK] }
    }
}
