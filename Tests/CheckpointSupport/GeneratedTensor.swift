/// A tensor of a generated checkpoint; its numbers follow from its name alone, in any language.
///
/// `tools/golden/logits.py` makes the same ones.
package struct GeneratedTensor: Sendable {
    package let name: String
    package let shape: [Int]
    package var values: [Float]

    /// Numbers spread evenly in `centre - scale ..< centre + scale`.
    ///
    /// - Parameter scale: A power of two, so that no number is rounded twice.
    package init(_ name: String, _ shape: [Int], scale: Float, around centre: Float = 0) {
        self.name = name
        self.shape = shape
        let start = Self.hash(name)
        values = (0..<shape.reduce(1, *)).map { index in
            let bits = Self.mixed(start &+ UInt64(index)) >> 40
            return centre + (Float(bits) - 8_388_608) / 8_388_608 * scale
        }
    }

    package init(_ name: String, _ shape: [Int], values: [Float]) {
        self.name = name
        self.shape = shape
        self.values = values
    }

    /// FNV-1a, 64 bits.
    private static func hash(_ name: String) -> UInt64 {
        name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    }

    /// The output function of SplitMix64.
    private static func mixed(_ state: UInt64) -> UInt64 {
        var z = state &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Rounded to the nearest BF16, ties to even.
    static func bf16(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }
}
