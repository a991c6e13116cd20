import Elements
import Glibc
import Tensors
import Testing

@Suite("layer kernels")
struct LayerKernelTests {
    /// The expert's rows as stored bytes, `offset` bytes after an array's start.
    private func bytes(_ values: [Float], offset: Int) -> [UInt8] {
        [UInt8](repeating: 0xff, count: offset)
            + values.flatMap { value in
                (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
            }
    }

    @Test("a neuron adds gate * GELU(u x) * v, at any alignment", arguments: kernelSizes, [0, 1])
    func neuron(width: Int, offset: Int) {
        var noise = Noise(seed: 21)
        let (x, rows, before) = (noise.floats(width), noise.floats(2 * width), noise.floats(width))
        let stored = bytes(rows, offset: offset)
        var out = before
        do {
            var span = out.mutableSpan
            Kernels.addNeuron(
                stored.raw.extracting(offset..<stored.count), type: .f32, gate: 0.4, x: x.span,
                into: &span)
        }
        let h = zip(x, rows).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        let a = 0.4 * h * erfc(-h / 2.0.squareRoot()) / 2
        for i in out.indices {
            let exact = Double(before[i]) + a * Double(rows[width + i])
            #expect(abs(Double(out[i]) - exact) < 1e-5)
        }
    }

    @Test("a BF16 neuron equals the F32 neuron of the same values")
    func neuronConverted() {
        var noise = Noise(seed: 22)
        let x = noise.floats(24)
        let halves = noise.floats(48).map { UInt16($0.bitPattern >> 16) }
        let rows = halves.map { Float(bitPattern: UInt32($0) << 16) }
        let stored = halves.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        var outs: [[Float]] = []
        for (source, type) in [(bytes(rows, offset: 0), ElementType.f32), (stored, .bf16)] {
            var out = x
            do {
                var span = out.mutableSpan
                Kernels.addNeuron(source.raw, type: type, gate: 1, x: x.span, into: &span)
            }
            outs.append(out)
        }
        #expect(outs[0] == outs[1])
    }

    @Test("rotation turns pairs of halves by the position's angles")
    func rotation() {
        var noise = Noise(seed: 23)
        let (tokens, heads, size) = (3, 2, 6)
        let x = noise.floats(tokens * heads * size)
        let angles = noise.floats(tokens * size / 2)
        let (cosines, sines) = (angles.map { cos($0) }, angles.map { sin($0) })
        var y = x
        do {
            var span = y.mutableSpan
            Kernels.rotate(
                &span, cosines: cosines.span, sines: sines.span, heads: heads, headSize: size)
        }
        for t in 0..<tokens {
            for h in 0..<heads {
                for i in 0..<3 {
                    let at = (t * heads + h) * size + i
                    let angle = angles[t * 3 + i]
                    #expect(abs(y[at] - (x[at] * cos(angle) - x[at + 3] * sin(angle))) < 1e-6)
                    #expect(abs(y[at + 3] - (x[at + 3] * cos(angle) + x[at] * sin(angle))) < 1e-6)
                }
            }
        }
    }

    @Test("attention equals the plain causal form", arguments: [2, 16, 20], [0, 13])
    func attention(headSize: Int, first: Int) {
        var noise = Noise(seed: 24)
        let (heads, tokens, capacity) = (3, 4, 32)
        let width = heads * headSize
        let queries = noise.floats(tokens * width)
        let keys = noise.floats(capacity * width)
        let values = noise.floats(capacity * width)
        var scratch = [Float](repeating: 0, count: capacity)
        var out = [Float](repeating: 0, count: tokens * width)
        do {
            var scratch = scratch.mutableSpan
            var out = out.mutableSpan
            Kernels.attend(
                queries.span, keys: keys.span, values: values.span, first: first, heads: heads,
                headSize: headSize, capacity: capacity, scratch: &scratch, into: &out)
        }
        for t in 0..<tokens {
            for h in 0..<heads {
                let weights = (0...first + t).map { j in
                    exp(
                        (0..<headSize).reduce(0.0) {
                            let d = h * headSize + $1
                            return $0 + Double(queries[t * width + d])
                                * Double(keys[d * capacity + j])
                        } / Double(headSize).squareRoot())
                }
                let sum = weights.reduce(0, +)
                for d in h * headSize..<(h + 1) * headSize {
                    let exact = weights.indices.reduce(0.0) {
                        $0 + weights[$1] / sum * Double(values[$1 * width + d])
                    }
                    #expect(abs(Double(out[t * width + d]) - exact) < 2e-6)
                }
            }
        }
    }

    @Test("new keys become columns and leave the others alone")
    func storeKeys() {
        var keys = [Float](repeating: -1, count: 2 * 16)
        let new: [Float] = [1, 2, 3, 4]
        do {
            var span = keys.mutableSpan
            Kernels.storeKeys(new.span, width: 2, first: 3, capacity: 16, into: &span)
        }
        var expected = [Float](repeating: -1, count: 32)
        (expected[3], expected[19], expected[4], expected[20]) = (1, 2, 3, 4)
        #expect(keys == expected)
    }
}
