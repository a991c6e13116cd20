package import Architectures
package import Elements
internal import Routing
internal import Tensors

extension DecoderModel {
    /// Finds every weight and checks its dtype and shape against the description.
    ///
    /// Nothing is copied but vectors; when the source gives its map back, to hold a limit of memory, also
    /// what every token needs.
    ///
    /// Every tensor that the source has is used, or its use is known and it is among ``unused``.
    ///
    /// - Throws: `.missingTensor`, `.badTensor` or `.unusedTensor`, naming the tensor; what the source throws.
    /// - Complexity: Reads no expert.
    package init(_ description: ModelDescription, source: some WeightSource) throws(ModelError) {
        let (hidden, vocabulary) = (description.hiddenSize, description.vocabularySize)
        let source = NotedWeights(source)
        var loader = DecoderLoader(description, source)
        self.description = description
        frequencies = description.frequencies
        // A token reads one row of it.
        embedding = try loader.reader.rows(
            "model.embed_tokens.weight", vocabulary, hidden,
            isCopied: description.tiesEmbedding && source.releasesMap)
        var layers: [Layer] = []
        for index in description.layers.indices { layers.append(try loader.layer(index)) }
        self.layers = layers
        finalNorm = try loader.reader.vector("model.norm.weight", hidden)
        head =
            description.tiesEmbedding
            ? embedding : try loader.rows("lm_head.weight", vocabulary, hidden)
        unused = try UnusedWeights.known(source, description)
        MappedBytes.willNeed(loader.used)
    }
}

/// Reads tensors by their names in a checkpoint.
private struct DecoderLoader<Source: WeightSource> {
    let reader: WeightReader<Source>
    /// Mapped tensors that every token needs.
    private(set) var used: [MappedBytes] = []
    private let description: ModelDescription
    private let source: Source
    private var nextSlot = 0

    init(_ description: ModelDescription, _ source: Source) {
        self.description = description
        self.source = source
        reader = WeightReader(source)
    }

    mutating func layer(_ index: Int) throws(ModelError) -> DecoderModel.Layer {
        let hidden = description.hiddenSize
        let name = "model.layers.\(index)"
        let layer = description.layers[index]
        return DecoderModel.Layer(
            attentionNorm: try reader.vector("\(name).input_layernorm.weight", hidden),
            attention: try attention(layer, "\(name).self_attn"),
            feedForwardNorm: try reader.vector("\(name).post_attention_layernorm.weight", hidden),
            feedForward: try feedForward(layer.feedForward, index))
    }

    mutating func rows(
        _ name: String, _ rows: Int, _ columns: Int
    ) throws(ModelError) -> RowMatrix {
        let isCopied = source.releasesMap
        if !isCopied { used.append(try reader.weights(name, [rows, columns]).bytes) }
        return try reader.rows(name, rows, columns, isCopied: isCopied)
    }

    private mutating func linear(
        _ name: String, _ outputs: Int, _ inputs: Int, bias: Bool = false
    ) throws(ModelError) -> DecoderModel.Linear {
        DecoderModel.Linear(
            matrix: try rows(name + ".weight", outputs, inputs),
            bias: bias ? try reader.vector(name + ".bias", outputs) : [])
    }

    // MARK: Attention

    private mutating func attention(
        _ layer: ModelDescription.Layer, _ name: String
    ) throws(ModelError) -> DecoderModel.Attention {
        switch layer.attention {
        case .grouped(let sizes): .grouped(try grouped(sizes, layer.window, name))
        case .latent(let sizes): .latent(try latent(sizes, layer.window, name))
        }
    }

    private mutating func grouped(
        _ sizes: ModelDescription.GroupedAttention, _ window: Int?, _ name: String
    ) throws(ModelError) -> DecoderModel.Grouped {
        let hidden = description.hiddenSize
        let (width, keyWidth) = (sizes.heads * sizes.headSize, sizes.keyHeads * sizes.headSize)
        let norms: (query: Int, key: Int)? =
            switch sizes.norm {
            case .none: nil
            case .projection: (width, keyWidth)
            case .head: (sizes.headSize, sizes.headSize)
            }
        return DecoderModel.Grouped(
            shape: AttentionShape(
                heads: sizes.heads, keyHeads: sizes.keyHeads, keySize: sizes.headSize,
                valueSize: sizes.headSize, scale: 1 / Float(sizes.headSize).squareRoot(),
                window: window,
                sinks: sizes.hasSinks ? try reader.vector("\(name).sinks", sizes.heads) : []),
            query: try linear("\(name).q_proj", width, hidden, bias: sizes.hasBias),
            key: try linear("\(name).k_proj", keyWidth, hidden, bias: sizes.hasBias),
            value: try linear("\(name).v_proj", keyWidth, hidden, bias: sizes.hasBias),
            output: try linear("\(name).o_proj", hidden, width, bias: sizes.outputHasBias),
            queryNorm: try norms.map { norms throws(ModelError) in
                try reader.vector("\(name).q_norm.weight", norms.query)
            } ?? [],
            keyNorm: try norms.map { norms throws(ModelError) in
                try reader.vector("\(name).k_norm.weight", norms.key)
            } ?? [],
            clip: sizes.clip)
    }

    private mutating func latent(
        _ sizes: ModelDescription.LatentAttention, _ window: Int?, _ name: String
    ) throws(ModelError) -> DecoderModel.Latent {
        let hidden = description.hiddenSize
        let width = sizes.heads * (sizes.plainSize + sizes.turningSize)
        var queryDown: DecoderModel.Linear?
        var queryNorm: [Float] = []
        if let rank = sizes.queryRank {
            queryDown = try linear("\(name).q_a_proj", rank, hidden, bias: sizes.hasBias)
            queryNorm = try reader.vector("\(name).q_a_layernorm.weight", rank)
        }
        return DecoderModel.Latent(
            shape: AttentionShape(
                heads: sizes.heads, keyHeads: 1, keySize: sizes.rank + sizes.turningSize,
                valueSize: sizes.rank, scale: sizes.scale(description.rotation), window: window),
            sizes: sizes, queryDown: queryDown, queryNorm: queryNorm,
            query: try linear(
                "\(name).\(queryDown == nil ? "q_proj" : "q_b_proj")", width,
                sizes.queryRank ?? hidden),
            compress: try linear(
                "\(name).kv_a_proj_with_mqa", sizes.rank + sizes.turningSize, hidden,
                bias: sizes.hasBias),
            latentNorm: try reader.vector("\(name).kv_a_layernorm.weight", sizes.rank),
            expand: try rows(
                "\(name).kv_b_proj.weight", sizes.heads * (sizes.plainSize + sizes.valueSize),
                sizes.rank),
            output: try linear(
                "\(name).o_proj", hidden, sizes.heads * sizes.valueSize, bias: sizes.hasBias))
    }

    // MARK: Feed-forward

    private mutating func feedForward(
        _ kind: ModelDescription.FeedForward, _ layer: Int
    ) throws(ModelError) -> DecoderModel.FeedForward {
        switch kind {
        case .dense(let inner): .dense(try dense("model.layers.\(layer).mlp", inner))
        case .experts(let sizes): .experts(try experts(sizes, layer))
        }
    }

    private mutating func dense(
        _ name: String, _ inner: Int
    ) throws(ModelError) -> DecoderModel.Dense {
        let hidden = description.hiddenSize
        return DecoderModel.Dense(
            gate: try rows("\(name).gate_proj.weight", inner, hidden),
            up: try rows("\(name).up_proj.weight", inner, hidden),
            down: try rows("\(name).down_proj.weight", hidden, inner))
    }

    private mutating func experts(
        _ sizes: ModelDescription.Experts, _ layer: Int
    ) throws(ModelError) -> DecoderModel.Experts {
        let name = "model.layers.\(layer)"
        let table = try source.experts(layer: layer)
        guard table.count == sizes.count else {
            throw ModelError(
                .badTensor,
                "layer \(layer) has \(table.count) experts; config asks for \(sizes.count)")
        }
        guard let type = table.parts.first?.type, type.isTrunkType else {
            throw unfit(table, layer, "experts of type F32, F16 or BF16")
        }
        let form = GatedExpertForm(
            kind: sizes.kind, width: description.hiddenSize, inner: sizes.inner, type: type)
        guard table.parts == form.parts else { throw unfit(table, layer, "\(form.parts)") }
        defer { nextSlot += 1 }
        return DecoderModel.Experts(
            router: try router(sizes, name), table: table, form: form,
            shared: try sizes.sharedInner.map { inner throws(ModelError) in
                try dense("\(name).mlp.shared_experts", inner)
            }, slot: nextSlot)
    }

    private func unfit(_ table: any ExpertTable, _ layer: Int, _ wanted: String) -> ModelError {
        ModelError(
            .badTensor,
            "an expert of layer \(layer) is \(table.parts); config asks for \(wanted)")
    }

    private mutating func router(
        _ sizes: ModelDescription.Experts, _ layer: String
    ) throws(ModelError) -> LinearRouter {
        // The spellings of one thing; the error names the first when none can be read.
        let names = ["mlp.gate", "block_sparse_moe.gate", "mlp.router"].map { "\(layer).\($0)" }
        let name = names.first { (try? source.tensor($0 + ".weight")) != nil } ?? names[0]
        let matrix = try rows(name + ".weight", sizes.count, description.hiddenSize)
        let scoring: ExpertScoring =
            switch sizes.scoring {
            case .softmaxOfPicked: .softmaxOfPicked
            case .softmaxOfAll(let normalised): .softmaxOfAll(normalised: normalised)
            case .sigmoid(let groups, let picked, let normalised, let scale):
                .sigmoid(
                    SigmoidScoring(
                        correction: try reader.vector(
                            name + ".e_score_correction_bias", sizes.count),
                        groups: groups, pickedGroups: picked, isNormalised: normalised,
                        scale: scale))
            }
        return LinearRouter(
            matrix, bias: sizes.routerHasBias ? try reader.vector(name + ".bias", sizes.count) : [],
            topK: sizes.topK, scoring: scoring)
    }
}
