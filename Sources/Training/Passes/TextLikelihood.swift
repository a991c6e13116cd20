internal import Architectures
internal import Elements
internal import Models
internal import Synchronization
internal import Tensors

/// How likely a text is, byte by byte, by the protocol of `AdaptedModel.evaluate`: full windows of the
/// context length that do not overlap, in each every byte but the first.
package struct TextLikelihood: Sendable {
    /// -ln p of the predicted bytes, window by window.
    package let nats: [Double]
    /// Predicted bytes of a window.
    package let perWindow: Int

    package var bitsPerByte: Double {
        nats.reduce(0, +) / (Double(nats.count) * 0.693147180559945309417)
    }

    /// Of predictions that were made elsewhere: whole windows.
    package init(nats: [Double], perWindow: Int) {
        precondition(perWindow > 0 && nats.count % perWindow == 0, "\(nats.count) bytes")
        self.nats = nats
        self.perWindow = perWindow
    }

    /// - Parameters:
    ///   - byteLimit: Nil for the whole text.
    ///   - threads: Windows that run at the same time; the bits do not depend on it.
    /// - Throws: `.usage` for a text shorter than a window.
    package init(
        of text: [UInt8], under model: TrainableModel, usesExperts: Bool,
        byteLimit: Int? = 20_000, threads: Int = 2
    ) throws {
        let size = model.config.contextLength
        let windows = min(text.count, byteLimit ?? text.count) / size
        guard windows > 0, threads > 0 else {
            throw CambiumError(.usage, "the text has \(text.count) bytes; one window needs \(size)")
        }
        try useBLAS()
        let count = min(threads, windows)
        let team = ThreadTeam(count: count)
        let results = Mutex([[Double]](repeating: [], count: windows))
        let passes = (0..<count).map { _ in
            ForwardBackward(model: model, windows: 1, length: size - 1, usesExperts: usesExperts)
        }
        team.forEach(count) { part in
            for window in stride(from: part, to: windows, by: count) {
                let bytes = Array(text[window * size..<(window + 1) * size])
                passes[part].forward(Array(bytes.dropLast()), isChanged: window == part)
                let nats = passes[part].logits.withSpan { logits in
                    (0..<size - 1).map {
                        Kernels.crossEntropy(
                            logits.extracting($0 * 256..<($0 + 1) * 256),
                            target: Int(bytes[$0 + 1]))
                    }
                }
                results.withLock { $0[window] = nats }
            }
        }
        nats = results.withLock { $0.flatMap { $0 } }
        perWindow = size - 1
    }
}
