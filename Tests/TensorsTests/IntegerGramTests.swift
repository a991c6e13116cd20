import NumericSupport
import Tensors
import Testing

@Suite("integer Gram matrices")
struct IntegerGramTests {
    private func features(_ count: Int, seed: UInt64) -> [Int16] {
        var noise = Noise(seed: seed)
        return (0..<count).map { _ in Int16(truncatingIfNeeded: noise.bits()) }
    }

    @Test("sums are exact", arguments: [(1, 1), (3, 5), (17, 40), (5, 4097)])
    func exact(width: Int, rows: Int) {
        let phi = features(width * rows, seed: UInt64(width))
        var gram = [Int64](repeating: 3, count: width * (width + 1) / 2)
        #expect(IntegerGram.add(phi.span, width: width, to: &gram))
        var position = 0
        for row in 0..<width {
            for column in 0...row {
                var sum: Int64 = 3
                for r in 0..<rows {
                    sum += Int64(phi[r * width + row]) * Int64(phi[r * width + column])
                }
                #expect(gram[position] == sum)
                position += 1
            }
        }
    }

    @Test("the most extreme features stay exact in one block")
    func extremes() {
        let phi = [Int16](repeating: .min, count: 2 * 4096)
        var gram: [Int64] = [0, 0, 0]
        #expect(IntegerGram.add(phi.span, width: 2, to: &gram))
        #expect(gram == [Int64](repeating: 4096 << 30, count: 3))
    }

    @Test("nothing adds nothing, and an overflow is told")
    func edges() {
        var gram: [Int64] = [Int64.max]
        #expect(IntegerGram.add([Int16]().span, width: 1, to: &gram))
        #expect(gram == [.max])
        #expect(!IntegerGram.add([Int16(1)].span, width: 1, to: &gram))
    }
}
