internal import Tensors

/// What a layer by the gated delta rule keeps of a text: the last inputs of its convolution, and its state.
final class DeltaState {
    /// [taps - 1, columns].
    private var inputs: FloatBuffer
    /// [valueHeads, keySize, valueSize].
    private var state: FloatBuffer

    init(_ layer: LanguageModel.Delta) {
        inputs = FloatBuffer(count: (layer.taps - 1) * layer.columns)
        state = FloatBuffer(count: layer.shape.stateCount)
    }

    // Spans of a class's properties cannot be had; those of parameters can.
    /// The inputs of the convolution, changed first of a segment.
    ///
    /// - Parameter position: Of the first token that comes; at 0 the text begins anew.
    func changeInputs(at position: Int, _ body: (inout FloatBuffer) -> Void) {
        if position == 0 {
            clear(&inputs, inputs.count)
            clear(&state, state.count)
        }
        body(&inputs)
    }

    func changeState(_ body: (inout FloatBuffer) -> Void) { body(&state) }
}

/// What one layer keeps of a text.
enum LayerMemory {
    case keysAndValues(KeyValueCache)
    case delta(DeltaState)

    init(_ attention: LanguageModel.Attention) {
        switch attention {
        case .grouped(let grouped): self = .keysAndValues(KeyValueCache(grouped.shape))
        case .latent(let latent): self = .keysAndValues(KeyValueCache(latent.shape))
        case .delta(let delta): self = .delta(DeltaState(delta))
        }
    }
}
