import Elements
import Models
import Testing

@Suite("usage profiles")
struct ProfileTests {
    @Test("a profile counts what a text picks, and comes back from its bytes")
    func roundTrip() throws {
        let model = try TinyModel().model()
        let text = noiseText(50)
        let profile = try model.profile(text)
        // 50 bytes in two layers of two heads, three picks each.
        let selection = profile.layers.values.flatMap { $0 }.reduce(0) { $0 + Int($1.selection) }
        #expect(selection == 50 * 2 * 2 * 3)
        #expect(Set(profile.layers.keys) == [0, 2])
        for entries in profile.layers.values {
            #expect(
                zip(entries, entries.dropFirst()).allSatisfy {
                    ($0.selection, $1.ordinal) > ($1.selection, $0.ordinal)
                })
        }
        #expect(try ExpertProfile(decoding: profile.encoded) == profile)
        try model.warm(profile)
        try model.warm(ExpertProfile([0: [99: 4], 7: [1: 1]]), byteLimit: 1000)
    }

    @Test("bytes that are no profile are refused")
    func refused() throws {
        let bytes = try TinyModel().model().profile(noiseText(20)).encoded
        for count in 0..<bytes.count where count != 12 || bytes[8] != 0 {
            #expect(throws: CambiumError.self) {
                try ExpertProfile(decoding: Array(bytes[..<count]))
            }
        }
        #expect(throws: CambiumError.self) { try ExpertProfile(decoding: bytes + [0, 0, 0, 0]) }
        for position in [0, 4, 8, 16] {
            var damaged = bytes
            damaged[position] ^= 0x40
            #expect(throws: CambiumError.self) { try ExpertProfile(decoding: damaged) }
        }
        #expect(throws: CambiumError.self) { try TinyModel().model().profile([] as [Int]) }
    }
}
