/// Repeatable test data: SplitMix64, from a seed that the test prints or fixes.
package struct Noise {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func bits() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// Uniform in -1 ..< 1.
    package mutating func float() -> Float { Float(Double(bits() >> 11) * 0x1p-52 - 1) }

    package mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in float() } }
}
