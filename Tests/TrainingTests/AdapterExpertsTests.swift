import Architectures
import Elements
import Models
import Tensors
import Testing
import Training

/// Weights of a model or an adapter in training, as a source for inference.
private struct TrainingWeights: WeightSource {
    var tensors: [String: Weights] = [:]
    var tables: [Int: HeldExpertTable] = [:]
    var poolTables: [Int: HeldExpertTable] = [:]

    mutating func add(_ tensors: [NamedTensor]) {
        for tensor in tensors {
            self.tensors[tensor.name] = Weights(
                shape: TensorShape(.f32, tensor.shape),
                bytes: MappedBytes(copying: tensor.values.storedBytes))
        }
    }

    func tensor(_ name: String) throws -> Weights {
        guard let found = tensors[name] else { throw CambiumError(.missingTensor, name) }
        return found
    }

    func experts(layer: Int) throws -> any ExpertTable {
        guard let found = tables[layer] else { throw CambiumError(.missingTensor, "\(layer)") }
        return found
    }

    func experts(layer: Int, of pool: String) throws -> any ExpertTable {
        guard let found = poolTables[layer] else { throw CambiumError(.missingTensor, pool) }
        return found
    }
}

@Suite("Experts of adapters")
struct AdapterExpertsTests {
    static let text: [UInt8] = (0..<10).map { UInt8(truncatingIfNeeded: $0 * 37 + 11) }

    enum Kind: CaseIterable { case neurons, swiglu }

    func sizes(_ kind: Kind) throws -> AdapterExperts {
        switch kind {
        case .neurons:
            .neurons(
                try PeerConfig.Peer(subKeys: 4, heads: 2, topK: 3, keySize: 8), layers: [0, 1])
        case .swiglu:
            .swiglu(try PeerConfig.Linear(experts: 3, topK: 2, width: 12), layers: [0, 1])
        }
    }

    func table(_ experts: [[Float]], _ sizes: AdapterExperts) -> HeldExpertTable {
        let parts: [TensorShape] =
            switch sizes {
            case .neurons: [TensorShape(.f32, [16]), TensorShape(.f32, [16])]
            case .swiglu(let linear, _):
                [
                    TensorShape(.f32, [linear.width, 16]), TensorShape(.f32, [linear.width, 16]),
                    TensorShape(.f32, [16, linear.width]),
                ]
            }
        return HeldExpertTable(experts.map(\.storedBytes), parts: parts)
    }

    /// The logits of a text in training.
    func logits(_ model: TrainableModel, usesExperts: Bool) -> [Float] {
        let pass = ForwardBackward(
            model: model, windows: 1, length: Self.text.count, usesExperts: usesExperts)
        pass.forward(Self.text)
        return pass.logits.array
    }

    /// Trains an adapter a little, so that its experts give something.
    func trained(
        _ base: TrainableModel, _ kind: Adapter.Kind, _ experts: AdapterExperts
    ) throws -> Adapter {
        let adapter = Adapter(
            on: base, kind: kind, usesExperts: false, experts: experts, seed: 4)
        var settings = TrainingSettings(budget: .steps(6), seed: 1)
        (settings.windows, settings.warmUp, settings.rate) = (2, 1, 2e-2)
        _ = try train(
            adapter, on: [TrainingText(Array("to be or not to be, that is it. ".utf8))],
            settings: settings)
        return adapter
    }

    @Test(
        "a new adapter with experts gives what the base without experts gives",
        arguments: Kind.allCases, [Adapter.Kind.dense, .lowRank(3)])
    func startsAsBase(of: Kind, kind: Adapter.Kind) throws {
        let experts = try sizes(of)
        let base = TrainableModel(config: try tinyConfig(experts: true), seed: 5)
        let adapter = Adapter(
            on: base, kind: kind, usesExperts: false, experts: experts, seed: 2)
        let (own, whole) = (
            logits(adapter.model, usesExperts: true), logits(base, usesExperts: false)
        )
        #expect(zip(own, whole).allSatisfy { abs($0 - $1) < 1e-5 })
        #expect(adapter.trainsExperts == (of == .neurons))
    }

    @Test(
        "an adapter runs in inference as it was trained, and loads as it was saved",
        arguments: Kind.allCases, [Adapter.Kind.dense, .lowRank(3)])
    func runsAsTrained(of: Kind, kind: Adapter.Kind) throws {
        let experts = try sizes(of)
        let config = try tinyConfig(experts: true)
        let base = TrainableModel(config: config.withoutExperts, seed: 5)
        let adapter = try trained(base, kind, experts)
        var weights = TrainingWeights()
        weights.add(base.tensors())
        weights.add(adapter.tensors(named: "c"))
        for layer in experts.layers {
            #expect(adapter.experts(layer: layer).count == experts.count)
            weights.poolTables[layer] = table(adapter.experts(layer: layer), experts)
        }
        let description = adapter.description(base: "")
        #expect(try AdapterDescription(description.encoded, of: "c") == description)
        let model = try LanguageModel(
            try description.model(on: ModelDescription(config)),
            source: AdapterWeights(weights, adapter: "c", description))
        let (trained, run) = (
            logits(adapter.model, usesExperts: true),
            try model.forward(Self.text.map { Int($0) })
        )
        #expect(trained.count == run.count)
        #expect(zip(trained, run).allSatisfy { abs($0 - $1) < 1e-4 * max(1, abs($0)) })
        // It learned something that the base does not have.
        let before = logits(base, usesExperts: false)
        #expect(zip(trained, before).contains { abs($0 - $1) > 0.05 })
        let again = Adapter(
            on: base, kind: kind, usesExperts: false, experts: experts, seed: 9)
        try again.load("c", from: weights)
        #expect(logits(again.model, usesExperts: true) == trained)
        for layer in experts.layers {
            #expect(again.experts(layer: layer) == adapter.experts(layer: layer))
        }
    }

    @Test("a model with linear layers runs in inference as in training", arguments: [1, 2])
    func linearModel(topK: Int) throws {
        let sizes = try PeerConfig.Linear(experts: 3, topK: topK, width: 12)
        let config = try tinyConfig(experts: true).replacingExperts(linear: sizes, layers: [1])
        let model = TrainableModel(config: config, seed: 8)
        var weights = TrainingWeights()
        let tensors = model.tensors()
        weights.add(tensors.filter { !$0.name.contains(".experts.") })
        let experts = (0..<3).map { number in
            tensors.filter { $0.name.contains(".experts.\(number).") }.flatMap(\.values)
        }
        weights.tables[1] = table(experts, .swiglu(sizes, layers: [1]))
        let loaded = try TrainableModel(config: config, source: weights)
        #expect(loaded.weights.slice.array == model.weights.slice.array)
        let run = try LanguageModel(ModelDescription(config), source: weights)
            .forward(Self.text.map { Int($0) })
        let trained = logits(model, usesExperts: true)
        #expect(zip(trained, run).allSatisfy { abs($0 - $1) < 1e-4 * max(1, abs($0)) })
    }

    @Test("a model with trees runs in inference as in training")
    func treeModel() throws {
        let config = try treeConfig([3, 4])
        let model = TrainableModel(config: config, seed: 8)
        var weights = TrainingWeights()
        weights.add(model.tensors())
        for (slot, layer) in config.peerLayers.enumerated() {
            let rows = model.experts[slot]
            weights.tables[layer] = HeldExpertTable(
                (0..<12).map { rows[$0 * 32..<($0 + 1) * 32].array.storedBytes },
                parts: [TensorShape(.f32, [16]), TensorShape(.f32, [16])])
        }
        let loaded = try TrainableModel(config: config, source: weights)
        #expect(loaded.weights.slice.array == model.weights.slice.array)
        let run = try LanguageModel(ModelDescription(config), source: weights)
            .forward(Self.text.map { Int($0) })
        let trained = logits(model, usesExperts: true)
        #expect(zip(trained, run).allSatisfy { abs($0 - $1) < 1e-4 * max(1, abs($0)) })
    }

    @Test(
        "configs of impossible layers are refused",
        arguments: [
            #""peer_layers":[0],"tree":{"branching":[],"beam":1,"top_k":1}"#,
            #""peer_layers":[0],"tree":{"branching":[1,4],"beam":1,"top_k":1}"#,
            #""peer_layers":[0],"tree":{"branching":[4,4],"beam":1,"top_k":5}"#,
            #""peer_layers":[0],"tree":{"branching":[4,4],"beam":0,"top_k":1}"#,
            #""peer_layers":[0],"tree":{"branching":[65536,65536,65536],"beam":1,"top_k":1}"#,
            #""peer_layers":[0],"tree":{"branching":[9e15,9e15],"beam":1,"top_k":1}"#,
            #""peer_layers":[0],"tree":{"branching":[4],"beam":1,"top_k":1},"peer":{"sub_keys":6,"heads":2,"top_k":3,"key_size":8}"#,
            #""peer_layers":[],"linear_layers":[0]"#,
            #""peer_layers":[],"linear_layers":[2],"linear":{"experts":2,"top_k":1,"ffn_size":8}"#,
            #""peer_layers":[],"linear_layers":[1,0],"linear":{"experts":2,"top_k":1,"ffn_size":8}"#,
            #""peer_layers":[],"linear_layers":[0],"linear":{"experts":2,"top_k":3,"ffn_size":8}"#,
            #""peer_layers":[],"linear_layers":[0],"linear":{"experts":0,"top_k":1,"ffn_size":8}"#,
            #""peer_layers":[0],"linear_layers":[1],"tree":{"branching":[4],"beam":1,"top_k":1},"linear":{"experts":2,"top_k":1,"ffn_size":8}"#,
        ])
    func configs(fields: String) {
        let json = """
            {"architecture":"peer-lm","vocab_size":256,"hidden_size":16,"num_layers":2,"num_heads":2,
            "context_length":16,"ffn_size":24,"rms_norm_eps":1e-5,"rope_theta":10000,\(fields)}
            """
        #expect(throws: CambiumError.self) { try PeerConfig(json: Array(json.utf8)) }
    }

    @Test("sizes of layers that a config does not have count for nothing")
    func leftOver() throws {
        let json = """
            {"architecture":"peer-lm","vocab_size":256,"hidden_size":16,"num_layers":2,"num_heads":2,
            "context_length":16,"ffn_size":24,"rms_norm_eps":1e-5,"rope_theta":10000,"peer_layers":[],
            "peer":{"sub_keys":2,"heads":2,"top_k":2,"key_size":8},
            "linear_layers":[1],"linear":{"experts":9,"top_k":2,"ffn_size":8}}
            """
        let config = try PeerConfig(json: Array(json.utf8))
        #expect(config.peer == nil && config.expertCount == 9 && config.expertLayers == [1])
    }

    @Test("descriptions of impossible experts are refused")
    func refusals() throws {
        let base = #"{"version":2,"kind":"dense","base_experts":"skipped","experts":"#
        for experts in [
            #"{"kind":"neuron","layers":[0],"top_k":2}"#,
            #"{"kind":"neuron","layers":[0],"sub_keys":0,"heads":1,"top_k":1,"key_size":8}"#,
            #"{"kind":"swiglu","layers":[0],"count":2,"top_k":3,"ffn_size":8}"#,
            #"{"kind":"swiglu","layers":[0],"count":-1,"top_k":1,"ffn_size":8}"#,
            #"{"kind":"other","layers":[0],"top_k":1}"#,
        ] {
            #expect(throws: CambiumError.self) {
                try AdapterDescription(Array((base + experts + "}").utf8), of: "c")
            }
        }
        // Layers are checked against the base.
        let high = AdapterExperts.swiglu(
            try PeerConfig.Linear(experts: 1, topK: 1, width: 4), layers: [7])
        #expect(throws: CambiumError.self) { try high.config(on: tinyConfig(experts: true)) }
        // Version 1 knows no experts, and an adapter has either the base's or its own.
        let one = #"{"version":1,"kind":"dense","base_experts":"skipped","experts":"#
        let kept = #"{"version":2,"kind":"dense","base_experts":"kept","experts":"#
        for start in [one, kept] {
            let json = start + #"{"kind":"swiglu","layers":[0],"count":1,"top_k":1,"ffn_size":8}}"#
            #expect(throws: CambiumError.self) { try AdapterDescription(Array(json.utf8), of: "c") }
        }
    }
}

extension [Float] {
    fileprivate var storedBytes: [UInt8] {
        flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt32($0))) }
        }
    }
}
