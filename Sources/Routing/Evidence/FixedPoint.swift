/// Logarithms and powers of two in integers.
///
/// A gate adds thousands of log-likelihoods; in integers their sum does not depend on an order, a
/// CPU or a library, so that its posterior is the same bits everywhere.
package enum FixedPoint {
    /// One, for logarithms: they are in units of 2^-16.
    package static let one = 1 << 16
    /// One, for powers: they are in units of 2^-30.
    package static let unit: UInt64 = 1 << 30

    private static let tableBits = 12

    /// log2(1 + i / 4096) in units of 2^-16, for i = 0...4096, cut off.
    private static let logarithms: [Int] = (0...1 << tableBits).map { index in
        if index == 1 << tableBits { return one }
        // Digit by digit: squaring a number doubles its logarithm.
        var x = UInt64(1 << tableBits + index) << (31 - UInt64(tableBits))
        var result = 0
        for _ in 0..<16 {
            x = (x * x) >> 31
            result <<= 1
            if x >= 1 << 32 {
                x >>= 1
                result |= 1
            }
        }
        return result
    }

    /// 2^(-i / 4096) in units of 2^-30, for i = 0...4096, cut off.
    private static let powers: [UInt64] = {
        // 2^(-1/2), 2^(-1/4), ... in units of 2^-62, each the root of the one before.
        var roots: [UInt64] = []
        var square: UInt64 = 1 << 61
        for _ in 0..<tableBits {
            square = root(square)
            roots.append(square)
        }
        return (0...1 << tableBits).map { index in
            if index == 1 << tableBits { return unit / 2 }
            var power: UInt64 = 1 << 62
            for (position, root) in roots.enumerated()
            where index >> (tableBits - 1 - position) & 1 == 1 {
                let product = power.multipliedFullWidth(by: root)
                power = product.high << 2 | product.low >> 62
            }
            return power >> 32
        }
    }()

    /// The square root of x in units of 2^-62, cut off.
    private static func root(_ x: UInt64) -> UInt64 {
        var result: UInt64 = 0
        for bit in stride(from: 62, through: 0, by: -1) {
            let candidate = result | 1 << UInt64(bit)
            let product = candidate.multipliedFullWidth(by: candidate)
            if product.high << 2 | product.low >> 62 <= x { result = candidate }
        }
        return result
    }

    /// log2 of a positive number in units of 2^-16; within 2 of the true value.
    package static func log2(_ x: UInt64) -> Int {
        precondition(x > 0, "the logarithm of 0")
        let exponent = 63 - x.leadingZeroBitCount
        // The digits behind the leading one, as 32 bits.
        let digits = ((x << UInt64(63 - exponent)) << 1) >> 32
        let index = Int(digits >> (32 - UInt64(tableBits)))
        let rest = Int(digits & (1 << (32 - UInt64(tableBits)) - 1))
        let (low, high) = (logarithms[index], logarithms[index + 1])
        return exponent * one + low + ((high - low) * rest) >> (32 - tableBits)
    }

    /// 2^(-x) in units of 2^-30, x >= 0 in units of 2^-16; within 6 of the true value.
    package static func exp2(minus x: Int) -> UInt64 {
        precondition(x >= 0, "a power of \(-x)")
        let whole = x >> 16
        guard whole < 31 else { return 0 }
        let fraction = x & (one - 1)
        let index = fraction >> (16 - tableBits)
        let rest = UInt64(fraction & (1 << (16 - tableBits) - 1))
        let (high, low) = (powers[index], powers[index + 1])
        return (high - ((high - low) * rest) >> UInt64(16 - tableBits)) >> UInt64(whole)
    }
}
