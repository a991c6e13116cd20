package import Models
internal import Tensors

extension TextLikelihood {
    /// What a mixture makes of the predictions of several models for one text, byte by byte; as in a store's
    /// model, the gate starts anew in each window.
    ///
    /// - Parameters:
    ///   - models: Of the same text, one for each model of the mixture.
    ///   - text: The whole of it, of which the models predicted the beginning.
    /// - Returns: Bits per byte, and how many bytes each model was the likeliest for.
    package static func mixed(
        _ models: [TextLikelihood], by mixture: AdapterMixture, of text: [UInt8]
    ) -> (bitsPerByte: Double, selection: [Int]) {
        let (count, size) = (models[0].nats.count, models[0].perWindow)
        precondition(
            models.allSatisfy { $0.nats.count == count && $0.perWindow == size }
                && text.count >= count / size * (size + 1), "predictions of different texts")
        var nats = 0.0
        var selection = [Int](repeating: 0, count: models.count)
        var state = mixture.start
        for index in 0..<count {
            let (window, position) = index.quotientAndRemainder(dividingBy: size)
            let place = window * (size + 1) + position
            if position == 0 { state = mixture.start }
            mixture.advance(&state, text[place])
            let blend = mixture.blend(state)
            let known = blend.counts.isEmpty ? 0 : blend.counts[Int(text[place + 1])]
            let probability = blend.shares.reduce(Double(known)) {
                $0 + Double($1.weight) * Kernels.exp(-models[$1.model].nats[index])
            }
            nats -= Kernels.log(max(probability, 1e-300))
            selection[blend.shares[0].model] += 1
        }
        return (nats / (Double(count) * 0.693147180559945309417), selection)
    }

    /// Bits per byte of a text with counts beside the one model that predicted it.
    package func bits(of text: [UInt8], by mixture: AdapterMixture) -> Double {
        Self.mixed([self], by: mixture, of: text).bitsPerByte
    }
}
