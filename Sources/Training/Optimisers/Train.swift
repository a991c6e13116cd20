internal import Architectures
internal import Elements
internal import Glibc
internal import Models
internal import Synchronization
package import Tensors

/// Trains on random windows of some texts.
///
/// With a budget of steps or tokens, the same texts, settings and machine give the same bits, with any number
/// of threads.
///
/// - Parameters:
///   - parameters: What is trained; changed.
///   - texts: Each longer than a window.
///   - state: Of a run with the same parameters, texts and settings that was stopped; nil to begin.
///   - teacher: Pulls the predictions towards those of another model; nil for none.
///   - hold: Keeps expert layers close to what they were on stored states; nil for none.
///   - adjust: May change the gradient of `values` before each step (a penalty).
///   - ended: Called with the state when `progress` stops the run, and when it has come to its end.
///   - progress: Called after each step; returns false to stop, then `.cancelled` is thrown.
/// - Throws: `.usage`, `.diverged`, `.cancelled`.
package func train(
    _ parameters: any TrainedParameters, on texts: [TrainingText], settings: TrainingSettings,
    from state: TrainingState? = nil, teacher: Teacher? = nil, hold: Hold? = nil,
    adjust: ((FloatSlice) -> Void)? = nil,
    ended: ((TrainingState) -> Void)? = nil,
    progress: (TrainingProgress) throws -> Bool = { _ in true }
) throws -> TrainingSummary {
    var run = try TrainingRun(parameters, texts, settings, teacher, hold)
    if let state { try run.restore(state) }
    return try run.finish(adjust: adjust, ended: ended, progress: progress)
}

/// CPU time of this process so far, all threads.
package func processorSeconds() -> Double { Double(clock()) / Double(CLOCKS_PER_SEC) }

private struct TrainingRun {
    private let parameters: any TrainedParameters
    private let settings: TrainingSettings
    private var sampler: WindowSampler
    private let parts: [ForwardBackward]
    /// One for each part, or none.
    private let teachers: [TeacherPass]
    /// One for each expert layer, or none; and what they add to the gradient, each its own part.
    private let held: [HoldPass]
    /// One for each layer with hashed experts, or none.
    private let heldRows: [HoldRowsPass]
    private let heldGradient: FloatMemory
    private let optimizer: Optimizer
    private let gradient: FloatMemory
    private let length: Int
    private let team: ThreadTeam
    private var begun = TrainingState(
        step: 0, seconds: 0, processorSeconds: 0, loss: 0, sampler: 0, numbers: [])

    init(
        _ parameters: any TrainedParameters, _ texts: [TrainingText],
        _ settings: TrainingSettings, _ teacher: Teacher?, _ hold: Hold?
    ) throws {
        let context = parameters.model.config.contextLength
        length = settings.length ?? context
        guard (1...context).contains(length) else {
            throw CambiumError(
                .usage, "windows of \(length) bytes; the model's context is \(context)")
        }
        guard settings.windows >= 1, settings.parts >= 1, settings.threads >= 1,
            settings.windows % settings.parts == 0
        else {
            throw CambiumError(
                .usage,
                "\(settings.windows) windows do not divide into \(settings.parts) parts, or "
                    + "\(settings.threads) threads")
        }
        sampler = try WindowSampler(texts, length: length, seed: settings.seed)
        self.parameters = parameters
        self.settings = settings
        try useBLAS()
        let (model, usesExperts, length) = (parameters.model, parameters.usesExperts, self.length)
        parts = (0..<settings.parts).map { _ in
            ForwardBackward(
                model: model, windows: settings.windows / settings.parts, length: length,
                usesExperts: usesExperts)
        }
        teachers =
            teacher.map { teacher in
                (0..<settings.parts).map { _ in
                    TeacherPass(teacher, windows: settings.windows / settings.parts, length: length)
                }
            } ?? []
        held = hold.map { HoldPass.all($0, of: model) } ?? []
        heldRows = hold.map { HoldRowsPass.all($0, of: model) } ?? []
        heldGradient = FloatMemory(count: held.isEmpty ? 0 : model.layout.count)
        optimizer = Optimizer(parameters, settings)
        gradient = FloatMemory(count: parameters.values.count)
        team = ThreadTeam(count: settings.threads)
    }

    mutating func restore(_ state: TrainingState) throws {
        try optimizer.restore(state.numbers, step: state.step)
        sampler.state = state.sampler
        begun = state
        begun.numbers = []
    }

    mutating func finish(
        adjust: ((FloatSlice) -> Void)?, ended: ((TrainingState) -> Void)?,
        progress: (TrainingProgress) throws -> Bool
    ) throws -> TrainingSummary {
        let clock = ContinuousClock()
        let (start, processor) = (clock.now, processorSeconds() - begun.processorSeconds)
        let perStep = settings.windows * length
        var losses: [Double] = []
        var step = begun.step
        func passed() -> Double { begun.seconds + (clock.now - start).inSeconds }
        func loss() -> Double {
            let last = losses.suffix(50)
            return last.isEmpty ? begun.loss : last.reduce(0, +) / Double(last.count)
        }
        func end() {
            ended?(
                TrainingState(
                    step: step, seconds: passed(),
                    processorSeconds: processorSeconds() - processor, loss: loss(),
                    sampler: sampler.state, numbers: optimizer.numbers))
        }
        while true {
            let fraction = done(step, perStep, processorSeconds() - processor, passed())
            if fraction >= 1 { break }
            let loss = try run(step: step, fraction: fraction, adjust: adjust)
            step += 1
            losses.append(loss)
            let now = done(step, perStep, processorSeconds() - processor, passed())
            guard
                try progress(
                    TrainingProgress(
                        step: step, loss: loss,
                        tokens: step * perStep, seconds: passed(), fraction: min(now, 1)))
            else {
                end()
                throw CambiumError(.cancelled, "training was stopped after \(step) steps")
            }
        }
        end()
        return TrainingSummary(
            steps: step, tokens: step * perStep, loss: loss(),
            processorSeconds: processorSeconds() - processor,
            seconds: passed(), held: heldDistance)
    }

    private func done(
        _ step: Int, _ perStep: Int, _ processor: Double, _ passed: Double
    ) -> Double {
        switch settings.budget {
        case .steps(let steps): Double(step) / Double(max(steps, 1)) + (steps <= 0 ? 1 : 0)
        case .tokens(let tokens):
            tokens <= step * perStep ? 1 : Double(step * perStep) / Double(tokens)
        case .seconds(let seconds): seconds <= 0 ? 1 : passed / seconds
        case .processorSeconds(let seconds): seconds <= 0 ? 1 : processor / seconds
        }
    }

    /// - Returns: Bits per byte.
    private mutating func run(
        step: Int, fraction: Double, adjust: ((FloatSlice) -> Void)?
    ) throws -> Double {
        let tokens = settings.windows * length
        let batches = parts.map { _ in
            sampler.next(windows: settings.windows / settings.parts)
        }
        let (parts, teachers, heldGradient) = (parts, teachers, heldGradient)
        let (held, heldRows) = (held, heldRows)
        let draw = settings.seed &+ UInt64(step) &* 0x9E37_79B9_7F4A_7C15
        for (index, part) in parts.enumerated() {
            part.rowDrop = (settings.rowDrop, draw ^ UInt64(index + 1) << 32)
        }
        heldGradient.slice.fill(0)
        let sums = Mutex([Double](repeating: 0, count: parts.count))
        team.forEach(parts.count + held.count + heldRows.count) { index in
            guard index < parts.count else {
                let place = index - parts.count
                return place < held.count
                    ? held[place].run(draw: draw, gradient: heldGradient)
                    : heldRows[place - held.count].run(draw: draw)
            }
            let part = parts[index]
            part.gradient.slice.fill(0)
            part.forward(batches[index].inputs)
            let batch = batches[index]
            let scale = 1 / Float(tokens)
            let nats = part.backward(batch.inputs, targets: batch.targets, scale: scale) {
                guard let teacher = teachers.isEmpty ? nil : teachers[index] else { return }
                teacher.pull($0, batch.inputs, targets: batch.targets, scale: scale)
            }
            sums.withLock { $0[index] = nats }
        }
        let heldNeurons = held.compactMap(\.expertPass)
        for part in parts.dropFirst() { parts[0].gradient.slice.add(part.gradient.slice) }
        if !held.isEmpty { parts[0].gradient.slice.add(heldGradient.slice) }
        let loss =
            sums.withLock { $0.reduce(0, +) } / (Double(tokens) * 0.693147180559945309417)
        guard loss.isFinite else {
            throw CambiumError(
                .diverged, "the loss of step \(step + 1) is not finite; lower the rate")
        }
        var experts: [ExpertGradient] = []
        if parameters.trainsExperts {
            for slot in parameters.model.experts.indices {
                let all = ExpertGradient(
                    parts.map { $0.expertPasses[slot] } + heldNeurons.dropFirst(slot).prefix(1),
                    count: parameters.model.config.expertCount, team: team)
                experts.append(parameters.editableRows.map { all.only($0[slot]) } ?? all)
            }
        }
        parameters.convert(parts[0].gradient.slice, into: gradient.slice)
        adjust?(gradient.slice)
        let warm = min(1, Double(step + 1) / Double(max(settings.warmUp, 1)))
        let rate = warm * (0.02 + 0.98 * 0.5 * (1 + cosine(fraction)))
        _ = optimizer.update(
            gradient: gradient.slice, experts: experts, rate: Float(rate), team: team)
        if !parameters.trainedRows.isEmpty {
            RowGradients(parts, heldRows, parameters.model.config)?.descend(
                parameters.trainedRows, rate: settings.rowRate * Float(rate),
                factor: parameters.rowFactor, team: team)
        }
        parameters.apply()
        return loss
    }

    /// Of the last step, a mean over the layers; nil where nothing is held.
    private var heldDistance: HoldDistance? {
        guard !held.isEmpty || !heldRows.isEmpty else { return nil }
        let count = Double(held.count + heldRows.count)
        return HoldDistance(
            output: (held.map(\.distance.output) + heldRows.map(\.distance)).reduce(0, +) / count,
            router: held.reduce(0) { $0 + $1.distance.router } / count)
    }

    /// cos(π x) for 0 ≤ x ≤ 1, by Taylor's series around π / 2: the C library's bits depend on the
    /// machine.
    private func cosine(_ x: Double) -> Double {
        let angle = (x - 0.5) * 3.141592653589793
        var (term, sum) = (angle, angle)
        for index in stride(from: 2, through: 22, by: 2) {
            term *= -angle * angle / Double(index * (index + 1))
            sum += term
        }
        return -sum
    }
}

extension Duration {
    fileprivate var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
