internal import Elements

extension CodedWeights {
    private static let fields = ["quantization_config", "compression_config"]

    /// Reads what a config says of quantised weights; nil when it says nothing.
    ///
    /// What is run is the model of the stored weights: codes times scales. That a config also asks to round hidden
    /// states to codes while it runs (`activation_scheme` and `input_activations` that are dynamic) is a matter of
    /// speed on other hardware, and is not done. Scales of hidden states that were fitted belong to the model, and are
    /// refused.
    ///
    /// - Throws: `.badConfig`, naming the field.
    init?(_ fields: ConfigFields, _ family: Architecture) throws {
        guard let name = Self.fields.first(where: { fields.has($0) }),
            let own = try fields.object(name)
        else { return nil }
        let method =
            try own.text("quant_method")
            ?? (name == "compression_config" ? "compressed-tensors" : "a method without a name")
        switch method {
        case "mxfp4": try self.init(mxfp4: own, family, name)
        case "fp8": try self.init(fp8: own, name)
        case "compressed-tensors": try self.init(compressed: own, name)
        case "awq", "gptq": try self.init(byColumns: own, method, name)
        default:
            throw Self.refused(
                "\(name).quant_method", method,
                "mxfp4, fp8, compressed-tensors, awq, gptq and cambium are run, and weights of F32, F16 and BF16: convert them, and leave "
                    + "the field out")
        }
        guard !family.names.isOpaque || isOfStackedExperts else {
            throw Self.refused(
                "\(name).quant_method", method, "of \(family.name) only mxfp4 is run")
        }
    }

    private init(mxfp4 own: ConfigFields, _ family: Architecture, _ name: String) throws {
        guard family.names.isOpaque else {
            throw Self.refused(
                "\(name).quant_method", "mxfp4", "it is run of \(Architecture.gptOSS.name) alone")
        }
        self.init(
            method: "mxfp4", .mxfp4, codes: "blocks", scales: "scales", isOfStackedExperts: true,
            exempt: try own.texts("modules_to_not_convert") ?? [])
    }

    /// Blocks of E4M3, or whole matrices, as DeepSeek-V3 and Qwen3 are published.
    private init(fp8 own: ConfigFields, _ name: String) throws {
        try Self.only(own, name, "fmt", ["e4m3"])
        try Self.only(own, name, "activation_scheme", ["dynamic"])
        try Self.only(own, name, "scale_fmt", ["float", "ue8m0"])
        try Self.only(own, name, "expert_dtype", ["fp8"])
        if let further = try own.texts("modules_to_convert"), !further.isEmpty {
            throw Self.refused(
                "\(name).modules_to_convert", further.joined(separator: ", "),
                "only matrices of attention and feed-forward are run as codes")
        }
        let size = "weight_block_size"
        var block: [Int]? = [128, 128]
        if own.states(size) { block = try own.wholes(size, in: 1...1 << 24) }
        if let block, block.count != 2 {
            throw Self.refused("\(name).\(size)", "\(block)", "it has rows and columns")
        }
        self.init(
            method: "fp8",
            WeightCoding(
                .e4m3, scaleRows: block?[0],
                scaleColumns: try block.map { try Self.columns($0[1], "\(name).\(size)") }),
            codes: "weight", scales: "weight_scale_inv",
            exempt: try own.texts("modules_to_not_convert") ?? own.texts("ignored_layers") ?? [])
    }

    /// What llm-compressor and vLLM write: E4M3, or numbers of 4 bits.
    private init(compressed own: ConfigFields, _ name: String) throws {
        for part in ["kv_cache_scheme", "sparsity_config", "transform_config"] {
            guard let found = try own.object(part), !found.isEmpty else { continue }
            throw Self.refused("\(name).\(part)", "an object", "null is run")
        }
        let groups = try own.object("config_groups")
        guard let groups, groups.objects.count == 1,
            let group = try groups.object(groups.objects[0])
        else {
            throw Self.refused(
                "\(name).config_groups", "\(groups?.objects.count ?? 0) groups", "one is run")
        }
        let place = "\(name).config_groups.\(groups.objects[0])"
        let targets = try group.texts("targets") ?? []
        guard targets == ["Linear"] else {
            throw Self.refused(
                "\(place).targets", targets.joined(separator: ", "), "Linear alone is run")
        }
        guard let weights = try group.object("weights") else {
            throw Self.refused("\(place).weights", "null", "weights of 4 or 8 bits are run")
        }
        if group.has("output_activations") {
            throw Self.refused("\(place).output_activations", "an object", "null is run")
        }
        if let inputs = try group.object("input_activations"),
            try !inputs.flag("dynamic", otherwise: false)
        {
            throw Self.refused(
                "\(place).input_activations.dynamic", "false",
                "scales of hidden states that were fitted are not applied")
        }
        let format = try group.text("format") ?? own.text("format")
        let coding = try Self.coding(weights, "\(place).weights", format: format)
        guard let format, Self.formats(coding.code).contains(format) else {
            throw Self.refused(
                "\(name).format", format ?? "null",
                "it is \(Self.formats(coding.code).joined(separator: " or ")) for such weights")
        }
        let isPacked = coding.code == .int4
        self.init(
            method: "compressed-tensors", coding, codes: isPacked ? "weight_packed" : "weight",
            scales: "weight_scale", shape: isPacked ? "weight_shape" : nil,
            exempt: (try own.texts("ignore") ?? []).filter { !$0.hasPrefix("re:") })
    }

    /// What AutoAWQ and GPTQModel write: numbers of 4 bits with zero points, by columns.
    private init(byColumns own: ConfigFields, _ method: String, _ name: String) throws {
        _ = try own.whole("bits", in: 4...4)
        let size = try own.whole("group_size", in: 1...1 << 24)
        guard try !own.flag("is_marlin_format", otherwise: false) else {
            throw Self.refused(
                "\(name).is_marlin_format", "true",
                "codes that are laid out anew are not run, false is"
            )
        }
        let code: WeightCoding.Code
        if method == "awq" {
            _ = try Self.format(own, name, ["version"], ["gemm"])
            guard try own.flag("zero_point", otherwise: true) else {
                throw Self.refused("\(name).zero_point", "false", "true is run")
            }
            code = .awq
        } else {
            guard try !own.flag("desc_act", otherwise: false) else {
                throw Self.refused(
                    "\(name).desc_act", "true",
                    "groups of adjacent inputs are run, without a permutation (g_idx)")
            }
            for rule in try own.object("dynamic").map(\.objects) ?? [] {
                guard let changes = try own.object("dynamic")?.object(rule), !changes.isEmpty
                else { continue }
                throw Self.refused("\(name).dynamic", rule, "all codes of one kind are run")
            }
            let format = try Self.format(own, name, [], ["gptq", "gptq_v2"])
            // The first format kept zero points less 1, and of a word all at once.
            code = .gptq(zeroStep: format == "gptq_v2" ? 0 : 1)
        }
        self.init(
            method: method,
            WeightCoding(
                code, scaleRows: 1, scaleColumns: try Self.columns(size, "\(name).group_size")),
            codes: "qweight", scales: "scales", zeros: "qzeros",
            groups: method == "gptq" ? "g_idx" : nil,
            exempt: try own.texts("modules_to_not_convert") ?? [])
    }

    private static func formats(_ code: WeightCoding.Code) -> [String] {
        code == .int4 ? ["pack-quantized"] : ["float-quantized", "naive-quantized"]
    }

    private static func coding(
        _ weights: ConfigFields, _ place: String, format: String?
    ) throws -> WeightCoding {
        let bits = try weights.whole("num_bits", in: 1...64)
        let type = try weights.text("type") ?? "int"
        let code: WeightCoding.Code
        switch (type, bits) {
        case ("float", 8): code = .e4m3
        case ("int", 4): code = .int4
        default:
            throw refused(
                "\(place).num_bits", "\(bits) of type \(type)", "float of 8 and int of 4 are run")
        }
        guard try weights.flag("symmetric", otherwise: true) else {
            throw refused("\(place).symmetric", "false", "weights without zero points are run")
        }
        guard try !weights.flag("dynamic", otherwise: false) else {
            throw refused("\(place).dynamic", "true", "weights have scales that are stored")
        }
        if weights.has("actorder"), try !isOff(weights, "actorder") {
            let order = try weights.text("actorder") ?? ""
            guard ["weight", "static"].contains(order) else {
                throw refused(
                    "\(place).actorder", order,
                    "groups of adjacent columns are run, without a g_idx")
            }
        }
        let strategy = try weights.text("strategy") ?? "tensor"
        switch strategy {
        case "tensor": return WeightCoding(code, scaleRows: nil, scaleColumns: nil)
        case "channel": return WeightCoding(code, scaleRows: 1, scaleColumns: nil)
        case "group":
            let size = try weights.whole("group_size", in: 1...1 << 24)
            return WeightCoding(
                code, scaleRows: 1, scaleColumns: try columns(size, "\(place).group_size"))
        case "block":
            let block = try weights.wholes("block_structure", in: 1...1 << 24) ?? []
            guard block.count == 2 else {
                throw refused("\(place).block_structure", "\(block)", "it has rows and columns")
            }
            return WeightCoding(
                code, scaleRows: block[0],
                scaleColumns: try columns(block[1], "\(place).block_structure"))
        default:
            throw refused("\(place).strategy", strategy, "tensor, channel, group and block are run")
        }
    }

    /// Whether a field that may be a text is false.
    private static func isOff(_ fields: ConfigFields, _ name: String) throws -> Bool {
        (try? fields.flag(name)) == false
    }

    private static func columns(_ size: Int, _ field: String) throws -> Int {
        guard size % WeightCoding.columnStep == 0 else {
            throw refused(
                field, "\(size)",
                "elements that share a scale are run by multiples of \(WeightCoding.columnStep)")
        }
        return size
    }

    /// How codes are laid out, in lower case: what all the fields say that programs write of it; nil where none is there.
    private static func format(
        _ own: ConfigFields, _ name: String, _ fields: [String], _ allowed: [String]
    ) throws -> String? {
        var found: (field: String, value: String)?
        for field in fields + ["checkpoint_format", "format"] {
            try only(own, name, field, allowed)
            guard let value = try own.text(field)?.lowercased() else { continue }
            if let found, found.value != value {
                throw refused(
                    "\(name).\(field)", value,
                    "\(found.field) is \(found.value.debugDescription), and both say how codes are laid out"
                )
            }
            found = (field, value)
        }
        return found?.value
    }

    /// Refuses a text that is there and none of these.
    private static func only(
        _ own: ConfigFields, _ name: String, _ field: String, _ allowed: [String]
    ) throws {
        guard let value = try own.text(field), !allowed.contains(value.lowercased()) else {
            return
        }
        throw refused(
            "\(name).\(field)", value, "\(allowed.joined(separator: " and ")) is run")
    }

    static func refused(_ field: String, _ value: String, _ run: String) -> CambiumError {
        CambiumError(.badConfig, "config \(field) is \(value.debugDescription); \(run)")
    }
}
