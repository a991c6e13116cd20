import Elements
import Tensors
import Testing

@Suite("measures of stored tensors")
struct MeasureTests {
    private func bytes<Number: FixedWidthInteger>(_ values: [Number]) -> [UInt8] {
        values.flatMap { value in
            (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Number($0 * 8)) }
        }
    }

    private func count(_ bytes: [UInt8], _ type: ElementType) -> NonFiniteCount? {
        NonFiniteCount(bytes.raw, type: type)
    }

    @Test("NaN and infinities are counted apart in every float type")
    func nonFinite() {
        let expected = NonFiniteCount(nan: 2, infinite: 2)
        #expect(
            count(bytes([0x3c00, 0x7c00, 0xfc00, 0x7c01, 0xfe00, 0x7bff] as [UInt16]), .f16)
                == expected)
        #expect(
            count(bytes([0x3f80, 0x7f80, 0xff80, 0x7f81, 0xffc0, 0x7f7f] as [UInt16]), .bf16)
                == expected)
        let floats: [Float] = [1, .infinity, -.infinity, .nan, -.nan, .greatestFiniteMagnitude, -0]
        #expect(count(bytes(floats.map(\.bitPattern)), .f32) == expected)
        let doubles: [Double] = [
            1, .infinity, -.infinity, .nan, .signalingNaN, .leastNonzeroMagnitude,
        ]
        #expect(count(bytes(doubles.map(\.bitPattern)), .f64) == expected)
    }

    @Test("random tensors of every length have the counts that single elements add up to")
    func nonFiniteEach() {
        var random = SystemRandomNumberGenerator()
        for (type, width) in [(ElementType.f16, 2), (.bf16, 2), (.f32, 4), (.f64, 8)] {
            for length in [1, 2047, 2048, 2049, 5000] {
                var content = (0..<length * width).map { _ in UInt8.random(in: 0...255) & 0x3b }
                for _ in 0..<3 {
                    let place = Int.random(in: 0..<length, using: &random) * width
                    for byte in 0..<width { content[place + byte] = 0xff }
                }
                var (nan, infinite) = (0, 0)
                for start in stride(from: 0, to: content.count, by: width) {
                    let one = count(Array(content[start..<start + width]), type)
                    nan += one?.nan ?? 0
                    infinite += one?.infinite ?? 0
                }
                #expect((1...3).contains(nan) && infinite == 0)
                #expect(count(content, type) == NonFiniteCount(nan: nan, infinite: infinite))
            }
        }
    }

    @Test("an empty tensor has nothing that is not finite, an integer tensor no count")
    func nonFiniteLimits() {
        #expect(count([], .f32) == NonFiniteCount(nan: 0, infinite: 0))
        #expect(count([1, 2, 3, 4], .i32) == nil)
    }

    @Test("every F16 pattern converts exactly")
    func halves() {
        let patterns = (0...UInt16.max).map { $0 }
        let stored = bytes(patterns)
        var out = [Float](repeating: 0, count: patterns.count)
        do {
            var span = out.mutableSpan
            convertToFloat(stored.raw, type: .f16, into: &span)
        }
        let wrong = patterns.filter {
            let expected = Float(Float16(bitPattern: $0))
            let got = out[Int($0)]
            return expected.isNaN ? !got.isNaN : got.bitPattern != expected.bitPattern
        }
        #expect(wrong.isEmpty)
    }

    @Test("BF16, F32 and F64 convert at any alignment")
    func conversions() {
        let values: [Float] = [0, -0, 1.5, -3e38, .infinity, .leastNonzeroMagnitude]
        let cases: [(ElementType, [UInt8])] = [
            (.bf16, bytes(values.map { UInt16($0.bitPattern >> 16) })),
            (.f32, bytes(values.map(\.bitPattern))),
            (.f64, bytes(values.map { Double($0).bitPattern })),
        ]
        for (type, stored) in cases {
            let shifted = [7] + stored
            var out = [Float](repeating: 9, count: values.count)
            do {
                var span = out.mutableSpan
                convertToFloat(
                    shifted.raw.extracting(1..<shifted.count), type: type, into: &span)
            }
            let expected =
                type == .bf16
                ? values.map { Float(bitPattern: $0.bitPattern & 0xffff_0000) } : values
            #expect(out.map(\.bitPattern) == expected.map(\.bitPattern), "\(type.name)")
        }
    }

    private func compare(_ before: [Float], _ after: [Float]) -> DifferenceNorms? {
        DifferenceNorms(
            before: bytes(before.map(\.bitPattern)).raw, after: bytes(after.map(\.bitPattern)).raw,
            type: .f32)
    }

    @Test("difference norms are exact on small integers")
    func differences() throws {
        let norms = try #require(compare([3, 4, 0], [3, 0, 4]))
        #expect(norms.change == 32.0.squareRoot())
        #expect(norms.cosine == 9.0 / 25)
        #expect(norms.relativeChange == (32.0 / 25).squareRoot() && norms.greatest == 4)
        let twice = norms + norms
        #expect(twice.greatest == 4 && twice.relativeChange == norms.relativeChange)
        #expect(twice.changeSquared == 64 && twice.cosine == 9.0 / 25)
    }

    @Test("the cosine of nothing, of zero and of NaN is nil")
    func cosineLimits() throws {
        #expect(DifferenceNorms().cosine == nil && DifferenceNorms().relativeChange == nil)
        #expect(try #require(compare([0], [0])).cosine == nil)
        #expect(try #require(compare([1], [.nan])).cosine == nil)
    }

    @Test("integers have no difference norms")
    func integerDifferences() {
        let stored = bytes([1, 2] as [Int32])
        let norms = DifferenceNorms(before: stored.raw, after: stored.raw, type: .i32)
        #expect(norms == nil)
    }
}
