internal import Elements
internal import Routing
internal import Tensors

extension PeerModel {
    /// Finds every weight and checks its dtype and shape against the config.
    ///
    /// F32 stays mapped; F16 and BF16 trunk tensors are converted once; experts stay mapped in
    /// either.
    ///
    /// - Throws: `.missingTensor` or `.badTensor`, naming the tensor; what the source throws.
    /// - Complexity: Reads no expert.
    package init(config: PeerConfig, source: some WeightSource) throws(ModelError) {
        let (hidden, vocabulary) = (config.hiddenSize, PeerConfig.vocabularySize)
        var loader = Loader(config: config, source: source)
        self.config = config
        self.embedding = try loader.matrix("model.embed_tokens.weight", vocabulary, hidden)
        var layers: [Layer] = []
        for index in 0..<config.layerCount {
            layers.append(try loader.layer(index))
        }
        self.layers = layers
        self.finalNorm = try loader.vector("model.norm.weight", hidden)
        self.head = try loader.matrix("lm_head.weight", vocabulary, hidden)
        self.rotation = RotationTables(
            positions: config.contextLength, headSize: config.headSize, theta: config.ropeTheta)
    }
}

/// Reads tensors by their names in a checkpoint.
private struct Loader<Source: WeightSource> {
    let config: PeerConfig
    let source: Source
    private var nextSlot = 0

    init(config: PeerConfig, source: Source) {
        self.config = config
        self.source = source
    }

    mutating func layer(_ index: Int) throws(ModelError) -> PeerModel.Layer {
        let (hidden, inner) = (config.hiddenSize, config.feedForwardSize)
        let name = "model.layers.\(index)"
        return PeerModel.Layer(
            attentionNorm: try vector("\(name).input_layernorm.weight", hidden),
            query: try matrix("\(name).self_attn.q_proj.weight", hidden, hidden),
            key: try matrix("\(name).self_attn.k_proj.weight", hidden, hidden),
            value: try matrix("\(name).self_attn.v_proj.weight", hidden, hidden),
            output: try matrix("\(name).self_attn.o_proj.weight", hidden, hidden),
            feedForwardNorm: try vector("\(name).post_attention_layernorm.weight", hidden),
            gate: try matrix("\(name).mlp.gate_proj.weight", inner, hidden),
            up: try matrix("\(name).mlp.up_proj.weight", inner, hidden),
            down: try matrix("\(name).mlp.down_proj.weight", hidden, inner),
            peer: try peer(index))
    }

    private mutating func peer(_ layer: Int) throws(ModelError) -> PeerModel.Peer? {
        guard let sizes = config.peer, config.peerLayers.contains(layer) else { return nil }
        let name = "model.layers.\(layer)"
        let half = sizes.keySize / 2
        let query = try matrix(
            "\(name).peer.query.weight", sizes.heads * sizes.keySize, config.hiddenSize)
        let keys = try weights("\(name).peer.sub_keys", [2, sizes.subKeys, half])
        let middle = keys.bytes.count / 2
        let sides = [0..<middle, middle..<keys.bytes.count].map {
            Matrix(
                rows: sizes.subKeys, columns: half, bytes: keys.bytes.slice($0),
                type: keys.shape.type)
        }
        defer { nextSlot += 1 }
        return PeerModel.Peer(
            norm: try vector("\(name).peer_layernorm.weight", config.hiddenSize),
            router: ProductKeyRouter(
                query: query, firstKeys: sides[0], secondKeys: sides[1], heads: sizes.heads,
                topK: sizes.topK),
            experts: try experts(layer, count: sizes.expertCount), slot: nextSlot)
    }

    private func experts(_ layer: Int, count: Int) throws(ModelError) -> any ExpertTable {
        let table = try source.experts(layer: layer)
        guard table.count == count else {
            throw ModelError(
                .badTensor,
                "layer \(layer) has \(table.count) experts; its sub-keys name \(count)")
        }
        guard table.shape.dimensions == [2, config.hiddenSize], table.shape.type.isTrunkType else {
            throw ModelError(
                .badTensor,
                "an expert of layer \(layer) is \(table.shape); config asks for "
                    + "[2, \(config.hiddenSize)] of type F32, F16 or BF16")
        }
        return table
    }

    func matrix(_ name: String, _ rows: Int, _ columns: Int) throws(ModelError) -> Matrix {
        let found = try weights(name, [rows, columns])
        return Matrix(rows: rows, columns: columns, bytes: found.bytes, type: found.shape.type)
    }

    func vector(_ name: String, _ count: Int) throws(ModelError) -> [Float] {
        let found = try weights(name, [count])
        var values = FloatBuffer(count: count)
        var span = values.mutableSpan(0..<count)
        convertToFloat(found.bytes.bytes, type: found.shape.type, into: &span)
        return values.array(0..<count)
    }

    private func weights(_ name: String, _ dimensions: [Int]) throws(ModelError) -> Weights {
        let found = try source.tensor(name)
        guard found.shape.dimensions == dimensions, found.shape.type.isTrunkType else {
            throw ModelError(
                .badTensor,
                "tensor \(name) is \(found.shape); config asks for \(dimensions) of type F32, F16 "
                    + "or BF16")
        }
        guard found.bytes.count == found.shape.byteCount else {
            throw ModelError(
                .badTensor,
                "tensor \(name) has \(found.bytes.count) bytes; \(found.shape) needs another count")
        }
        return found
    }
}

extension ElementType {
    /// Whether weights of this type are served: F32, and what widens to it exactly.
    fileprivate var isTrunkType: Bool { self == .f32 || self == .f16 || self == .bf16 }
}
