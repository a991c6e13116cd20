internal import Architectures
internal import Elements
internal import Models
internal import Synchronization
internal import Tensors

/// What a model's experts are used for in some text: over full windows of the context length that do not
/// overlap, how often each is picked, and in how many windows.
package struct ExpertUse: Sendable {
    /// Windows of a text that are run, spread evenly over it.
    package static let windowLimit = 256

    /// Windows that ran.
    package let windows: Int
    /// By layer, then expert.
    package let selection: [[Int]]
    /// The same: in how many windows.
    package let windowsOf: [[Int]]

    /// - Parameter model: Has layers with experts.
    /// - Throws: `.usage` for a text shorter than a window.
    package init(of text: [UInt8], under model: TrainableModel, threads: Int = 2) throws {
        let size = model.config.contextLength
        let all = text.count / size
        guard all > 0, threads > 0 else {
            throw CambiumError(.usage, "the text has \(text.count) bytes; one window needs \(size)")
        }
        let count = min(all, Self.windowLimit)
        try useBLAS()
        let teams = min(threads, count)
        let experts = model.config.expertCount
        let layers = model.config.expertLayers.count
        let empty = [[Int]](repeating: [Int](repeating: 0, count: experts), count: layers)
        let sums = Mutex((selection: empty, windows: empty))
        let passes = (0..<teams).map { _ in
            ForwardBackward(model: model, windows: 1, length: size, usesExperts: true)
        }
        ThreadTeam(count: teams).forEach(teams) { part in
            for window in stride(from: part, to: count, by: teams) {
                let start = window * all / count * size
                passes[part].forward(Array(text[start..<start + size]), isChanged: window == part)
                let picked = passes[part].selection
                sums.withLock { sums in
                    for (layer, ids) in picked.enumerated() {
                        for id in ids { sums.selection[layer][Int(id)] += 1 }
                        for id in Set(ids) { sums.windows[layer][Int(id)] += 1 }
                    }
                }
            }
        }
        windows = count
        (selection, windowsOf) = sums.withLock { ($0.selection, $0.windows) }
    }

    /// The experts that a text uses most relative to a background: the best tf · idf in each layer, with tf
    /// the share of the text's picks and idf = ln((W + 1) / (w + 1)) for w of the W windows of the background
    /// (sparse memory finetuning, 2510.15103, with windows in the place of batches).
    ///
    /// - Parameters:
    ///   - count: Experts of each layer, at most; those that the text does not pick, or that every window of
    ///     the background does, are none of them.
    ///   - selection: Of the text, by layer, then expert.
    ///   - background: The same: windows of `backgroundWindows`.
    /// - Returns: By layer; ascending.
    package static func mostSpecific(
        _ count: Int, of selection: [[Int]], background: [[Int]], backgroundWindows: Int
    ) -> [[Int]] {
        zip(selection, background).map { selection, windows in
            let total = Double(max(selection.reduce(0, +), 1))
            let all = Double(backgroundWindows + 1)
            let scores = zip(selection, windows).map {
                Double($0) / total * logarithm(all / Double($1 + 1))
            }
            let best = scores.indices.filter { scores[$0] > 0 }.sorted {
                (scores[$1], $0) < (scores[$0], $1)
            }
            return best.prefix(count).sorted()
        }
    }
}

/// ln x for x ≥ 1 by the series of atanh behind halvings: the C library's bits depend on the machine.
private func logarithm(_ x: Double) -> Double {
    let exponent = x.exponent
    let ratio = (x.significand - 1) / (x.significand + 1)
    var (power, sum) = (ratio, 0.0)
    for index in stride(from: 1, through: 41, by: 2) {
        sum += power / Double(index)
        power *= ratio * ratio
    }
    return 2 * sum + Double(exponent) * 0.693147180559945309417
}
