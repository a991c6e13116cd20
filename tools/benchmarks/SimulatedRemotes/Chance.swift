internal import Synchronization

/// Random numbers of one part of a simulation: the same for the same seed on any machine (SplitMix64).
package final class Chance: RandomNumberGenerator, Sendable {
    private let state: Mutex<UInt64>

    package init(_ seed: UInt64) { state = Mutex(seed) }

    /// Another one, whose numbers depend on this one's alone.
    package func split() -> Chance { Chance(next()) }

    package func next() -> UInt64 {
        let state = state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            return state
        }
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// At least 0 and below 1.
    package func fraction() -> Double { Double(next() >> 11) * 0x1p-53 }

    package func happens(_ share: Double) -> Bool { share > 0 && fraction() < share }

    package func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }

    package func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    package func bytes(_ count: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count + 8)
        while bytes.count < count {
            let word = next()
            for shift in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: word >> (8 * shift))) }
        }
        return Array(bytes.prefix(count))
    }
}
