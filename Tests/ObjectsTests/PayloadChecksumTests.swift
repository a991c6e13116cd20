import Elements
import TestSupport
import Testing

@Suite("Checksums of payloads")
struct PayloadChecksumTests {
    private static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15

    private static func step(_ lane: UInt64, _ word: UInt64) -> UInt64 {
        let mixed = (lane ^ word) &* factor
        return mixed << 29 | mixed >> 35
    }

    @Test("are those that the format says", arguments: [0, 1, 8, 63, 64, 65, 200, 4096, 4097])
    func reference(count: Int) {
        let bytes = noise(count, count)
        var lanes = (0..<8).map { UInt64($0) &* Self.factor &+ 1 }
        let padded = bytes + Array(repeating: 0, count: (64 - count % 64) % 64)
        for start in stride(from: 0, to: padded.count, by: 8) {
            var word: UInt64 = 0
            for byte in 0..<8 { word |= UInt64(padded[start + byte]) << UInt64(8 * byte) }
            lanes[start / 8 % 8] = Self.step(lanes[start / 8 % 8], word)
        }
        var sum: UInt64 = 0
        for lane in lanes + [UInt64(count)] { sum = Self.step(sum, lane) }
        #expect(PayloadChecksum.of(bytes.raw) == sum)
    }

    @Test("show every flipped bit, swapped blocks, and zeros at the end")
    func differences() {
        let bytes = noise(256, 3)
        let sum = PayloadChecksum.of(bytes.raw)
        for bit in 0..<256 * 8 {
            var other = bytes
            other[bit / 8] ^= 1 << (bit % 8)
            #expect(PayloadChecksum.of(other.raw) != sum)
        }
        let swapped = Array(bytes[64...]) + Array(bytes[..<64])
        #expect(PayloadChecksum.of(swapped.raw) != sum)
        let longer = bytes + [0]
        #expect(PayloadChecksum.of(longer.raw) != sum)
        var twice = bytes
        twice[7] ^= 128
        twice[71] ^= 128
        #expect(PayloadChecksum.of(twice.raw) != sum)
    }
}
