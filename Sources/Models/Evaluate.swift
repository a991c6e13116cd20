internal import Dispatch
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
}

extension PeerModel {
    /// Bits per byte of a text, by the protocol of the recorded reference figures: its first
    /// `byteLimit` bytes in full windows of contextLength that do not overlap (the tail is dropped);
    /// in each window every byte but the first is predicted from those before it.
    ///
    /// The result does not depend on `threads`: every window runs alone on one thread, and the sums
    /// are added in the order of the windows. OpenBLAS is set to one thread meanwhile, for the whole
    /// process; two evaluations at the same time may leave it there.
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
        let size = config.contextLength
        let windows = min(text.count, byteLimit ?? text.count) / size
        guard windows > 0 else {
            throw ModelError(
                .badInput,
                "the text has \(min(text.count, byteLimit ?? text.count)) bytes to evaluate; one "
                    + "window needs \(size)")
        }
        guard (1...1_024).contains(threads) else {
            throw ModelError(.badInput, "\(threads) threads; give 1 to 1024")
        }
        let before = BLASThreads.count
        BLASThreads.set(1)
        defer { BLASThreads.set(before) }
        var nats = 0.0
        var usage = ExpertUsage(self)
        progress(0, windows)
        for first in stride(from: 0, to: windows, by: threads) {
            let batch = first..<min(first + threads, windows)
            for result in inParallel(batch, { evaluateWindow($0, of: text) }) {
                let window = try result.get()
                nats += window.nats
                usage.formUnion(window.usage)
            }
            progress(batch.upperBound, windows)
        }
        let predictions = windows * (size - 1)
        return Evaluation(
            bitsPerByte: nats / (Double(predictions) * 0.693147180559945309417),
            predictions: predictions, windows: windows, usage: usage)
    }

    private struct Window {
        /// The sum over the predicted bytes of minus the natural logarithm of their probability.
        var nats: Double
        var usage: ExpertUsage
    }

    private func evaluateWindow(
        _ index: Int, of text: [UInt8]
    ) -> Result<Window, ModelError> {
        let size = config.contextLength
        let vocabulary = PeerConfig.vocabularySize
        let start = index * size
        let session = Session(self)
        do throws(ModelError) {
            let logits = try session.append(
                Array(text[start..<start + size - 1]), logits: .all)
            var nats = 0.0
            for position in 0..<size - 1 {
                let row = logits.span.extracting(
                    position * vocabulary..<(position + 1) * vocabulary)
                let loss = Kernels.crossEntropy(row, target: Int(text[start + position + 1]))
                guard loss.isFinite else {
                    throw ModelError(
                        .notFinite,
                        "the logits for byte \(start + position + 1) of the text are not finite")
                }
                nats += loss
            }
            return .success(Window(nats: nats, usage: session.usage))
        } catch {
            return .failure(error)
        }
    }

    /// The results in the order of `range`, each computed on some thread.
    private func inParallel(
        _ range: Range<Int>, _ work: @Sendable (Int) -> Result<Window, ModelError>
    ) -> [Result<Window, ModelError>] {
        if range.count == 1 { return [work(range.lowerBound)] }
        let results = Mutex<[Int: Result<Window, ModelError>]>([:])
        DispatchQueue.concurrentPerform(iterations: range.count) { offset in
            let result = work(range.lowerBound + offset)
            results.withLock { $0[offset] = result }
        }
        return results.withLock { results in (0..<range.count).compactMap { results[$0] } }
    }
}
