internal import Glibc

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed on any machine.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    package let seed: UInt64
    private var state: UInt64

    package init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    /// A generator with the seed of `CAMBIUM_SEED`, or else a new one; prints it, so that a failure
    /// can be repeated.
    package static func announced(_ test: String = #function) -> SeededGenerator {
        var seed = UInt64.random(in: 0...999_999)
        if let text = unsafe getenv("CAMBIUM_SEED"),
            let given = unsafe UInt64(String(cString: text))
        {
            seed = given
        }
        print("\(test): CAMBIUM_SEED=\(seed)")
        return SeededGenerator(seed: seed)
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    package mutating func bytes(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(count + 8)
        while result.count < count {
            var word = next()
            for _ in 0..<8 {
                result.append(UInt8(truncatingIfNeeded: word))
                word >>= 8
            }
        }
        return Array(result.prefix(count))
    }
}

/// `count` bytes that depend on the seed alone.
package func noise(_ count: Int, _ seed: Int) -> [UInt8] {
    var generator = SeededGenerator(seed: UInt64(bitPattern: Int64(seed)))
    return generator.bytes(count)
}
