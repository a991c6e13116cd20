internal import Architectures
package import Elements
internal import Synchronization
internal import Tensors

/// How well a model predicts a text.
package struct Evaluation: Sendable {
    package let bitsPerByte: Double
    /// Bytes that were predicted.
    package let predictions: Int
    package let windows: Int
    /// Picks of all windows.
    package let usage: ExpertUsage
    /// How many bytes each model was the likeliest for, the base first, then the cohorts.
    package let picks: [Int]
}

extension CohortModel {
    /// Bits per byte of a text, by the protocol of the recorded reference figures: its first
    /// `byteLimit` bytes in full windows of contextLength that do not overlap (the tail is dropped);
    /// in each window every byte but the first is predicted from those before it.
    ///
    /// The result does not depend on `threads`: every window runs alone on one thread, and the sums
    /// are added in the order of the windows.
    ///
    /// - Parameters:
    ///   - byteLimit: Nil for the whole text.
    ///   - threads: Windows that run at the same time.
    ///   - progress: Called on this thread with the windows done and all windows, at least once.
    /// - Throws: `.badInput` if the text is shorter than a window or there are no threads; `.notFinite` with the position of
    ///   the byte in the text; what reading an expert throws.
    package func evaluate(
        _ text: [UInt8], byteLimit: Int? = 20_000, threads: Int = 1,
        progress: (_ done: Int, _ all: Int) -> Void = { _, _ in }
    ) throws(ModelError) -> Evaluation {
        try evaluate(
            count: min(text.count, byteLimit ?? text.count), threads: threads, progress: progress
        ) { Array(text[$0]) }
    }

    /// As ``evaluate(_:byteLimit:threads:progress:)``, of a text that is read some windows at a time.
    ///
    /// - Parameters:
    ///   - count: Bytes of the text.
    ///   - read: Bytes of it, called on this thread with ranges that ascend and do not overlap.
    /// - Throws: What `read` throws, too.
    package func evaluate(
        count: Int, threads: Int = 1, progress: (_ done: Int, _ all: Int) -> Void = { _, _ in },
        read: (Range<Int>) throws(ModelError) -> [UInt8]
    ) throws(ModelError) -> Evaluation {
        let size = config.contextLength
        let windows = count / size
        guard windows > 0 else {
            throw ModelError(
                .badInput, "the text has \(count) bytes to evaluate; one window needs \(size)")
        }
        guard (1...1_024).contains(threads) else {
            throw ModelError(.badInput, "\(threads) threads; give 1 to 1024")
        }
        var nats = 0.0
        var usage = ExpertUsage(base)
        progress(0, windows)
        let team = ThreadTeam(count: min(threads, windows))
        // One on each thread: a part of a loop runs on one thread from its start to its end.
        let sessions = (0..<team.count).map { _ in CohortSession(self) }
        nonisolated(unsafe) let parallel = sessions
        let batch = 4
        for first in stride(from: 0, to: windows, by: batch * team.count) {
            let end = min(first + batch * team.count, windows)
            let text = try read(first * size..<end * size)
            guard text.count == (end - first) * size else {
                throw ModelError(.badInput, "the text became shorter while it was read")
            }
            let results = Mutex<[Int: Result<Double, ModelError>]>([:])
            team.forEach(team.count) { part in
                for window in stride(from: first + part, to: end, by: team.count) {
                    let start = (window - first) * size
                    let result = evaluateWindow(
                        text[start..<start + size], at: window * size, unsafe parallel[part])
                    results.withLock { $0[window] = result }
                }
            }
            for window in first..<end {
                guard let result = results.withLock({ $0[window] }) else {
                    preconditionFailure("window \(window) was not evaluated")
                }
                nats += try result.get()
            }
            progress(end, windows)
        }
        var picks = [Int](repeating: 0, count: 1 + cohorts.count)
        for session in sessions {
            usage.formUnion(session.usage)
            for index in picks.indices { picks[index] += session.picks[index] }
        }
        let predictions = windows * (size - 1)
        return Evaluation(
            bitsPerByte: nats / (Double(predictions) * 0.693147180559945309417),
            predictions: predictions, windows: windows, usage: usage, picks: picks)
    }

    /// The sum over the predicted bytes of minus the natural logarithm of their probability.
    ///
    /// - Parameter start: Where the window is in the text.
    private func evaluateWindow(
        _ window: ArraySlice<UInt8>, at start: Int, _ session: CohortSession
    ) -> Result<Double, ModelError> {
        let vocabulary = PeerConfig.vocabularySize
        session.reset()
        do throws(ModelError) {
            let logits = try session.append(Array(window.dropLast()), logits: .all)
            var nats = 0.0
            for (position, target) in window.dropFirst().enumerated() {
                let row = logits.span.extracting(
                    position * vocabulary..<(position + 1) * vocabulary)
                let loss = Kernels.crossEntropy(row, target: Int(target))
                guard loss.isFinite else {
                    throw ModelError(
                        .notFinite,
                        "the logits for byte \(start + position + 1) of the text are not finite")
                }
                nats += loss
            }
            return .success(nats)
        } catch {
            return .failure(error)
        }
    }
}
