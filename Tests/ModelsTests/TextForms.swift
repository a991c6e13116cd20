import Architectures
import Elements
import Models
import Tensors

// Texts of byte-level models as bytes, which are their tokens.

extension LanguageModel {
    init(config: PeerConfig, source: some WeightSource) throws {
        try self.init(ModelDescription(config), source: source)
    }

    func forward(_ text: [UInt8]) throws -> [Float] {
        try forward(text.map { Int($0) })
    }

    func profile(_ text: [UInt8]) throws -> ExpertProfile {
        try profile(text.map { Int($0) })
    }
}

extension Session {
    func append(
        _ text: [UInt8], logits selection: LogitSelection = .last
    ) throws -> [Float] {
        try append(text.map { Int($0) }, logits: selection)
    }
}

extension ForwardPass {
    func append(
        _ inputs: [(Session, [UInt8])], logits selection: Session.LogitSelection = .last
    ) throws -> [[Float]] {
        try append(inputs.map { ($0, $1.map { Int($0) }) }, logits: selection)
    }
}

extension AdaptedSession {
    func append(
        _ text: [UInt8], logits selection: Session.LogitSelection = .last
    ) throws -> [Float] {
        try append(text.map { Int($0) }, logits: selection)
    }
}

extension AdaptedPass {
    func append(
        _ inputs: [(AdaptedSession, [UInt8])], logits selection: Session.LogitSelection = .last
    ) throws -> [[Float]] {
        try append(inputs.map { ($0, $1.map { Int($0) }) }, logits: selection)
    }
}

extension AdaptedModel {
    func generate(
        _ prompt: [UInt8], count: Int, sampling: Sampling = .greedy, stops: [[UInt8]] = [],
        threads: Int = 1, each: (UInt8) -> Bool = { _ in true }
    ) throws -> Generation {
        try generate(
            prompts: [prompt], count: count, sampling: sampling, stops: stops, threads: threads,
            each: { each($1) })[0]
    }

    func generate(
        prompts: [[UInt8]], count: Int, sampling: Sampling = .greedy, stops: [[UInt8]] = [],
        threads: Int = 1, each: (Int, UInt8) -> Bool = { _, _ in true },
        finished: (Int, Generation) -> Void = { _, _ in }
    ) throws -> [Generation] {
        try generate(
            prompts: prompts.map { $0.map { Int($0) } },
            GenerationLimits(count: count, stops: stops, speller: { ByteSpeller() }),
            sampling: sampling, threads: threads, eachByte: each, finished: finished)
    }

    /// - Parameter byteLimit: Nil for the whole text.
    func evaluate(
        _ text: [UInt8], byteLimit: Int? = 20_000, threads: Int = 1,
        progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws -> Evaluation {
        try evaluate(
            text.prefix(byteLimit ?? text.count).map { Int($0) }, threads: threads,
            progress: progress)
    }
}

extension RouterInputs {
    func states(of window: ArraySlice<UInt8>) throws -> [Float] {
        try states(of: window.map { Int($0) }[...])
    }
}
