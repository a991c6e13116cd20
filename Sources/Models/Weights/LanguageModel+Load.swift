package import Architectures
internal import Elements
internal import Routing
internal import Tensors

extension LanguageModel {
    /// Finds every weight and checks its dtype and shape against the description.
    ///
    /// Of matrices of rows, of floats or of codes, nothing is copied, but when the source gives its map back, to hold a limit of memory;
    /// packed matrices and vectors are, F16 and BF16 widened. Matrices of routers may be of I8, with their scales in
    /// `NAME.scale`.
    ///
    /// Every tensor that the source has is used or of an adapter, or its use is known and it is among ``unused``.
    ///
    /// - Throws: `.missingTensor`, `.badTensor` or `.unusedTensor`, naming the tensor; what the source throws.
    /// - Complexity: Reads no expert.
    package init(_ description: ModelDescription, source: some WeightSource) throws {
        let (hidden, vocabulary) = (description.hiddenSize, description.vocabularySize)
        let renamed = PrefixedWeights(source)
        let source = NotedWeights(renamed)
        var loader = WeightLoader(description, source)
        self.description = description
        frequencies = description.rotations.map(\.frequencies)
        holdsLimit = source.releasesMap
        // A token reads one row of it.
        embedding = try loader.embedding(
            "model.embed_tokens.weight", vocabulary, hidden,
            isCopied: description.tiesEmbedding && source.releasesMap)
        let embedded = source.takeContent()
        var layers: [Layer] = []
        for index in description.layers.indices { layers.append(try loader.layer(index)) }
        self.layers = layers
        slots = loader.slots
        finalNorm = try loader.norm("model.norm", hidden)
        head =
            description.tiesEmbedding
            ? embedding : try loader.matrix("lm_head.weight", vocabulary, hidden)
        headBias =
            description.headHasBias ? try loader.reader.vector("lm_head.bias", vocabulary) : []
        headContent =
            description.tiesEmbedding
            ? source.takeContent().joined(embedded) : source.takeContent()
        matrices = loader.matrices.map { matrix in
            ModelMatrix(
                name: renamed.storedName(matrix.name), rows: matrix.rows, columns: matrix.columns,
                part: matrix.part)
        }
        unused = try UnusedWeights.known(source, description)
        MappedBytes.willNeedSoon(loader.used)
    }
}

/// Reads the parts of a model by their tensors' names in a checkpoint.
struct WeightLoader<Source: WeightSource> {
    let description: ModelDescription
    let source: NotedWeights<Source>
    let reader: WeightReader<NotedWeights<Source>>
    /// Mapped tensors that every token needs.
    private(set) var used: [MappedBytes] = []
    /// Of the layers so far.
    private(set) var slots: [LanguageModel.Slot] = []
    /// That rows were asked of so far, each once.
    private(set) var matrices: [ModelMatrix] = []

    init(_ description: ModelDescription, _ source: NotedWeights<Source>) {
        self.description = description
        self.source = source
        reader = WeightReader(source)
    }

    mutating func layer(_ index: Int) throws -> LanguageModel.Layer {
        let hidden = description.hiddenSize
        let name = "model.layers.\(index)"
        let layer = description.layers[index]
        let attentionNorm = try norm("\(name).\(description.attentionNorm)", hidden)
        let attention = try attention(layer, name)
        let normAfter = try layer.normAfter.map { try norm("\(name).\($0)", hidden) }
        let content = source.takeContent()
        let rows = try layer.rows.map { try self.rows($0, index) }
        var blocks: [LanguageModel.Block] = []
        for block in layer.blocks {
            let normBefore = try norm("\(name).\(block.norm)", hidden)
            let feedForward = try feedForward(block.feedForward, index)
            let normAfter = try block.normAfter.map { try norm("\(name).\($0)", hidden) }
            let scale = try block.scale.map { try reader.vector("\(name).\($0)", 1)[0] } ?? 1
            blocks.append(
                LanguageModel.Block(
                    norm: normBefore, feedForward: feedForward, normAfter: normAfter, scale: scale,
                    content: blockContent(feedForward)))
        }
        return LanguageModel.Layer(
            attentionNorm: attentionNorm, attentionNormAfter: normAfter, attention: attention,
            rows: rows, blocks: blocks, content: content)
    }

    /// The content of a block of which all was read.
    ///
    /// Gated experts may be of several models that run together. Neurons are read by one token after the other, so that
    /// nothing would be gained; and a limit of memory is held by the experts of one pool at a time.
    private func blockContent(_ feedForward: LanguageModel.FeedForward) -> PartContent {
        let read = source.takeContent()
        guard case .experts(let experts) = feedForward else { return read }
        let isOfOnePool = experts.form == nil || source.releasesMap
        return (isOfOnePool ? read.joined(experts.content) : read).with(experts.form)
    }

    /// The content of all experts of a layer.
    func expertContent(_ layer: Int) -> PartContent {
        PartContent([("experts", source.id(ofExperts: layer))])
    }

    /// A norm of hidden states.
    func norm(_ name: String, _ size: Int) throws -> LanguageModel.Norm {
        let weight = try reader.vector(name + ".weight", size)
        switch description.normForm {
        case .weighed: return LanguageModel.Norm(weight)
        case .aroundOne: return LanguageModel.Norm(weight.map { 1 + $0 })
        case .centred:
            return LanguageModel.Norm(weight, bias: try reader.vector(name + ".bias", size))
        }
    }

    /// A norm of queries or keys, which has no bias.
    private func headNorm(_ name: String, _ size: Int) throws -> [Float] {
        let weight = try reader.vector(name + ".weight", size)
        return description.normForm == .aroundOne ? weight.map { 1 + $0 } : weight
    }

    /// A matrix in the description's form.
    mutating func matrix(
        _ name: String, _ rows: Int, _ columns: Int
    ) throws -> any Projection {
        switch description.matrixForm {
        case .rows: return try self.rows(name, rows, columns)
        case .packed:
            let found = try reader.matrix(name, rows, columns)
            return SharedMatrices.matrix(source.id(of: name)) { PackedMatrix(found) }
        }
    }

    mutating func rows(
        _ name: String, _ rows: Int, _ columns: Int, of part: ModelMatrix.Part = .dense
    ) throws -> RowMatrix {
        let isCopied = source.releasesMap
        note(ModelMatrix(name: name, rows: rows, columns: columns, part: part))
        if let coded = try codedRows(
            name, rows, columns, as: description.coded.weights(of: part), isCopied: isCopied)
        {
            if !isCopied { used += coded.bytes }
            return RowMatrix(coded)
        }
        if !isCopied { used.append(try reader.weights(name, [rows, columns]).bytes) }
        return try reader.rows(name, rows, columns, isCopied: isCopied)
    }

    /// The matrix that has a row for each token.
    mutating func embedding(
        _ name: String, _ rows: Int, _ columns: Int, isCopied: Bool
    ) throws -> RowMatrix {
        note(ModelMatrix(name: name, rows: rows, columns: columns, part: .embedding))
        let coded = try codedRows(
            name, rows, columns, as: description.coded.embedding, isCopied: isCopied)
        if let coded { return RowMatrix(coded) }
        return try reader.rows(name, rows, columns, isCopied: isCopied)
    }

    mutating func note(_ matrix: ModelMatrix) {
        if !matrices.contains(where: { $0.name == matrix.name }) { matrices.append(matrix) }
    }

    // MARK: Attention

    mutating func linear(
        _ name: String, _ outputs: Int, _ inputs: Int, bias: Bool = false
    ) throws -> LanguageModel.Linear {
        LanguageModel.Linear(
            matrix: try matrix(name + ".weight", outputs, inputs),
            bias: bias ? try reader.vector(name + ".bias", outputs) : [])
    }

    private mutating func attention(
        _ layer: ModelDescription.Layer, _ name: String
    ) throws -> LanguageModel.Attention {
        switch layer.attention {
        case .grouped(let sizes): .grouped(try grouped(sizes, layer.window, name + ".self_attn"))
        case .latent(let sizes): .latent(try latent(sizes, layer.window, name + ".self_attn"))
        case .delta(let sizes): .delta(try delta(sizes, name + ".linear_attn"))
        }
    }

    private mutating func grouped(
        _ sizes: ModelDescription.GroupedAttention, _ window: Int?, _ name: String
    ) throws -> LanguageModel.Grouped {
        let hidden = description.hiddenSize
        let (width, keyWidth) = (sizes.heads * sizes.headSize, sizes.kvHeads * sizes.headSize)
        let norms: (query: Int, key: Int)? =
            switch sizes.norm {
            case .none: nil
            case .projection: (width, keyWidth)
            case .head: (sizes.headSize, sizes.headSize)
            }
        return LanguageModel.Grouped(
            shape: AttentionShape(
                heads: sizes.heads, kvHeads: sizes.kvHeads, keySize: sizes.headSize,
                valueSize: sizes.headSize,
                scale: sizes.scale ?? 1 / Float(sizes.headSize).squareRoot(),
                window: window,
                sinks: sizes.hasSinks ? try reader.vector("\(name).sinks", sizes.heads) : []),
            query: try linear(
                "\(name).q_proj", (sizes.isGated ? 2 : 1) * width, hidden, bias: sizes.hasBias),
            key: try linear("\(name).k_proj", keyWidth, hidden, bias: sizes.hasBias),
            value: try linear(
                "\(name).\(sizes.keysAreValues ? "k_proj" : "v_proj")", keyWidth, hidden,
                bias: sizes.hasBias),
            output: try linear("\(name).o_proj", hidden, width, bias: sizes.outputHasBias),
            queryNorm: try norms.map { try headNorm("\(name).q_norm", $0.query) } ?? [],
            keyNorm: try norms.map { try headNorm("\(name).k_norm", $0.key) } ?? [],
            clip: sizes.clip, turning: (sizes.rotation ?? description.rotation).size,
            isInterleaved: sizes.isInterleaved,
            valueNorm: sizes.normalisesValues
                ? [Float](repeating: 1, count: sizes.headSize) : [],
            rotation: description.rotations.firstIndex(
                of: sizes.rotation ?? description.rotation) ?? 0, isGated: sizes.isGated)
    }

    private mutating func latent(
        _ sizes: ModelDescription.LatentAttention, _ window: Int?, _ name: String
    ) throws -> LanguageModel.Latent {
        let hidden = description.hiddenSize
        let width = sizes.heads * (sizes.nopeHeadDim + sizes.ropeHeadDim)
        var queryDown: LanguageModel.Linear?
        var queryNorm: [Float] = []
        if let rank = sizes.queryRank {
            queryDown = try linear("\(name).q_a_proj", rank, hidden, bias: sizes.hasBias)
            queryNorm = try reader.vector("\(name).q_a_layernorm.weight", rank)
        }
        return LanguageModel.Latent(
            shape: AttentionShape(
                heads: sizes.heads, kvHeads: 1, keySize: sizes.rank + sizes.ropeHeadDim,
                valueSize: sizes.rank, scale: sizes.scale(description.rotation), window: window),
            sizes: sizes, queryDown: queryDown, queryNorm: queryNorm,
            query: try linear(
                "\(name).\(queryDown == nil ? "q_proj" : "q_b_proj")", width,
                sizes.queryRank ?? hidden),
            compress: try linear(
                "\(name).kv_a_proj_with_mqa", sizes.rank + sizes.ropeHeadDim, hidden,
                bias: sizes.hasBias),
            latentNorm: try reader.vector("\(name).kv_a_layernorm.weight", sizes.rank),
            expand: try expand(sizes, "\(name).kv_b_proj.weight"),
            output: try linear(
                "\(name).o_proj", hidden, sizes.heads * sizes.valueSize, bias: sizes.hasBias))
    }

    /// The matrix of latent attention whose rows are read by heads, and added up.
    private mutating func expand(
        _ sizes: ModelDescription.LatentAttention, _ name: String
    ) throws -> RowMatrix {
        let matrix = try rows(
            name, sizes.heads * (sizes.nopeHeadDim + sizes.valueSize), sizes.rank)
        guard !matrix.isByColumns else {
            throw CambiumError(
                .badTensor,
                "\(name) is codes by columns (\(description.coded.dense?.method ?? "")), which latent attention does not read; "
                    + "as floats, or as codes by rows (fp8, compressed-tensors), it is run")
        }
        return matrix
    }

    // MARK: Feed-forward

    private mutating func feedForward(
        _ kind: ModelDescription.FeedForward, _ layer: Int
    ) throws -> LanguageModel.FeedForward {
        switch kind {
        case .dense(let intermediateSize):
            return .dense(try dense("model.layers.\(layer).mlp", intermediateSize))
        case .experts(let sizes):
            return .experts(noted(try experts(sizes, layer, slot: slots.count), layer))
        case .neurons(let sizes):
            return .experts(noted(try neurons(sizes, layer, slot: slots.count), layer))
        }
    }

    private mutating func noted(
        _ experts: LanguageModel.Experts, _ layer: Int
    ) -> LanguageModel.Experts {
        slots.append(
            LanguageModel.Slot(
                number: layer, heads: experts.router.heads, topK: experts.router.topK,
                tables: [experts.table]))
        return experts
    }

    private mutating func rows(
        _ sizes: PeerConfig.Hash, _ layer: Int
    ) throws -> LanguageModel.Rows {
        let width = description.hiddenSize
        let tables = try source.rows(layer: layer).map { table in
            guard table.count == sizes.expertCount,
                let form = RowForm(table.parts, width: width)
            else {
                throw CambiumError(
                    .badTensor,
                    "the hashed rows of layer \(layer) are \(table.count) of \(table.parts); config asks for "
                        + "\(sizes.expertCount) of \(width) elements: floats, or codes of 2, 4 or 8 bits with "
                        + "a scale")
            }
            return (table, form)
        }
        let router = HashRouter(orders: sizes.orders, tableSize: sizes.tableSize)
        slots.append(
            LanguageModel.Slot(
                number: layer, heads: 1, topK: router.picksPerToken, tables: tables.map(\.0)))
        return LanguageModel.Rows(
            router: router, tables: tables, slot: slots.count - 1, content: expertContent(layer))
    }

    mutating func dense(
        _ name: String, _ intermediateSize: Int
    ) throws -> LanguageModel.Dense {
        let hidden = description.hiddenSize
        return LanguageModel.Dense(
            gate: try matrix("\(name).\(ExpertNames.gated[0])", intermediateSize, hidden),
            up: try matrix("\(name).\(ExpertNames.gated[1])", intermediateSize, hidden),
            down: try matrix("\(name).\(ExpertNames.gated[2])", hidden, intermediateSize))
    }
}
