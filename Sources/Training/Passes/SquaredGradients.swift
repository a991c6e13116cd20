internal import Architectures
internal import Elements
internal import Models
internal import Synchronization
internal import Tensors

/// How much a model's loss on some texts minds a change of each weight: the diagonal of the empirical
/// Fisher information, as in Matena and Raffel, Merging Models with Fisher-Weighted Averaging (2111.09832).
///
/// F = Σ g² / tokens, where g is the gradient of a window's Σ -ln p, window by window. Gradients of
/// different tokens of a window are taken as independent, so that this is the mean over tokens.
package struct SquaredGradients {
    /// Bytes that were predicted.
    package let tokens: Int
    /// By the model's layout.
    package let dense: [Float]
    /// Of each expert layer, by ordinal: u and v one after the other, 2 · width; of experts that no window
    /// picked, nothing.
    package let experts: [[Int: [Float]]]

    /// Runs texts in windows of the context length, in order, each from its start.
    ///
    /// - Parameters:
    ///   - texts: Each of at least 2 bytes.
    ///   - threads: Windows that run at the same time; the bits do not depend on it.
    ///   - progress: Called with the windows done, and how many there are.
    /// - Throws: `.usage` for texts that are too short; `.diverged` for a gradient that is not finite.
    package init(
        of texts: [[UInt8]], under model: TrainableModel, threads: Int = 1,
        progress: (Int, Int) throws -> Void = { _, _ in }
    ) throws {
        guard !texts.isEmpty else { throw CambiumError(.usage, "there is no text to run") }
        let size = model.config.contextLength
        var windows: [ArraySlice<UInt8>] = []
        for text in texts {
            guard text.count >= 2 else {
                throw CambiumError(
                    .usage, "a text has \(text.count) bytes; a gradient needs at least 2")
            }
            for start in stride(from: 0, to: text.count - 1, by: size) {
                windows.append(text[start...min(start + size, text.count - 1)])
            }
        }
        try useBLAS()
        var sums = Sums(model)
        let count = max(1, min(threads, windows.count))
        let team = ThreadTeam(count: count)
        // Those of a full window; the rests of texts are few.
        let passes = (0..<count).map { _ in
            ForwardBackward(model: model, windows: 1, length: size, usesExperts: true)
        }
        for first in stride(from: 0, to: windows.count, by: count) {
            let some = Array(windows[first..<min(first + count, windows.count)])
            let done = Mutex([ForwardBackward?](repeating: nil, count: some.count))
            team.forEach(some.count) { index in
                let window = Array(some[index])
                let length = window.count - 1
                let pass =
                    length == size
                    ? passes[index]
                    : ForwardBackward(model: model, windows: 1, length: length, usesExperts: true)
                pass.gradient.slice.fill(0)
                let inputs = Array(window.dropLast())
                pass.forward(inputs)
                _ = pass.backward(inputs, targets: Array(window.dropFirst()), scale: 1)
                done.withLock { $0[index] = pass }
            }
            // In the order of the windows, whatever thread was first.
            for pass in done.withLock({ $0 }) {
                if let pass { sums.add(pass) }
            }
            try progress(first + some.count, windows.count)
        }
        let tokens = windows.reduce(0) { $0 + $1.count - 1 }
        self.tokens = tokens
        dense = sums.dense.map { Float($0 / Double(tokens)) }
        experts = sums.experts.map { $0.mapValues { $0.map { Float($0 / Double(tokens)) } } }
        guard dense.allSatisfy(\.isFinite),
            experts.allSatisfy({ $0.values.allSatisfy { $0.allSatisfy(\.isFinite) } })
        else {
            throw CambiumError(
                .diverged, "a gradient of the model on these texts is not a finite number")
        }
    }

    /// Squares, added up.
    private struct Sums {
        var dense: [Double]
        var experts: [[Int: [Double]]]
        private let size: Int

        init(_ model: TrainableModel) {
            dense = [Double](repeating: 0, count: model.layout.count)
            experts = [[Int: [Double]]](repeating: [:], count: model.experts.count)
            size = 2 * model.config.hiddenSize
        }

        mutating func add(_ pass: ForwardBackward) {
            pass.gradient.slice.withSpan { span in
                for index in span.indices {
                    dense[index] += Double(span[index]) * Double(span[index])
                }
            }
            for (slot, gradient) in pass.expertRowGradients().enumerated() {
                gradient.rows.withSpan { rows in
                    for (position, expert) in gradient.experts.enumerated() {
                        var sum =
                            experts[slot].removeValue(forKey: Int(expert))
                            ?? [Double](repeating: 0, count: size)
                        for index in 0..<size {
                            let value = Double(rows[position * size + index])
                            sum[index] += value * value
                        }
                        experts[slot][Int(expert)] = sum
                    }
                }
            }
        }
    }
}
