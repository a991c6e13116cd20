internal import Elements
internal import Routing
internal import Tensors

/// A block of tokens through the layers: attention, MLP and experts, each x = x + f(norm(x)).
extension Session {
    /// - Parameter first: The position of the first token; all before it are in the caches.
    /// - Returns: The hidden state after the last layer, [tokens, hidden].
    func forward(_ tokens: ArraySlice<UInt8>, first: Int) throws(ModelError) -> FloatBuffer {
        var hidden = model.embed(tokens)
        for (index, layer) in model.layers.enumerated() {
            attend(layer, cache: caches[index], &hidden, tokens: tokens.count, first: first)
            feedForward(layer, &hidden, tokens: tokens.count)
            if let peer = layer.peer {
                try addExperts(peer, &hidden, tokens: tokens.count, first: first)
            }
        }
        return hidden
    }

    private func attend(
        _ layer: PeerModel.Layer, cache: Cache, _ hidden: inout FloatBuffer, tokens: Int, first: Int
    ) {
        let (width, heads) = (model.config.hiddenSize, model.config.headCount)
        let x = model.normalise(hidden, layer.attentionNorm)
        let queries = rotated(layer.query.applied(to: x, tokens: tokens), first: first)
        let keys = rotated(layer.key.applied(to: x, tokens: tokens), first: first)
        do {
            var columns = cache.keys.mutableSpan(0..<cache.keys.count)
            Kernels.storeKeys(
                keys.span, width: width, first: first, capacity: capacity, into: &columns)
        }
        do {
            var rows = cache.values.mutableSpan(first * width..<(first + tokens) * width)
            layer.value.multiply(x.span, tokens: tokens, into: &rows)
        }
        var mixed = FloatBuffer(count: tokens * width)
        do {
            var scratch = FloatBuffer(count: capacity)
            var scores = scratch.mutableSpan(0..<capacity)
            var out = mixed.mutableSpan(0..<mixed.count)
            cache.read { keys, values in
                Kernels.attend(
                    queries.span, keys: keys.span, values: values.span, first: first,
                    heads: heads, headSize: model.config.headSize, capacity: capacity,
                    scratch: &scores, into: &out)
            }
        }
        hidden.add(layer.output.applied(to: mixed, tokens: tokens))
    }

    private func rotated(_ x: consuming FloatBuffer, first: Int) -> FloatBuffer {
        var x = x
        do {
            var span = x.mutableSpan(0..<x.count)
            model.rotation.rotate(&span, first: first, heads: model.config.headCount)
        }
        return x
    }

    private func feedForward(
        _ layer: PeerModel.Layer, _ hidden: inout FloatBuffer, tokens: Int
    ) {
        let x = model.normalise(hidden, layer.feedForwardNorm)
        var gate = layer.gate.applied(to: x, tokens: tokens)
        let up = layer.up.applied(to: x, tokens: tokens)
        do {
            var span = gate.mutableSpan(0..<gate.count)
            Kernels.siluGate(&span, up: up.span)
        }
        hidden.add(layer.down.applied(to: gate, tokens: tokens))
    }

    private func addExperts(
        _ peer: PeerModel.Peer, _ hidden: inout FloatBuffer, tokens: Int, first: Int
    ) throws(ModelError) {
        let width = model.config.hiddenSize
        let x = model.normalise(hidden, peer.norm)
        var picks = Picks(heads: peer.router.heads, topK: peer.router.topK)
        peer.router.route(x.span, tokens: tokens, into: &picks)
        record(picks, peer, first: first)
        let perToken = picks.heads * picks.topK
        let type = peer.experts.shape.type
        var sum = FloatBuffer(count: tokens * width)
        for token in 0..<tokens {
            let range = token * width..<(token + 1) * width
            let start = token * perToken
            let experts = picks.experts.span.extracting(start..<start + perToken)
            try peer.experts.visit(experts) { (index, bytes) throws(ModelError) in
                guard bytes.byteCount == usage.expertBytes else {
                    throw ModelError(
                        .badTensor,
                        "expert \(picks.experts[start + index]) has \(bytes.byteCount) bytes; "
                            + "its table says \(usage.expertBytes)")
                }
                var out = sum.mutableSpan(range)
                Kernels.addNeuron(
                    bytes, type: type, gate: picks.weights[start + index], x: x.span(range),
                    into: &out)
            }
        }
        hidden.add(sum)
    }

    private func record(_ picks: Picks, _ peer: PeerModel.Peer, first: Int) {
        usage.layers[peer.slot].record(picks.experts)
        guard recordsRoutes else { return }
        for token in 0..<picks.tokens {
            routes.append(
                RouteRecord(
                    position: first + token, layer: model.config.peerLayers[peer.slot],
                    heads: (0..<picks.heads).map { picks.route(token: token, head: $0) },
                    margins: Array(picks.margins[token * picks.heads..<(token + 1) * picks.heads])))
        }
    }
}

extension PeerModel {
    /// The tokens' rows of the embedding: [tokens, hidden].
    fileprivate func embed(_ tokens: ArraySlice<UInt8>) -> FloatBuffer {
        let width = config.hiddenSize
        var hidden = FloatBuffer(count: tokens.count * width)
        for (index, token) in tokens.enumerated() {
            var row = hidden.mutableSpan(index * width..<(index + 1) * width)
            embedding.copyRow(Int(token), into: &row)
        }
        return hidden
    }

    fileprivate func normalise(_ x: borrowing FloatBuffer, _ weight: [Float]) -> FloatBuffer {
        var out = FloatBuffer(count: x.count)
        do {
            var span = out.mutableSpan(0..<out.count)
            Kernels.rmsNorm(x.span, weight: weight.span, epsilon: config.normEpsilon, into: &span)
        }
        return out
    }

    /// The logits of some tokens of a block, [tokens, 256], from its hidden state.
    func logits(_ hidden: borrowing FloatBuffer, tokens: Range<Int>) -> [Float] {
        let width = config.hiddenSize
        var x = FloatBuffer(count: tokens.count * width)
        do {
            var span = x.mutableSpan(0..<x.count)
            Kernels.rmsNorm(
                hidden.span(tokens.lowerBound * width..<tokens.upperBound * width),
                weight: finalNorm.span, epsilon: config.normEpsilon, into: &span)
        }
        let logits = head.applied(to: x, tokens: tokens.count)
        return logits.array(0..<logits.count)
    }
}

extension Matrix {
    /// x W^T in a buffer of its own: x is [tokens, columns], the result [tokens, rows].
    fileprivate func applied(to x: borrowing FloatBuffer, tokens: Int) -> FloatBuffer {
        var out = FloatBuffer(count: tokens * rows)
        do {
            var span = out.mutableSpan(0..<out.count)
            multiply(x.span, tokens: tokens, into: &span)
        }
        return out
    }
}

extension FloatBuffer {
    /// self += x.
    fileprivate mutating func add(_ x: borrowing FloatBuffer) {
        var span = mutableSpan(0..<count)
        Kernels.axpy(1, x.span, into: &span)
    }
}
