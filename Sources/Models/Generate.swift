/// Text that a model wrote.
package struct Generation: Sendable {
    /// The new bytes, without the prompt.
    package let bytes: [UInt8]
    /// What the prompt and the new bytes picked.
    package let usage: ExpertUsage
    /// How often the context was full and the window moved on.
    package let slides: Int
}

extension PeerModel {
    /// Continues a prompt byte by byte.
    ///
    /// **When the context is full**, the last half of it (prompt and new bytes alike) is run again
    /// at positions from 0, and generation goes on from there: what lies further back is forgotten.
    /// Of a prompt longer than the context only the last contextLength bytes are read. So text
    /// beyond the first window differs from what a longer context would give.
    ///
    /// - Parameters:
    ///   - prompt: At least one byte: the architecture has no start token.
    ///   - count: New bytes to make.
    ///   - each: Called with every new byte as it comes; returning false stops.
    /// - Throws: `.badInput` for an empty prompt or a negative count; `.notFinite` if the model
    ///   computes NaN or infinity; what reading an expert throws.
    package func generate(
        _ prompt: [UInt8], count: Int, sampling: Sampling = .greedy,
        each: (UInt8) -> Bool = { _ in true }
    ) throws(ModelError) -> Generation {
        guard !prompt.isEmpty else {
            throw ModelError(
                .badInput,
                "the prompt is empty; the model has no start token, so give at least one byte")
        }
        guard count >= 0 else { throw ModelError(.badInput, "\(count) bytes to generate") }
        let session = Session(self)
        var generator = SplitMix64(seed: sampling.seed)
        var text = prompt
        var slides = 0
        var pending = Array(prompt.suffix(config.contextLength))
        while text.count - prompt.count < count {
            if pending.count > session.room {
                session.reset()
                pending = Array(text.suffix(max(1, config.contextLength / 2)))
                slides += 1
            }
            let logits = try session.append(pending)
            let byte: UInt8
            do {
                byte = try sampling.choose(logits, using: &generator)
            } catch {
                throw ModelError(
                    error.code, "after byte \(text.count - 1) of the text: \(error.message)")
            }
            text.append(byte)
            pending = [byte]
            guard each(byte) else { break }
        }
        return Generation(
            bytes: Array(text[prompt.count...]), usage: session.usage, slides: slides)
    }
}
