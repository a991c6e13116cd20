import Foundation
import Testing

@testable import Routing

@Suite("fixed-point logarithms and powers")
struct FixedPointTests {
    @Test("logarithms are within 2 units of the true ones and never fall")
    func logarithms() {
        var last = -1
        var numbers: [UInt64] = Array(1...5000)
        var x: UInt64 = 5000
        while x < UInt64.max / 3 * 2 {
            x += x / 97 + 1
            numbers.append(x)
        }
        for x in numbers + [.max] {
            let found = FixedPoint.log2(x)
            #expect(abs(Double(found) - Foundation.log2(Double(x)) * 65_536) < 2, "\(x)")
            #expect(found >= last)
            last = found
        }
        #expect((0..<64).allSatisfy { FixedPoint.log2(1 << $0) == Int($0) * FixedPoint.one })
    }

    @Test("powers are within 6 units of the true ones and never rise")
    func powers() {
        var last = UInt64.max
        for x in Array(0...70_000) + Array(stride(from: 70_000, to: 2_200_000, by: 333)) {
            let found = FixedPoint.exp2(minus: x)
            let exact = Foundation.exp2(-Double(x) / 65_536) * Double(FixedPoint.unit)
            #expect(abs(Double(found) - exact) < 6, "\(x)")
            #expect(found <= last)
            last = found
        }
        #expect(FixedPoint.exp2(minus: 0) == FixedPoint.unit)
        #expect(FixedPoint.exp2(minus: .max) == 0)
    }
}
