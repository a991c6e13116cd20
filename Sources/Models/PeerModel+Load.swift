package import Architectures
package import Elements
internal import Routing
internal import Tensors

extension PeerModel {
    /// Finds every weight and checks its dtype and shape against the config.
    ///
    /// Trunk and router are copied, F16 and BF16 widened; router tensors of I8, with their scales in
    /// `NAME.scale`, stay quantised; experts stay mapped.
    ///
    /// Every tensor that the source has is used, but those of cohorts.
    ///
    /// - Throws: `.missingTensor`, `.badTensor` or `.unusedTensor`, naming the tensor; what the source throws.
    /// - Complexity: Reads no expert.
    package init(config: PeerConfig, source: some WeightSource) throws(ModelError) {
        let source = NotedWeights(source)
        let (hidden, vocabulary) = (config.hiddenSize, PeerConfig.vocabularySize)
        var loader = Loader(config: config, source: source)
        self.config = config
        self.embedding = try loader.reader.matrix("model.embed_tokens.weight", vocabulary, hidden)
        var layers: [Layer] = []
        for index in 0..<config.layerCount {
            layers.append(try loader.layer(index))
        }
        self.layers = layers
        self.finalNorm = try loader.reader.vector("model.norm.weight", hidden)
        self.head = try loader.packed("lm_head.weight", vocabulary, hidden)
        self.rotation = RotationTables(
            positions: config.contextLength, headSize: config.headSize, theta: config.ropeTheta)
        try source.rest.withoutCohorts.refuse("peer-lm")
    }
}

/// Reads tensors by their names in a checkpoint.
private struct Loader<Source: WeightSource> {
    let config: PeerConfig
    let source: Source
    let reader: WeightReader<Source>
    private var nextSlot = 0

    init(config: PeerConfig, source: Source) {
        self.config = config
        self.source = source
        reader = WeightReader(source)
    }

    mutating func layer(_ index: Int) throws(ModelError) -> PeerModel.Layer {
        let (hidden, inner) = (config.hiddenSize, config.feedForwardSize)
        let name = "model.layers.\(index)"
        return PeerModel.Layer(
            attentionNorm: try reader.vector("\(name).input_layernorm.weight", hidden),
            query: try packed("\(name).self_attn.q_proj.weight", hidden, hidden),
            key: try packed("\(name).self_attn.k_proj.weight", hidden, hidden),
            value: try packed("\(name).self_attn.v_proj.weight", hidden, hidden),
            output: try packed("\(name).self_attn.o_proj.weight", hidden, hidden),
            feedForwardNorm: try reader.vector("\(name).post_attention_layernorm.weight", hidden),
            gate: try packed("\(name).mlp.gate_proj.weight", inner, hidden),
            up: try packed("\(name).mlp.up_proj.weight", inner, hidden),
            down: try packed("\(name).mlp.down_proj.weight", hidden, inner),
            experts: try experts(index))
    }

    private mutating func experts(_ layer: Int) throws(ModelError) -> PeerModel.Experts? {
        if config.linearLayers.contains(layer) { return try linear(layer) }
        guard config.peerLayers.contains(layer) else { return nil }
        if let tree = config.tree { return try self.tree(tree, layer) }
        guard let sizes = config.peer else { return nil }
        let name = "model.layers.\(layer)"
        let half = sizes.keySize / 2
        let query = try projection(
            "\(name).peer.query.weight", sizes.heads * sizes.keySize, config.hiddenSize)
        let sets = try projections(
            "\(name).peer.sub_keys", [2, sizes.subKeys, half], orFor: sizes.heads)
        let (first, second) = (0..<sets.count / 2, sets.count / 2..<sets.count)
        let isPerHead = sets.count > 2
        defer { nextSlot += 1 }
        return PeerModel.Experts(
            norm: try reader.vector("\(name).peer_layernorm.weight", config.hiddenSize),
            router: ProductKeyRouter(
                query: query,
                keys: isPerHead
                    ? ProductKeys(
                        first: stride(from: 0, to: sets.count, by: 2).map { sets[$0] },
                        second: stride(from: 1, to: sets.count, by: 2).map { sets[$0] })
                    : ProductKeys(first: Array(sets[first]), second: Array(sets[second])),
                heads: sizes.heads, topK: sizes.topK),
            table: try neurons(layer, count: sizes.expertCount), form: nil, slot: nextSlot)
    }

    /// A layer of neurons below a tree.
    private mutating func tree(
        _ sizes: PeerConfig.Tree, _ layer: Int
    ) throws(ModelError) -> PeerModel.Experts {
        let name = "model.layers.\(layer)"
        var keys: [Matrix] = []
        for (level, count) in sizes.keyCounts.enumerated() {
            keys.append(try reader.matrix("\(name).peer.tree.\(level)", count, config.hiddenSize))
        }
        defer { nextSlot += 1 }
        return PeerModel.Experts(
            norm: try reader.vector("\(name).peer_layernorm.weight", config.hiddenSize),
            router: TreeRouter(
                keys: keys, branching: sizes.branching, beam: sizes.beam, topK: sizes.topK),
            table: try neurons(layer, count: sizes.expertCount), form: nil, slot: nextSlot)
    }

    /// A layer of SwiGLU experts.
    private mutating func linear(_ layer: Int) throws(ModelError) -> PeerModel.Experts? {
        guard let sizes = config.linear else { return nil }
        let name = "model.layers.\(layer)"
        let table = try source.experts(layer: layer)
        guard table.count == sizes.experts else {
            throw ModelError(
                .badTensor,
                "layer \(layer) has \(table.count) experts; config asks for \(sizes.experts)")
        }
        let form = table.parts.first.flatMap { part in
            part.type.isTrunkType
                ? GatedExpertForm(
                    kind: .rows, width: config.hiddenSize, inner: sizes.width, type: part.type)
                : nil
        }
        guard let form, table.parts == form.parts else {
            throw ModelError(
                .badTensor,
                "an expert of layer \(layer) is \(table.parts); config asks for gate and up "
                    + "[\(sizes.width), \(config.hiddenSize)] and down [\(config.hiddenSize), "
                    + "\(sizes.width)] of type F32, F16 or BF16")
        }
        let router = LinearRouter(
            try projection("\(name).mlp.gate.weight", sizes.experts, config.hiddenSize),
            topK: sizes.topK)
        defer { nextSlot += 1 }
        return PeerModel.Experts(
            norm: try reader.vector("\(name).moe_layernorm.weight", config.hiddenSize),
            router: router, table: table, form: form, slot: nextSlot)
    }

    private func neurons(_ layer: Int, count: Int) throws(ModelError) -> any ExpertTable {
        let table = try source.experts(layer: layer)
        guard table.count == count else {
            throw ModelError(
                .badTensor,
                "layer \(layer) has \(table.count) experts; its router names \(count)")
        }
        guard let shape = table.neuronShape, shape.dimensions == [2, config.hiddenSize],
            shape.type.isTrunkType || shape.type == .i8
        else {
            throw ModelError(
                .badTensor,
                "an expert of layer \(layer) is \(table.parts); config asks for "
                    + "[2, \(config.hiddenSize)] of type F32, F16, BF16 or I8")
        }
        return table
    }

    func packed(_ name: String, _ rows: Int, _ columns: Int) throws(ModelError) -> PackedMatrix {
        PackedMatrix(try reader.matrix(name, rows, columns))
    }

    /// A router's matrix, fp32 or quantised.
    private func projection(
        _ name: String, _ rows: Int, _ columns: Int
    ) throws(ModelError) -> any Projection {
        let found = try reader.weights(name, [rows, columns], orQuantized: true)
        return try projection(name, found, 0, rows, columns)
    }

    /// The matrices of a tensor whose leading dimensions number them: of `dimensions`, or of one such
    /// tensor for each of `count` heads.
    private func projections(
        _ name: String, _ dimensions: [Int], orFor count: Int
    ) throws(ModelError) -> [any Projection] {
        let perHead = try source.tensor(name).shape.dimensions.count == dimensions.count + 1
        let all = perHead ? [count] + dimensions : dimensions
        let found = try reader.weights(name, all, orQuantized: true)
        let (rows, columns) = (all[all.count - 2], all[all.count - 1])
        var result: [any Projection] = []
        for index in 0..<all.dropLast(2).reduce(1, *) {
            result.append(try projection(name, found, index, rows, columns))
        }
        return result
    }

    private func projection(
        _ name: String, _ found: Weights, _ index: Int, _ rows: Int, _ columns: Int
    ) throws(ModelError) -> any Projection {
        let size = found.shape.type.bitWidth / 8 * rows * columns
        let bytes = found.bytes.slice(index * size..<(index + 1) * size)
        guard found.shape.type == .i8 else {
            return PackedMatrix(
                Matrix(rows: rows, columns: columns, bytes: bytes, type: found.shape.type))
        }
        let scales = try reader.values(name + ".scale", Array(found.shape.dimensions.dropLast()))
        return QuantizedMatrix(
            rows: rows, columns: columns, values: bytes.bytes,
            scales: Array(scales[index * rows..<(index + 1) * rows]))
    }
}
