import CKernels
import NumericSupport
import Testing

/// What this CPU can run must give the bits of the scalar reference, which finite differences and
/// PyTorch's gradients check (`Tests/TrainingTests`).
@Suite("variants of the training kernels")
struct TrainingVariantTests {
    /// Compares the bits that `make` computes with each table; the scalar one is the last.
    private func expectEqual(_ make: (cambium_training) -> [Float]) {
        var results: [(name: String, bits: [UInt32])] = []
        while let variant = unsafe cambium_variant_at(results.count) {
            let table = unsafe cambium_training_of(variant).pointee
            let name = unsafe String(cString: table.name)
            #expect(unsafe name == String(cString: variant.pointee.name))
            results.append((name, unsafe make(table).map(\.bitPattern)))
        }
        #expect(results.last?.name == "scalar" && results.last?.bits.isEmpty == false)
        for result in results { #expect(result.bits == results.last?.bits, "\(result.name)") }
    }

    @Test(
        "gradients of norms and activations have the same bits", arguments: kernelSizes.dropFirst())
    func layers(width: Int) {
        unsafe expectEqual { table in
            var noise = Noise(seed: 21)
            let tokens = 3
            let (x, dy) = (noise.floats(tokens * width), noise.floats(tokens * width))
            let weight = noise.floats(width)
            var (dx, dweight) = (noise.floats(tokens * width), noise.floats(width))
            unsafe table.rms_norm_backward(x, weight, dy, tokens, width, 1e-5, &dx, &dweight)
            var results = dx + dweight
            unsafe table.rms_norm_backward(x, nil, dy, tokens, width, 1e-5, &dx, nil)
            results += dx
            var (one, two) = (x, x)
            let pairs = noise.floats(2 * x.count).map { $0 * 9 }
            var gradients = pairs
            unsafe table.silu_rows(pairs, tokens, width, &one)
            unsafe table.silu_rows_backward(pairs, dy, tokens, width, &gradients)
            results += one + gradients
            unsafe table.gelu_slope(x.map { $0 * 6 }, x.count, &one, &two)
            results += one + two
            unsafe table.softmax_backward(x, dy, tokens, width, &one)
            results += one
            return results + [Float(unsafe table.square_sum(x, x.count))]
        }
    }

    @Test("attention and its gradient have the same bits", arguments: [1, 7, 16, 33, 100])
    func attention(length: Int) {
        unsafe expectEqual { table in
            var noise = Noise(seed: 22)
            let (size, stride) = (20, 70)
            let (width, columns) = ((length + 15) / 16 * 16, 32)
            var x = noise.floats(length * stride)
            let angles = noise.floats(length * 5)
            unsafe table.rotate_rows(&x, stride, angles, angles, length, 2, 10)
            let (dout, scale) = (noise.floats(length * size), Float(0.25))
            var scratch = [Float](
                repeating: 0, count: (3 * length + width) * columns + length * width)
            var p = [Float](repeating: 0, count: length * width)
            var (out, gradient) = (dout, x)
            unsafe x.withUnsafeBufferPointer { x in
                guard let x = x.baseAddress else { return }
                unsafe table.causal_attention(
                    x, x + 20, x + 40, stride, length, size, scale, &scratch, &p, &out, size)
                unsafe gradient.withUnsafeMutableBufferPointer { gradient in
                    guard let dx = gradient.baseAddress else { return }
                    unsafe table.causal_attention_backward(
                        x, x + 20, x + 40, stride, p, dout, size, length, size, scale, &scratch,
                        dx, dx + 20, dx + 40, stride)
                }
            }
            return x + out + gradient
        }
    }

    @Test("gradients of sub-keys have the same bits", arguments: [1, 8, 21, 32])
    func subKeys(half: Int) {
        unsafe expectEqual { table in
            var noise = Noise(seed: 26)
            let (groups, k, n, heads) = (6, 3, 5, 2)
            let ids = (0..<groups * k).map { _ in UInt32(noise.bits() % UInt64(n * n)) }
            let (scores, queries) = (noise.floats(ids.count), noise.floats(groups * 2 * half))
            let keys = noise.floats(heads * 2 * n * half)
            var (dqueries, dkeys) = (queries, keys)
            unsafe table.key_gradients(
                ids, scores, groups, k, n, n, heads, 2 * n * half, keys, queries, 2 * half, half,
                &dqueries, &dkeys)
            return dqueries + dkeys
        }
    }

    @Test("hashed experts and their steps have the same bits", arguments: kernelSizes.dropFirst())
    func hashed(width: Int) {
        unsafe expectEqual { table in
            var noise = Noise(seed: 27)
            let tokens = 12
            var rows = noise.floats(5 * width)
            var sums = noise.floats(5).map { $0 * $0 }
            let places: [UInt32] = [3, 0, 1, 4, 2, 0]
            let ids = (0..<tokens * 3).map { UInt32($0 * 7 % 6) }
            var x = noise.floats(tokens * width)
            unsafe table.add_hashed(rows, places, ids, tokens, 3, width, &x)
            var scratch = [Float](repeating: .nan, count: width)
            for factors in [nil, noise.floats(3)] as [[Float]?] {
                let dx = noise.floats(tokens * width)
                unsafe table.adagrad_hashed(
                    &rows, places, &sums, [0, 2, 4], [0, 6, 1, 5, 35, 2], [0, 2, 5, 6], 3, 3, dx,
                    width, 0.1, factors, &scratch)
            }
            return x + rows + sums
        }
    }

    @Test("products have the same bits", arguments: [1, 6, 17, 300])
    func products(tokens: Int) {
        unsafe expectEqual { table in
            var noise = Noise(seed: 24)
            let (depth, outputs) = (33, 21)
            let (x, dy) = (noise.floats(tokens * depth), noise.floats(tokens * outputs))
            let w = noise.floats(outputs * depth)
            var panels = [Float](repeating: .nan, count: 32 * depth)
            var out = dy
            unsafe table.pack_rows(w, depth, outputs, depth, &panels)
            unsafe table.panel_sums(x, depth, panels, tokens, depth, outputs, &out, outputs, 1)
            var (dx, gradient) = (x, w)
            panels = [Float](repeating: .nan, count: 48 * outputs)
            unsafe table.pack_columns(w, depth, outputs, depth, &panels)
            unsafe table.panel_sums(dy, outputs, panels, tokens, outputs, depth, &dx, depth, 0)
            var scratch = [Float](repeating: .nan, count: CAMBIUM_GRADIENT_DEPTH * (48 + 32))
            unsafe table.weight_gradient(
                dy, outputs, x, depth, tokens, outputs, depth, &scratch, &gradient)
            return out + dx + gradient
        }
    }

    @Test("the loss and a step of Adam have the same bits", arguments: [1, 7, 33, 100])
    func loss(width: Int) {
        unsafe expectEqual { table in
            var noise = Noise(seed: 25)
            var logits = noise.floats(2 * 256).map { $0 * 30 }
            let nats = unsafe table.cross_entropy_backward(&logits, [3, 255], 2, 256, 0.5)
            var (w, m) = (noise.floats(width), noise.floats(width))
            var v = noise.floats(width).map { $0 * $0 }
            var rule = cambium_adam(
                scale: 0.7, rate: 1e-3, beta1: 0.9, beta2: 0.98, epsilon: 1e-8, decay: 0.05,
                correction1: 1.5, correction2: 3)
            unsafe table.adam(&w, noise.floats(width), &m, &v, width, &rule)
            return logits + [Float(nats)] + w + m + v
        }
    }

    @Test("picked neurons and their gradients have the same bits", arguments: [1, 3, 16, 37])
    func picks(count: Int) {
        unsafe expectEqual { table in
            var noise = Noise(seed: 23)
            let (experts, width, tokens) = (50, 24, 2)
            let rows = noise.floats(experts * 2 * width)
            let ids = (0..<tokens * count).map { _ in UInt32(noise.bits() % UInt64(experts)) }
            let gates = noise.floats(ids.count)
            let (x, dout) = (noise.floats(tokens * width), noise.floats(tokens * width))
            var (value, slope) = (gates, gates)
            var (out, dx) = (x, dout)
            var (dgate, dhidden) = (gates, gates)
            // Of the first token.
            unsafe table.picks(rows, ids, gates, count, width, x, &value, &slope, &out)
            unsafe table.picks_backward(
                rows, ids, gates, count, width, dout, value, slope, &dgate, &dhidden, &dx)
            var gradient = noise.floats(3 * 2 * width)
            let order = (0..<count).map { UInt32($0) }
            unsafe table.row_gradients(
                x, dout, order, [0, UInt32(count / 2), UInt32(count)], [2, 0], 2, count, dhidden,
                gates, value, width, 0.7, &gradient)
            return out + dx + value + slope + dgate + dhidden + gradient
        }
    }
}
