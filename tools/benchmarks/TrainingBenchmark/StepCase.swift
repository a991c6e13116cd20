internal import Architectures
internal import ArgumentParser
internal import BenchmarkSupport
internal import Checkpoints
internal import Elements
internal import Models
internal import Tensors
internal import Training

/// Training steps of a checkpoint's architecture, from its weights: `time STEPS` gives tokens/s,
/// `gradients PATH` writes the gradients of the text's first windows, tensor by tensor in the order of
/// their names.
struct StepCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "step")

    @Option(help: "Folder with config.json and model.safetensors.") var checkpoint: String
    @Option(help: "What the windows come from.") var text: String
    @Option(help: "Windows of a step.") var windows = 16
    @Option(help: "Threads, each with its part of a step.") var threads = 2
    @Flag(help: "A full-rank adapter on the frozen base, whose experts are skipped.") var adapter =
        false

    func run() throws {
        let model = try model()
        let bytes = try read(text)
        let parameters: any TrainedParameters =
            adapter
            ? Adapter(on: model, kind: .dense, usesExperts: false, seed: 1) : WholeModel(model)
        try answer(
            ["parameters": Double(model.parameterCount)],
            [
                "time": { try time($0.number(1), parameters, bytes) },
                "gradients": { try writeGradients(model, bytes, to: $0.text(1)) },
            ])
    }

    /// The checkpoint's model, of its F32 tensors.
    private func model() throws -> TrainableModel {
        let file = try SafetensorsFile(opening: "\(checkpoint)/model.safetensors")
        var tensors: [String: [Float]] = [:]
        for (index, tensor) in file.header.tensors.enumerated() where tensor.shape.type == .f32 {
            let bytes = file.bytes(of: index).copy()
            tensors[tensor.name] = (0..<bytes.count / 4).map {
                Float(bitPattern: bytes.raw.number(at: 4 * $0))
            }
        }
        let config = try PeerConfig(json: read("\(checkpoint)/config.json"))
        return try TrainableModel(config: config) { tensors[$0] }
    }

    /// From the end of a first step, which also makes the memory, to that of the last.
    private func time(_ steps: Int, _ parameters: any TrainedParameters, _ text: [UInt8]) throws
        -> Figures
    {
        var settings = TrainingSettings(budget: .steps(steps + 1), seed: 1)
        settings.windows = windows
        (settings.parts, settings.threads) = (threads, threads)
        settings.rate = 3e-4
        let clock = ContinuousClock()
        var (start, processor) = (clock.now, 0.0)
        var (spent, spentProcessor, loss) = (0.0, 0.0, 0.0)
        _ = try train(
            parameters, on: [TrainingText(text)], settings: settings,
            progress: { progress in
                if progress.step == 1 {
                    (start, processor) = (clock.now, processorSeconds())
                }
                spent = (clock.now - start) / .seconds(1)
                spentProcessor = processorSeconds() - processor
                loss = progress.loss
                return true
            })
        let tokens = Double(steps * windows * parameters.model.config.contextLength)
        return [
            "tokens_per_s": tokens / spent, "cpu_s_per_step": spentProcessor / Double(steps),
            "bits": loss,
        ]
    }

    private func writeGradients(_ model: TrainableModel, _ text: [UInt8], to path: String) throws
        -> Figures
    {
        let length = model.config.contextLength
        let tokens = windows * length
        try expect(text.count > tokens, "\(text.count) bytes of text for \(tokens) tokens")
        let (inputs, targets) = (Array(text[..<tokens]), Array(text[1...tokens]))
        let pass = ForwardBackward(
            model: model, windows: windows, length: length, usesExperts: true)
        pass.forward(inputs)
        let nats = pass.backward(inputs, targets: targets, scale: 1 / Float(tokens))
        var tensors = model.layout.entries.map { ($0.name, pass.gradient[$0.range].array) }
        let width = model.config.hiddenSize
        for (layer, gradient) in zip(model.config.peerLayers, pass.expertRowGradients()) {
            let count = (model.config.peer?.expertCount ?? 0) * width
            let rows = gradient.rows.array
            for (side, name) in ["down", "up"].enumerated() {
                var values = [Float](repeating: 0, count: count)
                for (index, expert) in gradient.experts.enumerated() {
                    let (from, to) = ((2 * index + side) * width, Int(expert) * width)
                    values.replaceSubrange(to..<to + width, with: rows[from..<from + width])
                }
                tensors.append(("model.layers.\(layer).peer.\(name).weight", values))
            }
        }
        try write(tensors.sorted { $0.0 < $1.0 }.flatMap(\.1), to: path)
        return ["loss": nats / Double(tokens)]
    }
}
