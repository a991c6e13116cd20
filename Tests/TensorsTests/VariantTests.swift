import CKernels
import Testing

/// What this CPU runs must give the bits of the scalar reference.
@Suite("kernel variants")
struct VariantTests {
    @Test("sums, activations and neurons have the same bits", arguments: kernelSizes)
    func vectors(count: Int) {
        let reference = unsafe vectorBits(cambium_scalar, count: count)
        let fast = unsafe vectorBits(cambium_active_variant().pointee, count: count)
        #expect(reference == fast)
    }

    @Test("attention has the same bits", arguments: [2, 8, 16, 18, 32])
    func attention(headSize: Int) {
        let reference = unsafe attentionBits(cambium_scalar, headSize: headSize)
        let fast = unsafe attentionBits(cambium_active_variant().pointee, headSize: headSize)
        #expect(reference == fast)
    }

    private func vectorBits(_ table: cambium_variant, count: Int) -> [UInt32] {
        var noise = Noise(seed: 11)
        let x = noise.floats(count)
        let rows = noise.floats(2 * count)
        var results: [Float] = [unsafe table.dot(x, rows, count)]
        var y = rows
        unsafe table.axpy(0.3, x, &y, count)
        results += y
        y = rows
        unsafe table.silu_gate(&y, x, count)
        results += y
        y = x.map { $0 * 40 }
        unsafe table.softmax(&y, count)
        results += y
        y = x
        unsafe table.neuron(x, rows, count, 0.9, &y)
        results += y
        y = [0, 0]
        unsafe table.row_dots(rows, x, 2, count, &y)
        results += y
        if count > 0 {
            y = x
            unsafe table.rms_norm(x, rows, 1, count, 1e-5, &y)
            results += y
        }
        return results.map(\.bitPattern)
    }

    private func attentionBits(_ table: cambium_variant, headSize: Int) -> [UInt32] {
        var noise = Noise(seed: 12)
        let (heads, tokens, first, capacity) = (2, 5, 14, 32)
        let queries = noise.floats(tokens * heads * headSize)
        let keys = noise.floats(capacity * heads * headSize)
        let values = noise.floats(capacity * heads * headSize)
        var scratch = [Float](repeating: 0, count: capacity)
        var out = queries
        unsafe table.attention(
            queries, keys, values, tokens, first, heads, headSize, capacity, &scratch, &out)
        return out.map(\.bitPattern)
    }
}
