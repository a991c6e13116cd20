import CKernels
import Glibc
import NumericSupport
import Tensors
import Testing

@Suite("fixed-order kernels")
struct KernelTests {
    /// The order that the kernels promise: 16 lanes, then a tree.
    private func laneDot(_ x: [Float], _ y: [Float]) -> Float {
        var lanes = [Float](repeating: 0, count: 16)
        for i in x.indices { lanes[i % 16] = fmaf(x[i], y[i], lanes[i % 16]) }
        let eight = (0..<8).map { lanes[$0] + lanes[$0 + 8] }
        let four = (0..<4).map { eight[$0] + eight[$0 + 4] }
        return (four[0] + four[2]) + (four[1] + four[3])
    }

    @Test("a dot product has the bits of the documented order", arguments: kernelSizes)
    func dotOrder(count: Int) {
        var noise = Noise(seed: 1)
        let (x, y) = (noise.floats(count), noise.floats(count))
        #expect(Kernels.dot(x.span, y.span) == laneDot(x, y))
    }

    @Test("a dot product is near the exact sum", arguments: kernelSizes)
    func dotValue(count: Int) {
        var noise = Noise(seed: 2)
        let (x, y) = (noise.floats(count), noise.floats(count))
        let exact = zip(x, y).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        // Two roundings of at most half a unit per element of a lane, terms up to 1.
        let tolerance = Double(count + 4) * 0x1p-24
        #expect(abs(Double(Kernels.dot(x.span, y.span)) - exact) <= tolerance)
    }

    @Test("axpy rounds once per element", arguments: kernelSizes)
    func axpy(count: Int) {
        var noise = Noise(seed: 3)
        let x = noise.floats(count)
        let before = noise.floats(count)
        var y = before
        do {
            var span = y.mutableSpan
            Kernels.axpy(0.7, x.span, into: &span)
        }
        #expect(y == zip(x, before).map { fmaf(0.7, $0, $1) })
    }

    @Test("a norm divides by the root of the mean square", arguments: [1, 15, 16, 17, 128, 255])
    func norm(width: Int) {
        var noise = Noise(seed: 4)
        let (x, weight) = (noise.floats(3 * width), noise.floats(width))
        var out = [Float](repeating: 0, count: 3 * width)
        do {
            var span = out.mutableSpan
            Kernels.rmsNorm(x.span, weight: weight.span, epsilon: 1e-5, into: &span)
        }
        for i in out.indices {
            let row = x[i / width * width..<(i / width + 1) * width]
            let mean = row.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(width)
            let exact = Double(x[i]) / (mean + 1e-5).squareRoot() * Double(weight[i % width])
            #expect(abs(Double(out[i]) - exact) <= 1e-6 * max(1, abs(exact)))
        }
    }

    @Test("softmax weights are right and sum to one", arguments: [1, 8, 15, 16, 17, 255])
    func softmax(width: Int) {
        var noise = Noise(seed: 5)
        let x = noise.floats(2 * width).map { $0 * 20 }
        var y = x
        do {
            var span = y.mutableSpan
            Kernels.softmax(&span, width: width)
        }
        for row in 0..<2 {
            let range = row * width..<(row + 1) * width
            let exact = x[range].map { exp(Double($0)) }
            let sum = exact.reduce(0, +)
            for (value, expected) in zip(y[range], exact) {
                #expect(abs(Double(value) - expected / sum) < 1e-6)
            }
        }
    }

    @Test("exp is within 2 units in the last place")
    func expAccuracy() {
        for step in 0...20_000 {
            let x = Float(-87) + Float(step) * (175.0 / 20_000)
            let exact = exp(Double(x))
            let error = abs(Double(Kernels.exp(x)) - exact) / Double(Float(exact).ulp)
            #expect(error <= 2, "exp(\(x))")
        }
        #expect(Kernels.exp(Float(-88)) == 0 && Kernels.exp(-Float.infinity) == 0)
        #expect(Kernels.exp(Float.infinity) == Float.infinity && Kernels.exp(Float.nan).isNaN)
        #expect(Kernels.exp(Float(0)) == 1)
    }

    @Test("GELU is the exact erf form, tails included")
    func geluAccuracy() {
        for step in 0...20_000 {
            let x = Float(-12) + Float(step) * (24.0 / 20_000)
            let exact = Double(x) * erfc(-Double(x) / 2.0.squareRoot()) / 2
            // Below 1e-35 the exponential has left the normal floats.
            let tolerance = max(4e-7 * abs(exact), 1e-35)
            #expect(abs(Double(Kernels.gelu(x)) - exact) <= tolerance, "gelu(\(x))")
        }
        #expect(Kernels.gelu(0) == 0 && Kernels.gelu(-1e30) == 0 && Kernels.gelu(1e30) == 1e30)
        #expect(Kernels.gelu(.nan).isNaN && Kernels.gelu(.infinity) == .infinity)
    }

    @Test("the SiLU gate is near its double form", arguments: kernelSizes)
    func silu(count: Int) {
        var noise = Noise(seed: 6)
        let gate = noise.floats(count).map { $0 * 30 }
        let up = noise.floats(count)
        var out = gate
        do {
            var span = out.mutableSpan
            Kernels.siluGate(&span, up: up.span)
        }
        for i in out.indices {
            let exact = Double(gate[i]) / (1 + exp(-Double(gate[i]))) * Double(up[i])
            #expect(abs(Double(out[i]) - exact) <= 5e-7 * max(abs(exact), 1e-3))
        }
    }

    /// Units in the last place between a result and the C library's, which is the nearest double or next to it.
    private func distance(_ own: Double, _ other: Double) -> Double {
        own == other ? 0 : abs(own - other) / other.ulp
    }

    @Test("exp and log in double are next to the C library's, over all that doubles reach")
    func doubles() {
        var noise = Noise(seed: 11)
        func uniform(_ low: Double, _ high: Double) -> Double {
            low + (high - low) * Double(noise.floats(1)[0] + 1) / 2
        }
        // One unit for our rounding, one for theirs.
        let most = 2.0
        for _ in 0..<20_000 {
            for x in [uniform(-745, 709.7), uniform(-2, 2), uniform(-1e-9, 1e-9)] {
                #expect(distance(Kernels.exp(x), exp(x)) <= most, "exp(\(x))")
            }
            for x in [exp(uniform(-744, 709) as Double), uniform(0.5, 2), 1 + uniform(-1e-6, 1e-6)]
            {
                #expect(distance(Kernels.log(x), log(x)) <= most, "log(\(x))")
            }
        }
        #expect(Kernels.exp(0.0) == 1 && Kernels.exp(-800.0) == 0)
        #expect(Kernels.exp(710.0) == Double.infinity && Kernels.exp(-Double.infinity) == 0)
        #expect(Kernels.exp(Double.nan).isNaN && Kernels.log(Double.nan).isNaN)
        #expect(Kernels.log(1.0) == 0 && Kernels.log(0.0) == -Double.infinity)
        #expect(Kernels.log(-1.0).isNaN && Kernels.log(Double.infinity) == Double.infinity)
        // The bits themselves, on any CPU.
        #expect(Kernels.exp(1.0).bitPattern == 0x4005_BF0A_8B14_5769)
        #expect(Kernels.log(10.0).bitPattern == 0x4002_6BB1_BBB5_5516)
        #expect(Kernels.log(Double.leastNonzeroMagnitude).bitPattern == 0xC087_4385_446D_71C3)
    }

    @Test("cross-entropy is log-sum-exp in double, and NaN shows")
    func crossEntropy() {
        var noise = Noise(seed: 7)
        var logits = noise.floats(256).map { $0 * 10 }
        let sum = logits.reduce(0.0) { $0 + exp(Double($1)) }
        let loss = Kernels.crossEntropy(logits.span, target: 9)
        #expect(abs(loss - (log(sum) - Double(logits[9]))) < 1e-12)
        logits[200] = .nan
        #expect(!Kernels.crossEntropy(logits.span, target: 9).isFinite)
        logits[200] = .infinity
        #expect(!Kernels.crossEntropy(logits.span, target: 9).isFinite)
    }
}
