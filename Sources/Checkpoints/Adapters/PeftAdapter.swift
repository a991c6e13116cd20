internal import Elements
internal import Files

/// An adapter as the peft library saves it: a folder with adapter_config.json and adapter_model.safetensors.
package struct PeftAdapter: Sendable {
    package static let configName = "adapter_config.json"
    package static let tensorsName = "adapter_model.safetensors"
    /// What peft puts before the names of the model's modules.
    private static let prefix = "base_model.model."

    /// The adapter's own tensors, with its config as a file.
    let checkpoint: Checkpoint
    private let config: JSONValue

    /// - Throws: `not-a-checkpoint` for a folder without one of the two files; `bad-config`, and the codes of a bad
    ///   safetensors file.
    package init(opening folder: String) throws {
        for name in [Self.configName, Self.tensorsName] where !fileExists("\(folder)/\(name)") {
            throw CambiumError(
                .notACheckpoint,
                "\(folder) has no \(name); an adapter is a folder as peft's save_pretrained writes it, in safetensors"
            )
        }
        let text = try readFile(
            "\(folder)/\(Self.configName)", limit: Checkpoint.greatestAuxiliarySize)
        let source = "\(folder)/\(Self.configName)"
        config = try JSONValue(parsing: text, source: source, code: .badConfig)
        guard case .object = config else {
            throw CambiumError(.badConfig, "\(source) is not a JSON object")
        }
        checkpoint = try Checkpoint(
            path: folder, isFolder: true,
            files: [
                Checkpoint.File(
                    name: Self.tensorsName,
                    content: try SafetensorsFile(opening: "\(folder)/\(Self.tensorsName)"))
            ], auxiliary: [Checkpoint.Auxiliary(name: Self.configName, content: text)])
    }

    /// A product that is added to a weight of the model.
    struct Delta {
        /// The weight's name in the model.
        let target: String
        /// `lora_A`: [rank, inputs].
        let a: Checkpoint.Tensor
        /// `lora_B`: [outputs, rank].
        let b: Checkpoint.Tensor
        /// What the product is multiplied by.
        let scale: Float
    }

    /// What the adapter does to the model's weights.
    struct Content {
        var deltas: [Delta] = []
        /// Weights that it has whole (peft's `modules_to_save`), by their names in the model.
        var whole: [(name: String, tensor: Checkpoint.Tensor)] = []
    }

    /// - Throws: `unsupported` for adapters of another kind than LoRA on the weights of modules, by name; `bad-shape`
    ///   for matrices that do not fit each other; `bad-config`.
    func content() throws -> Content {
        try checkKind()
        var content = Content()
        for tensor in checkpoint.tensors {
            guard tensor.name.hasPrefix(Self.prefix) else { throw unknown(tensor) }
            let name = String(tensor.name.dropFirst(Self.prefix.count))
            if let module = name.stem(before: ".lora_A.weight") {
                guard let b = checkpoint.tensor(named: "\(Self.prefix)\(module).lora_B.weight")
                else {
                    throw CambiumError(
                        .missingTensor, "\(checkpoint.path): \(module) has lora_A but no lora_B")
                }
                content.deltas.append(try delta(module, tensor, b))
            } else if let module = name.stem(before: ".lora_B.weight") {
                guard checkpoint.tensor(named: "\(Self.prefix)\(module).lora_A.weight") != nil
                else {
                    throw CambiumError(
                        .missingTensor, "\(checkpoint.path): \(module) has lora_B but no lora_A")
                }
            } else if name.contains(".lora_") {
                throw unknown(tensor)
            } else {
                content.whole.append((name, tensor))
            }
        }
        return content
    }

    private func delta(
        _ module: String, _ a: Checkpoint.Tensor, _ b: Checkpoint.Tensor
    ) throws -> Delta {
        let (left, right) = (b.shape.dimensions, a.shape.dimensions)
        guard left.count == 2, right.count == 2, left[1] == right[0], left.allSatisfy({ $0 > 0 }),
            right.allSatisfy({ $0 > 0 })
        else {
            throw CambiumError(
                .badShape,
                "\(checkpoint.path): \(module).lora_B is \(b.shape) and lora_A \(a.shape); they are "
                    + "[outputs, rank] and [rank, inputs]")
        }
        let alpha = try self.alpha(of: module)
        let rank = Double(right[0])
        let isStabilised = config["use_rslora"] == .bool(true)
        return Delta(
            target: "\(module).weight", a: a, b: b,
            scale: Float(alpha / (isStabilised ? rank.squareRoot() : rank)))
    }

    /// `lora_alpha`, or what `alpha_pattern` says of the module: its name, or how that ends behind a dot.
    private func alpha(of module: String) throws -> Double {
        if case .object(let patterns)? = config["alpha_pattern"] {
            var found: [Double] = []
            for (pattern, value) in patterns.sorted(by: { isBefore($0.key, $1.key) }) {
                guard pattern.utf8.allSatisfy({ $0.isOfPlainName }) else {
                    throw unsupported("alpha_pattern \(quoted(pattern)), a regular expression")
                }
                if module == pattern || module.hasSuffix("." + pattern) {
                    found.append(try number(value, "alpha_pattern"))
                }
            }
            // Of several peft takes the first in the file's order.
            guard found.count < 2 else {
                throw unsupported("several entries of alpha_pattern for \(quoted(module))")
            }
            if let alpha = found.first { return alpha }
        }
        guard let alpha = config["lora_alpha"] else {
            throw CambiumError(
                .badConfig, "\(checkpoint.path): adapter_config.json lacks lora_alpha")
        }
        return try number(alpha, "lora_alpha")
    }

    private func number(_ value: JSONValue, _ key: String) throws -> Double {
        switch value {
        case .integer(let number): return Double(number)
        case .number(let number) where number.isFinite: return number
        default:
            throw CambiumError(.badConfig, "\(checkpoint.path): \(key) is not a number")
        }
    }

    private func checkKind() throws {
        guard config["peft_type"]?.string == "LORA" else {
            throw unsupported("peft_type \(quoted(config["peft_type"]?.string ?? "?"))")
        }
        // What changes the product, the model around it, or when it is added.
        for key in [
            "use_dora", "fan_in_fan_out", "lora_bias", "use_qalora", "use_bdlora",
            "layer_replication",
            "alora_invocation_tokens", "arrow_config", "kasa_config", "lora_ga_config",
            "velora_config",
            "monteclora_config",
        ] {
            guard let value = config[key], value != .null, value != .bool(false) else { continue }
            throw unsupported(key)
        }
        // Others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) begin by changing the weights that it is added to.
        switch config["init_lora_weights"] {
        case nil, .null, .bool, .string("gaussian"), .string("orthogonal"), .string("eva"): break
        case let way: throw unsupported("init_lora_weights \(quoted(way?.string ?? "?"))")
        }
        if let bias = config["bias"]?.string, bias != "none" {
            throw unsupported("bias \(quoted(bias))")
        }
        if let targets = config["target_parameters"]?.array, !targets.isEmpty {
            throw unsupported("target_parameters, of experts that a tensor stacks")
        }
    }

    private func unsupported(_ what: String) -> CambiumError {
        CambiumError(
            .unsupported,
            "\(checkpoint.path): an adapter with \(what) is not added to its model here; merge it by peft "
                + "(merge_and_unload), or commit it as it is")
    }

    private func unknown(_ tensor: Checkpoint.Tensor) -> CambiumError {
        unsupported("the tensor \(quoted(tensor.name))")
    }
}

extension UInt8 {
    /// Letters, digits, `_`, `-` and the dot between modules.
    fileprivate var isOfPlainName: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: false
        }
    }
}
