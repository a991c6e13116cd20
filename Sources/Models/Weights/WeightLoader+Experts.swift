internal import Architectures
internal import Elements
internal import Routing
internal import Tensors

/// Experts and what picks them.
extension WeightLoader {
    /// Gated experts below a linear router.
    mutating func experts(
        _ sizes: ModelDescription.Experts, _ layer: Int, slot: Int
    ) throws -> LanguageModel.Experts {
        let name = "model.layers.\(layer)"
        let table = try source.experts(layer: layer)
        guard table.count == sizes.count else {
            throw CambiumError(
                .badTensor,
                "layer \(layer) has \(table.count) experts; config asks for \(sizes.count)")
        }
        return LanguageModel.Experts(
            router: try router(sizes, name), table: table, form: try form(table, sizes, layer),
            shared: try sizes.shared.map { shared in
                LanguageModel.Shared(
                    dense: try dense(
                        "\(name).mlp" + (shared.name.isEmpty ? "" : ".\(shared.name)"),
                        shared.intermediateSize),
                    gate: try shared.gate.map { try gate("\(name).mlp.\($0).weight") },
                    norm: try norm(shared.norm, in: name),
                    normAfter: try norm(shared.normAfter, in: name))
            }, routerNorm: sizes.routerIsScaled ? try routerNorm(name) : nil,
            normAfter: try norm(sizes.normAfter, in: name), slot: slot,
            content: expertContent(layer))
    }

    /// The row that tells how much shared experts count.
    private mutating func gate(_ name: String) throws -> any Projection {
        let columns = description.hiddenSize
        note(ModelMatrix(name: name, rows: 1, columns: columns, part: .gate))
        return try matrix(name, 1, columns)
    }

    /// A norm of a layer, where it has one.
    private func norm(_ name: String?, in layer: String) throws -> LanguageModel.Norm? {
        try name.map { try norm("\(layer).\($0)", description.hiddenSize) }
    }

    /// What a router that scales its input makes of the states: normalised, scaled, and divided by √hidden.
    private func routerNorm(_ layer: String) throws -> LanguageModel.Norm {
        let hidden = description.hiddenSize
        let part = 1 / Float(hidden).squareRoot()
        return LanguageModel.Norm(
            try reader.vector("\(layer).router.scale", hidden).map { $0 * part })
    }

    private func form(
        _ table: any ExpertTable, _ sizes: ModelDescription.Experts, _ layer: Int
    ) throws -> GatedExpertForm {
        if let coded = try codedExperts(table, sizes, layer) { return coded }
        guard let type = table.parts.first?.type, type.isTrunkType else {
            throw unfit(table, layer, "experts of type F32, F16 or BF16")
        }
        let form = GatedExpertForm(
            kind: sizes.kind, width: description.hiddenSize,
            intermediateSize: sizes.intermediateSize, type: type,
            activation: description.activation)
        guard table.parts == form.parts else { throw unfit(table, layer, "\(form.parts)") }
        return form
    }

    private func unfit(_ table: any ExpertTable, _ layer: Int, _ wanted: String) -> CambiumError {
        CambiumError(
            .badTensor,
            "an expert of layer \(layer) is \(table.parts); config asks for \(wanted)")
    }

    private mutating func router(
        _ sizes: ModelDescription.Experts, _ layer: String
    ) throws -> LinearRouter {
        let names = ExpertNames.routersInLayer
        let found = try spelling(
            names.map { "\(layer).\($0)" }, orEnding: description.coded.routers?.codes)
        let name = String(found.dropLast(".weight".count))
        let matrix = try linearRouter(name + ".weight", sizes.count, description.hiddenSize)
        let scoring: ExpertScoring =
            switch sizes.scoring {
            case .softmaxOfPicked: .softmaxOfPicked
            case .softmaxOfAll(let normalised): .softmaxOfAll(normalised: normalised)
            case .grouped(let grouping, let hasCorrection):
                .grouped(
                    GroupedScoring(
                        grouping,
                        correction: hasCorrection ? try correction(layer, sizes.count) : []))
            case .sparseMixer(let jitter): .sparseMixer(jitter: jitter)
            }
        return LinearRouter(
            matrix, bias: sizes.routerHasBias ? try reader.vector(name + ".bias", sizes.count) : [],
            topK: sizes.topK, scoring: scoring,
            expertScales: sizes.routerIsScaled
                ? try reader.vector("\(layer).router.per_expert_scale", sizes.count) : [])
    }

    /// The first of some spellings of one tensor that is there; the first of all when none is.
    ///
    /// One that is there and cannot be read is no reason to look for another.
    ///
    /// - Parameter codes: What a name may end with in the place of `weight`.
    private func spelling(_ names: [String], orEnding codes: String? = nil) throws -> String {
        for name in names {
            let coded = codes.map { name.dropLast("weight".count) + $0 }
            for own in [name] + (coded.map { [String($0)] } ?? []) {
                do {
                    _ = try source.tensor(own)
                    return name
                } catch let error as CambiumError where error.code == .missingTensor {}
            }
        }
        return names[0]
    }

    /// What steers a router's picks: one number for each expert, in a row or in a column of one row.
    private func correction(_ layer: String, _ count: Int) throws -> [Float] {
        let names = ExpertNames.blocks.flatMap { block in
            ExpertNames.corrections.map { "\(layer).\(block)\($0)" }
        }
        let name = try spelling(names)
        let isRow = try source.tensor(name).shape.dimensions.count == 2
        return try reader.values(name, isRow ? [1, count] : [count])
    }

    // MARK: Neurons

    /// Neurons below product keys or a tree.
    mutating func neurons(
        _ sizes: ModelDescription.Neurons, _ layer: Int, slot: Int
    ) throws -> LanguageModel.Experts {
        let name = "model.layers.\(layer)"
        let router: any Router =
            switch sizes {
            case .productKeys(let sizes): try productKeys(sizes, name)
            case .digits(let sizes, let heads): try digits(sizes, heads: heads, name)
            case .tree(let sizes, let hasBiases): try tree(sizes, hasBiases: hasBiases, name)
            }
        return LanguageModel.Experts(
            router: router, table: try table(layer, count: sizes.count), form: nil, shared: nil,
            slot: slot, content: expertContent(layer))
    }

    private mutating func productKeys(
        _ sizes: PeerConfig.Peer, _ name: String
    ) throws -> ProductKeyRouter {
        let query = try routerMatrix(
            "\(name).\(PeerNames.query)", sizes.heads * sizes.keySize, description.hiddenSize)
        let sets = try matrices(
            "\(name).\(PeerNames.subKeys)", [2, sizes.subKeys, sizes.keySize / 2],
            orFor: sizes.heads)
        let (first, second) = (0..<sets.count / 2, sets.count / 2..<sets.count)
        let isPerHead = sets.count > 2
        return ProductKeyRouter(
            query: query,
            keys: isPerHead
                ? ProductKeys(
                    first: stride(from: 0, to: sets.count, by: 2).map { sets[$0] },
                    second: stride(from: 1, to: sets.count, by: 2).map { sets[$0] })
                : ProductKeys(first: Array(sets[first]), second: Array(sets[second])),
            heads: sizes.heads, topK: sizes.topK)
    }

    /// Read-outs of digits that are solved from evidence.
    private func digits(
        _ sizes: PeerConfig.Peer, heads: Int, _ name: String
    ) throws -> DigitRouter {
        let (rows, width) = (2 * heads * sizes.subKeys, description.hiddenSize)
        let weights = try reader.values("\(name).\(PeerNames.digits)", [rows, width])
        let biases = try reader.vector("\(name).\(PeerNames.digitBiases)", rows)
        return DigitRouter(
            DigitReadOuts(
                heads: heads, counts: (sizes.subKeys, sizes.subKeys), width: width,
                weights: weights, biases: biases), topK: sizes.topK)
    }

    private func tree(
        _ sizes: PeerConfig.Tree, hasBiases: Bool, _ name: String
    ) throws -> TreeRouter {
        var (keys, biases): ([Matrix], [[Float]]) = ([], [])
        for (level, count) in sizes.keyCounts.enumerated() {
            let tensor = "\(name).\(PeerNames.tree)\(level)"
            keys.append(try reader.matrix(tensor, count, description.hiddenSize))
            if hasBiases { biases.append(try reader.vector(tensor + PeerNames.bias, count)) }
        }
        return TreeRouter(
            keys: keys, biases: biases, branching: sizes.branching, beam: sizes.beam,
            topK: sizes.topK)
    }

    private func table(_ layer: Int, count: Int) throws -> any ExpertTable {
        let table = try source.experts(layer: layer)
        guard table.count == count else {
            throw CambiumError(
                .badTensor,
                "layer \(layer) has \(table.count) experts; its router names \(count)")
        }
        guard let shape = table.neuronShape, shape.dimensions == [2, description.hiddenSize],
            shape.type.isTrunkType || shape.type == .i8
        else {
            throw unfit(
                table, layer, "[2, \(description.hiddenSize)] of type F32, F16, BF16 or I8")
        }
        return table
    }

    // MARK: Matrices of routers

    /// The matrix of a linear router: floats, or codes of the routers' own form; else as other matrices of routers.
    private mutating func linearRouter(
        _ name: String, _ rows: Int, _ columns: Int
    ) throws -> any Projection {
        note(ModelMatrix(name: name, rows: rows, columns: columns, part: .router))
        guard description.coded.routers != nil else {
            return try routerMatrix(name, rows, columns)
        }
        return try self.rows(name, rows, columns, of: .router)
    }

    /// A router's matrix, of floats in the description's form or quantised.
    private mutating func routerMatrix(
        _ name: String, _ rows: Int, _ columns: Int
    ) throws -> any Projection {
        let found = try reader.weights(name, [rows, columns], orQuantized: true)
        guard found.shape.type == .i8 else { return try matrix(name, rows, columns) }
        return try matrix(name, found, 0, rows, columns)
    }

    /// The matrices of a tensor whose leading dimensions number them: of `dimensions`, or of one such
    /// tensor for each of `count` heads.
    private func matrices(
        _ name: String, _ dimensions: [Int], orFor count: Int
    ) throws -> [any Projection] {
        let perHead = try source.tensor(name).shape.dimensions.count == dimensions.count + 1
        let all = perHead ? [count] + dimensions : dimensions
        let found = try reader.weights(name, all, orQuantized: true)
        let (rows, columns) = (all[all.count - 2], all[all.count - 1])
        var result: [any Projection] = []
        for index in 0..<all.dropLast(2).reduce(1, *) {
            result.append(try matrix(name, found, index, rows, columns))
        }
        return result
    }

    /// One of the matrices of a tensor.
    private func matrix(
        _ name: String, _ found: Weights, _ index: Int, _ rows: Int, _ columns: Int
    ) throws -> any Projection {
        let size = found.shape.type.bitWidth / 8 * rows * columns
        let bytes = found.bytes.slice(index * size..<(index + 1) * size)
        guard found.shape.type == .i8 else {
            return SharedMatrices.matrix(source.id(of: name), index) {
                PackedMatrix(
                    Matrix(rows: rows, columns: columns, bytes: bytes, type: found.shape.type))
            }
        }
        let scales = try reader.values(
            name + PeerNames.scale, Array(found.shape.dimensions.dropLast()))
        return QuantizedMatrix(
            rows: rows, columns: columns, values: bytes.bytes,
            scales: Array(scales[index * rows..<(index + 1) * rows]))
    }
}

extension GroupedScoring {
    /// As a config says it.
    fileprivate init(_ grouping: ExpertGrouping, correction: [Float]) {
        let score: Score =
            switch grouping.score {
            case .sigmoid: .sigmoid
            case .softmax: .softmax
            }
        self.init(
            score: score, correction: correction, groups: grouping.groups,
            pickedGroups: grouping.pickedGroups, groupBest: grouping.groupBest,
            isNormalised: grouping.isNormalised, leastSum: grouping.leastSum, scale: grouping.scale)
    }
}
