import Glibc
import NumericSupport
import Tensors
import Testing

@Suite("SwiGLU experts")
struct SwiGLUExpertTests {
    private func output(
        _ expert: SwiGLUExpert, _ x: [Float], weight: Float, before: [Float], threads: Int
    ) -> [Float] {
        var out = before
        do {
            var span = out.mutableSpan
            expert.add(x.span, weight: weight, into: &span, team: ThreadTeam(count: threads))
        }
        return out
    }

    @Test(
        "an expert adds weight * down (SiLU(gate x) * up x), with the same bits on any threads",
        arguments: [(1, 1), (5, 7), (16, 40), (130, 400)])
    func values(width: Int, inner: Int) {
        var noise = Noise(seed: 51)
        let (gate, up) = (noise.floats(inner * width), noise.floats(inner * width))
        let down = noise.floats(width * inner)
        let (x, before) = (noise.floats(width), noise.floats(width))
        let expert = SwiGLUExpert(
            gate: Matrix(rows: inner, columns: width, values: gate),
            up: Matrix(rows: inner, columns: width, values: up),
            down: Matrix(rows: width, columns: inner, values: down))
        let alone = output(expert, x, weight: 0.7, before: before, threads: 1)
        #expect(output(expert, x, weight: 0.7, before: before, threads: 3) == alone)
        var hidden: [Double] = []
        for row in 0..<inner {
            var (g, u) = (0.0, 0.0)
            for k in 0..<width {
                g += Double(gate[row * width + k]) * Double(x[k])
                u += Double(up[row * width + k]) * Double(x[k])
            }
            hidden.append(g / (1 + exp(-g)) * u)
        }
        for row in 0..<width {
            var sum = 0.0
            for k in 0..<inner { sum += Double(down[row * inner + k]) * hidden[k] }
            let exact = Double(before[row]) + 0.7 * sum
            #expect(abs(Double(alone[row]) - exact) < 1e-3 * max(1, abs(exact)))
        }
    }
}
