internal import Architectures
internal import Elements
internal import Synchronization
internal import Tensors

/// How well a model predicts a text.
package struct Evaluation: Sendable {
    /// Minus the sum of the natural logarithms of the predicted tokens' probabilities.
    package let nats: Double
    /// Tokens that were predicted.
    package let predictions: Int
    package let windows: Int
    /// Picks of all windows.
    package let usage: ExpertUsage
    /// How many tokens each model was the likeliest for, the base first, then the adapters.
    package let choices: [Int]

    /// Of tokens that are bytes, bits per byte.
    package var bitsPerToken: Double { nats / (Double(predictions) * 0.693147180559945309417) }

    /// e to the power of the mean of minus ln p.
    package var perplexity: Double { Kernels.exp(min(nats / Double(predictions), 700)) }
}

extension AdaptedModel {
    /// How well tokens are predicted, by the protocol of the recorded reference figures: in full windows that do
    /// not overlap (the tail is dropped), of the context length, and of at most
    /// ``ModelDescription/longestWindow`` where tokens are no bytes; in each window every token but the first is
    /// predicted from those before it.
    ///
    /// The result does not depend on `threads`: every window runs alone, and the sums are added in the order of the
    /// windows.
    ///
    /// - Parameters:
    ///   - threads: Share the windows; where these are few or a limit of memory is held, each window.
    ///   - progress: Called on this thread with the windows done and all windows, at least once.
    /// - Throws: `.badInput` if the text is shorter than a window, has a token that the vocabulary lacks, or there
    ///   are no threads; `.notFinite` with the position of the token in the text; what reading an expert throws.
    package func evaluate(
        _ tokens: [Int], threads: Int = 1,
        progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in }
    ) throws -> Evaluation {
        try evaluate(count: tokens.count, threads: threads, progress: progress) {
            Array(tokens[$0])
        }
    }

    /// As ``evaluate(_:threads:progress:)``, of a text that is read some windows at a time.
    ///
    /// - Parameters:
    ///   - count: Tokens of the text.
    ///   - read: Tokens of it, called on this thread with ranges that ascend and do not overlap.
    /// - Throws: What `read` throws, too.
    package func evaluate(
        count: Int, threads: Int = 1,
        progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in },
        read: (Range<Int>) throws -> [Int]
    ) throws -> Evaluation {
        try checkWindows(of: count)
        return try evaluate(
            EvaluationWindows(full: description.evaluationWindow, of: count), threads: threads,
            progress: progress, read: read)
    }

    /// Checks that a text fills a window.
    ///
    /// - Parameter count: Tokens of the text.
    func checkWindows(of count: Int) throws {
        let size = description.evaluationWindow
        guard count / size > 0, size > 1 else {
            throw CambiumError(
                .badInput,
                "the text has \(count) \(description.unit)s to evaluate; one window needs "
                    + "\(max(size, 2))")
        }
    }

    /// As ``evaluate(_:threads:progress:)``, in windows of any kind.
    ///
    /// - Parameter read: Tokens of the text, called on this thread with ranges that ascend, and overlap as the
    ///   windows do.
    package func evaluate(
        _ cut: EvaluationWindows, threads: Int = 1,
        progress: (_ done: Int, _ all: Int) throws -> Void = { _, _ in },
        read: (Range<Int>) throws -> [Int]
    ) throws -> Evaluation {
        let windows = cut.count
        let team = try base.team(threads)
        let batch = 4
        let shares = windows >= batch * threads && !base.holdsLimit
        // One on each thread: a part of a loop runs on one thread from its start to its end.
        let sessions = (0..<(shares ? team.count : 1)).map { _ in
            AdaptedSession(self, pass: AdaptedPass(self, team: shares ? .single : team))
        }
        var nats = 0.0
        try progress(0, windows)
        nonisolated(unsafe) let parallel = sessions
        let step = shares ? batch * team.count : 1
        for first in stride(from: 0, to: windows, by: step) {
            let end = min(first + step, windows)
            let range = cut[first].tokens.lowerBound..<cut[end - 1].tokens.upperBound
            let text = try read(range)
            guard text.count == range.count else {
                throw CambiumError(.badInput, "the text became shorter while it was read")
            }
            try description.check(text)
            let results = Mutex<[Int: Result<Double, any Error>]>([:])
            if shares {
                team.forEach(team.count) { part in
                    for window in stride(from: first + part, to: end, by: team.count) {
                        let result = evaluateWindow(
                            cut[window], text, from: range.lowerBound, unsafe parallel[part])
                        results.withLock { $0[window] = result }
                    }
                }
            } else {
                let result = evaluateWindow(cut[first], text, from: range.lowerBound, sessions[0])
                results.withLock { $0[first] = result }
            }
            for window in first..<end {
                guard let result = results.withLock({ $0[window] }) else {
                    preconditionFailure("window \(window) was not evaluated")
                }
                nats += try result.get()
            }
            try progress(end, windows)
        }
        var usage = ExpertUsage(base)
        var selection = [Int](repeating: 0, count: 1 + adapters.count)
        for session in sessions {
            usage.formUnion(session.usage)
            for index in selection.indices { selection[index] += session.choices[index] }
        }
        return Evaluation(
            nats: nats, predictions: cut.predictions, windows: windows, usage: usage,
            choices: selection)
    }

    /// The sum over the predicted tokens of minus the natural logarithm of their probability.
    ///
    /// - Parameters:
    ///   - text: Tokens of the whole text from `base` on.
    private func evaluateWindow(
        _ window: EvaluationWindows.Window, _ text: [Int], from base: Int, _ session: AdaptedSession
    ) -> Result<Double, any Error> {
        let vocabulary = description.vocabularySize
        let start = window.tokens.lowerBound - base
        let (first, end) = (window.firstTarget - base, window.tokens.upperBound - base)
        session.reset()
        do {
            // What is only read needs no logits.
            if first - 1 > start { _ = try session.append(Array(text[start..<first - 1])) }
            let logits = try session.append(Array(text[first - 1..<end - 1]), logits: .all)
            var nats = 0.0
            for position in 0..<end - first {
                let row = logits.span.extracting(
                    position * vocabulary..<(position + 1) * vocabulary)
                let loss = Kernels.crossEntropy(row, target: text[first + position])
                guard loss.isFinite else {
                    throw CambiumError(
                        .notFinite,
                        "the logits for \(description.unit) \(window.firstTarget + position) of the text are "
                            + "not finite")
                }
                nats += loss
            }
            return .success(nats)
        } catch {
            return .failure(error)
        }
    }
}
