package import Elements

/// Which parts of a model are kept as codes and scales, and how; nil for floats.
package struct CodedParts: Sendable, Hashable {
    package internal(set) var experts: CodedWeights?
    /// Matrices of attention, feed-forwards and the head.
    package internal(set) var dense: CodedWeights?
    /// Linear routers that have a form of their own; else they are as other matrices.
    package internal(set) var routers: CodedWeights?
    package internal(set) var embedding: CodedWeights?

    /// One of them; nil where all weights are floats.
    package var any: CodedWeights? { experts ?? dense ?? routers ?? embedding }

    init() {}

    /// What a published checkpoint has in one form.
    init(all weights: CodedWeights) {
        experts = weights
        dense = weights.isOfStackedExperts ? nil : weights
    }
}

/// Our own codes: blocks of 32 elements of a row with a scale of F16, the numbers of GGUF's Q8_0 and Q4_0.
package enum BlockForm: String, CaseIterable, Sendable {
    /// A byte an element.
    case q8
    /// Half a byte.
    case q4

    /// Elements of a row that share a scale.
    package static let size = 32

    package var coding: WeightCoding {
        switch self {
        case .q8: .q8
        case .q4: .q4
        }
    }

    /// The matrices of a part of a model in this form.
    ///
    /// - Parameter isStacked: Of experts of which all of a layer are in one tensor, with biases.
    package func weights(isStacked: Bool = false) -> CodedWeights {
        isStacked
            ? CodedWeights(
                method: CodedWeights.ownMethod, coding, codes: "blocks", scales: "scales",
                isOfStackedExperts: true)
            : CodedWeights(
                method: CodedWeights.ownMethod, coding,
                codes: self == .q8 ? "weight" : "weight_packed", scales: "weight_scale")
    }

    /// The form of weights that are kept in one; nil for others.
    package init?(_ weights: CodedWeights?) {
        guard let weights, weights.method == CodedWeights.ownMethod,
            let form = Self.allCases.first(where: { $0.coding == weights.coding })
        else { return nil }
        self = form
    }
}

/// Which parts of a model are in which of our own forms.
package struct BlockForms: Sendable, Hashable {
    package var experts: BlockForm?
    package var dense: BlockForm?
    package var routers: BlockForm?
    package var embedding: BlockForm?

    package init(
        experts: BlockForm? = nil, dense: BlockForm? = nil, routers: BlockForm? = nil,
        embedding: BlockForm? = nil
    ) {
        (self.experts, self.dense) = (experts, dense)
        (self.routers, self.embedding) = (routers, embedding)
    }

    /// Those that a model has.
    package init(_ parts: CodedParts) {
        self.init(
            experts: BlockForm(parts.experts), dense: BlockForm(parts.dense),
            routers: BlockForm(parts.routers), embedding: BlockForm(parts.embedding))
    }

    /// By the words for the parts, in one order.
    package var all: [(part: String, form: BlockForm?)] {
        [("experts", experts), ("dense", dense), ("routers", routers), ("embeddings", embedding)]
    }

    /// These, of parts that have others in a form as well.
    package func kept(by others: BlockForms) -> BlockForms {
        BlockForms(
            experts: others.experts == nil ? nil : experts,
            dense: others.dense == nil ? nil : dense,
            routers: others.routers == nil ? nil : routers,
            embedding: others.embedding == nil ? nil : embedding)
    }

    /// Which parts are in which form, in words.
    package var words: String {
        all.compactMap { part, form in form.map { "\(part) \($0.rawValue)" } }
            .joined(separator: ", ")
    }

    // MARK: config.json

    private static let field = "quantization_config"

    /// How the config lists the forms, for a merge of configs.
    package static var configParts: JSONMerge.Parts {
        JSONMerge.Parts(
            field, frame: ["quant_method", "block_size", "scale_dtype"],
            mark: ("quant_method", CodedWeights.ownMethod))
    }

    /// A config.json that says that a model is in these forms.
    ///
    /// - Throws: `.badConfig` for what is no JSON, or no object.
    package func config(_ config: [UInt8]) throws -> [UInt8] {
        var text = JSONEdit(config, source: "config.json", code: .badConfig)
        let forms = all.compactMap { part, form in
            form.map { ",\n    \"\(part)\": \"\($0.rawValue)\"" }
        }
        let value =
            "{\n    \"quant_method\": \"\(CodedWeights.ownMethod)\",\n    \"block_size\": \(BlockForm.size),\n"
            + "    \"scale_dtype\": \"\(CodedWeights.scaleType)\"\(forms.joined())\n  }"
        guard try text.set(Self.field, json: value) else {
            throw CambiumError(.badConfig, "config.json is no object with members")
        }
        return text.bytes
    }
}

extension CodedParts {
    /// What a config says of quantised weights; nil when it says nothing.
    ///
    /// - Throws: As ``CodedWeights/init(_:_:)``.
    init?(_ fields: ConfigFields, _ family: Architecture) throws {
        if let own = try fields.object("quantization_config"),
            try own.text("quant_method") == CodedWeights.ownMethod
        {
            try self.init(blocks: own, family)
            return
        }
        guard let weights = try CodedWeights(fields, family) else { return nil }
        self.init(all: weights)
    }

    private init(blocks own: ConfigFields, _ family: Architecture) throws {
        let name = "quantization_config"
        _ = try own.whole("block_size", in: BlockForm.size...BlockForm.size)
        guard try own.text("scale_dtype") == CodedWeights.scaleType else {
            throw CodedWeights.refused(
                "\(name).scale_dtype", try own.text("scale_dtype") ?? "null",
                "\(CodedWeights.scaleType) is run")
        }
        func form(_ part: String) throws -> BlockForm? {
            guard let word = try own.text(part) else { return nil }
            guard let form = BlockForm(rawValue: word) else {
                throw CodedWeights.refused("\(name).\(part)", word, "q8 and q4 are run")
            }
            return form
        }
        experts = try form("experts")?.weights(isStacked: family.names.isOpaque)
        dense = try form("dense")?.weights()
        routers = try form("routers")?.weights()
        embedding = try form("embeddings")?.weights()
        guard any != nil else {
            throw CodedWeights.refused(
                name, "without a part", "it names the form of experts, dense, routers or embeddings"
            )
        }
    }
}
