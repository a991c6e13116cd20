import Elements
import Snapshots
import TestSupport
import Testing

@testable import Cambium
@testable import Merging

@Suite("The mean policy")
struct MeanPolicyTests {
    private let entity = MergeEntity.trunk("w")

    private func mean(
        _ type: ElementType, _ sides: [[UInt8]], weights: [Double]
    ) -> [UInt8]? {
        let count = (sides.first?.count ?? 0) * 8 / type.bitWidth
        let values = sides.enumerated().map { ConflictValue(side: $0.offset, bytes: $0.element) }
        return MeanPolicy(weights: weights).resolve(
            entity, parts: [TensorShape(type, [count])], base: nil, values: values)?.bytes
    }

    @Test("is the weighted mean, rounded once")
    func weighted() {
        let left = littleEndian(Float(1).bitPattern)
        let right = littleEndian(Float(2).bitPattern)
        let expected = littleEndian(Float(1.75).bitPattern)
        #expect(mean(.f32, [left, right], weights: [1, 3]) == expected)
    }

    @Test("does not depend on the order of the sides", arguments: 0..<50)
    func symmetric(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let sides = (0..<5).map { _ in
            (0..<16).flatMap { _ in
                littleEndian(Float.random(in: -1...1, using: &generator).bitPattern)
            }
        }
        let weights = (0..<5).map { _ in Double.random(in: 0.1...10, using: &generator) }
        let first = mean(.f32, sides, weights: weights)
        let order = sides.indices.shuffled(using: &generator)
        let second = mean(.f32, order.map { sides[$0] }, weights: order.map { weights[$0] })
        #expect(first != nil && first == second)
    }

    @Test("rounds bfloat16 to the nearest value, ties to even, and not twice")
    func bfloat() {
        func bf16(_ bits: UInt16) -> [UInt8] { littleEndian(bits) }
        // Halfway between two neighbours goes to the even one.
        #expect(mean(.bf16, [bf16(0x3F80), bf16(0x3F81)], weights: [1, 1]) == bf16(0x3F80))
        #expect(mean(.bf16, [bf16(0x3F81), bf16(0x3F82)], weights: [1, 1]) == bf16(0x3F82))
        // A hair above halfway, which rounding to float first would turn into a tie.
        let weights = [1 - 1e-12, 1 + 1e-12]
        #expect(mean(.bf16, [bf16(0x3F80), bf16(0x3F81)], weights: weights) == bf16(0x3F81))
        #expect(mean(.bf16, [bf16(0xFF80), bf16(0xFF80)], weights: [1, 1]) == bf16(0xFF80))
    }

    @Test("keeps NaN a NaN in every float type", arguments: [ElementType.f16, .bf16, .f32, .f64])
    func nan(_ type: ElementType) throws {
        let ones = [UInt8](repeating: 0xFF, count: type.bitWidth / 8)
        let zero = [UInt8](repeating: 0, count: type.bitWidth / 8)
        let result = try #require(mean(type, [ones, zero], weights: [1, 1]))
        // All exponent bits set and a mantissa bit too.
        let high = UInt16(result[result.count - 1]) << 8 | UInt16(result[result.count - 2])
        let exponent: UInt16 = type == .f16 ? 0x7C00 : type == .f64 ? 0x7FF0 : 0x7F80
        #expect(high & exponent == exponent)
        #expect(high & ~exponent & 0x7FFF != 0)
    }

    @Test("leaves integers, removals and text in conflict")
    func refuses() {
        #expect(mean(.i32, [[0, 0, 0, 0], [1, 0, 0, 0]], weights: [1, 1]) == nil)
        let removed = MeanPolicy(weights: [1, 1]).resolve(
            entity, parts: [TensorShape(.f32, [1])], base: nil,
            values: [
                ConflictValue(side: 0, bytes: nil), ConflictValue(side: 1, bytes: [0, 0, 0, 0]),
            ])
        #expect(removed == nil)
        let text = MeanPolicy(weights: [1, 1]).resolve(
            .file("config.json"), parts: [], base: nil,
            values: [ConflictValue(side: 0, bytes: [1]), ConflictValue(side: 1, bytes: [2])])
        #expect(text == nil)
    }
}
