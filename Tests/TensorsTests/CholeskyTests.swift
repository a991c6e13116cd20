import CKernels
import NumericSupport
import Tensors
import Testing

@Suite("Cholesky", .serialized)
struct CholeskyTests {
    /// A positive definite matrix: M Mᵀ / n + I.
    private func matrix(_ n: Int, seed: UInt64) -> [Double] {
        var noise = Noise(seed: seed)
        let m = noise.floats(n * n).map(Double.init)
        var a = [Double](repeating: 0, count: n * n)
        for i in 0..<n {
            for j in 0...i {
                var sum = i == j ? 1.0 : 0
                for k in 0..<n { sum += m[i * n + k] * m[j * n + k] / Double(n) }
                a[i * n + j] = sum
                a[j * n + i] = sum
            }
        }
        return a
    }

    private func solved(_ a: [Double], _ b: [Double], _ count: Int, threads: Int) throws -> [Double]
    {
        let n = b.count / max(count, 1)
        let team = ThreadTeam(count: threads)
        let cholesky = try Cholesky(size: n, team: team) { lower in
            for i in 0..<n { for j in 0...i { lower[i * n + j] = a[i * n + j] } }
        }
        var x = b
        cholesky.solve(&x, count: count, team: team)
        return x
    }

    /// The textbook's loops, with the operations in the promised order.
    private func reference(_ a: [Double], _ b: [Double], _ count: Int) -> [Double] {
        let n = b.count / count
        var l = a
        for j in 0..<n {
            for i in j..<n {
                var sum = l[i * n + j]
                for k in 0..<j { sum -= l[i * n + k] * l[j * n + k] }
                l[i * n + j] = i == j ? sum.squareRoot() : sum / l[j * n + j]
            }
        }
        var x = b
        for s in 0..<count {
            for i in 0..<n {
                for k in 0..<i { x[i * count + s] -= l[i * n + k] * x[k * count + s] }
                x[i * count + s] /= l[i * n + i]
            }
            // Behind the block of 32 first, then within it.
            for i in (0..<n).reversed() {
                let end = min(n, (i / 32 + 1) * 32)
                for k in Array(end..<n) + Array(i + 1..<end) {
                    x[i * count + s] -= l[k * n + i] * x[k * count + s]
                }
                x[i * count + s] /= l[i * n + i]
            }
        }
        return x
    }

    @Test(
        "every variant and number of threads gives the bits of the plain loops",
        arguments: [(1, 1), (2, 3), (31, 16), (33, 17), (63, 1), (64, 2), (65, 5), (130, 33)])
    func bits(n: Int, count: Int) throws {
        let a = matrix(n, seed: UInt64(n))
        var noise = Noise(seed: 7)
        let b = noise.floats(n * count).map(Double.init)
        let expected = reference(a, b, count).map(\.bitPattern)
        defer { cambium_solve_use(nil) }
        var index = 0
        while let variant = unsafe cambium_solve_variant_at(index) {
            unsafe cambium_solve_use(variant)
            index += 1
            for threads in [1, 2, 3] {
                #expect(try solved(a, b, count, threads: threads).map(\.bitPattern) == expected)
            }
        }
    }

    @Test("a solution solves the system")
    func residual() throws {
        let n = 100
        let a = matrix(n, seed: 5)
        var noise = Noise(seed: 6)
        let b = noise.floats(n).map(Double.init)
        let x = try solved(a, b, 1, threads: 2)
        for i in 0..<n {
            let product = (0..<n).reduce(0.0) { $0 + a[i * n + $1] * x[$1] }
            #expect(abs(product - b[i]) < 1e-12)
        }
    }

    @Test(
        "a matrix that is not positive definite is refused with the row",
        arguments: [0.0, -1, .nan, .infinity])
    func refused(pivot: Double) {
        let n = 70
        for row in [0, 3, 64, 69] {
            let failure = #expect(throws: Cholesky.NotPositive.self) {
                _ = try Cholesky(size: n) { lower in
                    for i in 0..<n { lower[i * n + i] = i == row ? pivot : 1 }
                }
            }
            #expect(failure?.row == row)
        }
    }
}
