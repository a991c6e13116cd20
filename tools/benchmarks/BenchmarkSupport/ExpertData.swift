/// The experts' bytes and the order of changes, by the formula of `peers/data.py`, so that every
/// program stores the same.
package enum ExpertData {
    static let golden: UInt64 = 0x9E37_79B9_7F4A_7C15

    /// SplitMix64's finaliser.
    package static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// The bytes of expert `id` at `version`.
    package static func bytes(_ id: Int, version: Int, size: Int) -> [UInt8] {
        var state = mix(UInt64(id) &+ UInt64(version) << 32)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(size + 8)
        while bytes.count < size {
            state &+= golden
            unsafe withUnsafeBytes(of: mix(state).littleEndian) {
                unsafe bytes.append(contentsOf: $0)
            }
        }
        bytes.removeLast(bytes.count - size)
        return bytes
    }

    /// The ids that a round changes: `count` distinct numbers below `total`.
    package static func changed(round: Int, count: Int, of total: Int) -> [Int] {
        var state = mix(UInt64(round))
        var found: [Int] = []
        var seen: Set<Int> = []
        while found.count < count {
            state &+= golden
            let id = Int(mix(state) % UInt64(total))
            if seen.insert(id).inserted { found.append(id) }
        }
        return found
    }
}
