import Elements
import Glibc
import NumericSupport
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

    private func add(
        _ stored: [UInt8], offset: Int, type: ElementType, gates: [Float], x: [Float],
        to before: [Float]
    ) -> [Float] {
        var out = before
        unsafe stored.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            let size = (bytes.count - offset) / gates.count
            let rows = unsafe gates.indices.map { unsafe base + offset + $0 * size }
            var span = out.mutableSpan
            unsafe Kernels.addNeurons(
                rows.span, type: type, gates: gates.span, x: x.span, into: &span)
        }
        return out
    }

    @Test(
        "neurons add gate * GELU(u x) * v, at any alignment", arguments: kernelSizes.dropFirst(),
        [0, 1])
    func neurons(width: Int, offset: Int) {
        var noise = Noise(seed: 21)
        let count = 3
        let (x, rows) = (noise.floats(width), noise.floats(2 * width * count))
        let (before, gates) = (noise.floats(width), noise.floats(count))
        let out = add(
            bytes(rows, offset: offset), offset: offset, type: .f32, gates: gates, x: x, to: before)
        for i in out.indices {
            var exact = Double(before[i])
            for e in 0..<count {
                let u = rows[2 * width * e..<2 * width * e + width]
                let h = zip(x, u).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
                let a = Double(gates[e]) * h * erfc(-h / 2.0.squareRoot()) / 2
                exact += a * Double(rows[2 * width * e + width + i])
            }
            #expect(abs(Double(out[i]) - exact) < 3e-5)
        }
    }

    @Test("16-bit neurons equal the F32 neurons of the same values")
    func halves() {
        var noise = Noise(seed: 22)
        let (x, gates) = (noise.floats(24), noise.floats(2))
        let values = noise.floats(96)
        let brains = values.map { UInt16($0.bitPattern >> 16) }
        let floats = values.map { Float16($0) }
        func stored(_ bits: [UInt16]) -> [UInt8] {
            bits.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        }
        let cases: [([UInt8], ElementType, [Float])] = [
            (stored(brains), .bf16, brains.map { Float(bitPattern: UInt32($0) << 16) }),
            (stored(floats.map(\.bitPattern)), .f16, floats.map(Float.init)),
        ]
        for (source, type, rows) in cases {
            let expected = add(
                bytes(rows, offset: 0), offset: 0, type: .f32, gates: gates, x: x, to: x)
            #expect(add(source, offset: 0, type: type, gates: gates, x: x, to: x) == expected)
        }
    }

    @Test("I8 neurons scale both rows")
    func quantised() {
        var noise = Noise(seed: 25)
        let (width, x) = (20, noise.floats(20))
        let values = (0..<40).map { _ in Int8(truncatingIfNeeded: noise.bits() % 255) }
        let scales: [Float] = [0.01, 0.03]
        let stored = values.map { UInt8(bitPattern: $0) } + bytes(scales, offset: 0)
        let out = add(stored, offset: 0, type: .i8, gates: [0.7], x: x, to: x)
        let h = (0..<width).reduce(0.0) { $0 + Double(x[$1]) * Double(values[$1]) } * 0.01
        let a = 0.7 * h * erfc(-h / 2.0.squareRoot()) / 2
        for i in 0..<width {
            let exact = Double(x[i]) + a * 0.03 * Double(values[width + i])
            #expect(abs(Double(out[i]) - exact) < 1e-4)
        }
    }

    @Test("rotations are the C library's to the last bit of a float", arguments: [16, 64])
    func rotations(size: Int) {
        let positions = 300
        var cosines = [Float](repeating: 0, count: positions * size / 2)
        var sines = cosines
        do {
            var cosines = cosines.mutableSpan
            var sines = sines.mutableSpan
            RotationFrequencies(theta: 10_000, size: size)
                .fill(from: 0, cosines: &cosines, sines: &sines)
        }
        for index in cosines.indices {
            let (position, i) = index.quotientAndRemainder(dividingBy: size / 2)
            let angle = Double(position) * pow(10_000, -2 * Double(i) / Double(size))
            #expect(abs(cosines[index] - Float(cos(angle))) <= 0x1p-24)
            #expect(abs(sines[index] - Float(sin(angle))) <= 0x1p-24)
        }
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
        var out = [Float](repeating: 0, count: tokens * width)
        do {
            var out = out.mutableSpan
            Kernels.attend(
                AttentionShape(heads: heads, headSize: headSize), queries.span, keys: keys.span,
                values: values.span, first: first, capacity: capacity, into: &out)
        }
        for t in 0..<tokens {
            for h in 0..<heads {
                let weights = (0...first + t).map { j in
                    exp(
                        (0..<headSize).reduce(0.0) {
                            let d = h * headSize + $1
                            return $0 + Double(queries[t * width + d])
                                * Double(keys[(j / 16 * width + d) * 16 + j % 16])
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

    @Test(
        "heads that share keys, windows and sinks equal the plain form",
        arguments: [nil, 1, 3, 40],
        [true, false])
    func groupedAttention(window: Int?, hasSinks: Bool) {
        var noise = Noise(seed: 25)
        let (heads, kvHeads, keySize, valueSize, tokens, first, capacity) = (
            6, 2, 20, 18, 5, 9, 16
        )
        let queries = noise.floats(tokens * heads * keySize)
        let keys = noise.floats(capacity * kvHeads * keySize)
        let values = noise.floats(capacity * kvHeads * valueSize)
        let sinks = hasSinks ? noise.floats(heads) : []
        var out = [Float](repeating: 0, count: tokens * heads * valueSize)
        do {
            var out = out.mutableSpan
            Kernels.attend(
                AttentionShape(
                    heads: heads, kvHeads: kvHeads, keySize: keySize, valueSize: valueSize,
                    scale: 0.4, window: window, sinks: sinks),
                queries.span, keys: keys.span, values: values.span, first: first,
                capacity: capacity, into: &out, team: ThreadTeam(count: 2))
        }
        for t in 0..<tokens {
            for h in 0..<heads {
                let shared = h / (heads / kvHeads)
                let seen = max(0, first + t + 1 - (window ?? capacity))...first + t
                let weights = seen.map { j in
                    exp(
                        0.4
                            * (0..<keySize).reduce(0.0) {
                                let row = j / 16 * kvHeads * keySize + shared * keySize + $1
                                let key = keys[row * 16 + j % 16]
                                return $0 + Double(queries[(t * heads + h) * keySize + $1])
                                    * Double(key)
                            })
                }
                let sum = weights.reduce(0, +) + (hasSinks ? exp(Double(sinks[h])) : 0)
                for d in 0..<valueSize {
                    let exact = zip(seen, weights).reduce(0.0) {
                        let value = values[($1.0 * kvHeads + shared) * valueSize + d]
                        return $0 + $1.1 / sum * Double(value)
                    }
                    let found = out[(t * heads + h) * valueSize + d]
                    #expect(abs(Double(found) - exact) < 2e-6)
                }
            }
        }
    }

    @Test(
        "a token alone reads the same bits as among others", arguments: [16, 72, 144], [nil, 70])
    func attentionAlone(valueSize: Int, window: Int?) {
        var noise = Noise(seed: 26)
        let (heads, kvHeads, keySize, tokens, first, capacity) = (4, 2, 24, 7, 130, 144)
        let shape = AttentionShape(
            heads: heads, kvHeads: kvHeads, keySize: keySize, valueSize: valueSize, scale: 0.3,
            window: window, sinks: [])
        let queries = noise.floats(tokens * shape.queryWidth)
        let keys = noise.floats(capacity * shape.keyWidth)
        let values = noise.floats(capacity * shape.valueWidth)
        func read(_ range: Range<Int>) -> [Float] {
            var out = [Float](repeating: 0, count: range.count * shape.outWidth)
            var span = out.mutableSpan
            let some = range.lowerBound * shape.queryWidth..<range.upperBound * shape.queryWidth
            Kernels.attend(
                shape, queries.span.extracting(some), keys: keys.span, values: values.span,
                first: first + range.lowerBound, capacity: capacity, into: &span)
            return out
        }
        #expect(read(0..<tokens) == (0..<tokens).flatMap { read($0..<$0 + 1) })
    }

    @Test("new keys become columns and leave the others alone")
    func storeKeys() {
        var keys = [Float](repeating: -1, count: 2 * 32)
        let new: [Float] = [1, 2, 3, 4]
        do {
            var span = keys.mutableSpan
            Kernels.storeKeys(new.span, width: 2, first: 15, capacity: 32, into: &span)
        }
        var expected = [Float](repeating: -1, count: 64)
        (expected[15], expected[31], expected[32], expected[48]) = (1, 2, 3, 4)
        #expect(keys == expected)
    }
}
