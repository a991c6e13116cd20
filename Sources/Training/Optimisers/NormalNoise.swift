internal import Models
internal import Tensors

/// Normal numbers from a seed: Marsaglia's polar method over SplitMix64, with our own logarithm, so
/// that the bits are the same on every machine.
struct NormalNoise {
    private var generator: SplitMix64
    private var spare: Float?

    init(seed: UInt64) { generator = SplitMix64(seed: seed) }

    mutating func next() -> Float {
        if let spare {
            self.spare = nil
            return spare
        }
        while true {
            let x = 2 * generator.nextUnit() - 1
            let y = 2 * generator.nextUnit() - 1
            let square = x * x + y * y
            if square >= 1 || square < 1e-12 { continue }
            let factor = (-2 * Double(Kernels.log(Float(square))) / square).squareRoot()
            spare = Float(y * factor)
            return Float(x * factor)
        }
    }

    mutating func fill(_ slice: FloatSlice, deviation: Float) {
        slice.withMutableSpan { span in
            for index in span.indices { span[index] = next() * deviation }
        }
    }
}
