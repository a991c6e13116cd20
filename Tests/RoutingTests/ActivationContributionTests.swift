import Elements
import Routing
import Testing

@Suite("Records of use")
struct UseContributionTests {
    func record(
        windows: UInt64 = 5, _ entries: [(UInt32, UInt64)] = [(0, 1), (7, 5), (4_000_000_000, 2)],
        layers: [UInt32] = [1, 3]
    ) throws -> ActivationContribution {
        try ActivationContribution(
            adapter: "base", label: "round 1", data: [UInt8](repeating: 7, count: 32),
            byteCount: 5_000, model: [UInt8](repeating: 9, count: 32), windows: windows,
            layers: layers.map { layer in
                ActivationContribution.Layer(
                    layer: layer,
                    entries: entries.map {
                        ActivationContribution.Layer.Entry(expert: $0.0, windows: $0.1)
                    })
            })
    }

    @Test("read back as they were, and have one encoding")
    func roundTrip() throws {
        for record in [try record(), try record([]), try record(layers: [])] {
            #expect(try ActivationContribution(decoding: record.encoded) == record)
        }
        #expect(try record().encoded == record().encoded)
    }

    @Test("counts that cannot be are refused")
    func impossible() throws {
        #expect(throws: CambiumError.self) { try record(windows: 0) }
        #expect(throws: CambiumError.self) { try record(windows: 5_001) }
        #expect(throws: CambiumError.self) {
            try ActivationContribution(
                adapter: "base", label: "", data: [UInt8](repeating: 7, count: 32),
                byteCount: 1 << 62, model: [UInt8](repeating: 9, count: 32),
                windows: 1 << 62, layers: [])
        }
        #expect(throws: CambiumError.self) { try record([(1, 6)]) }
        #expect(throws: CambiumError.self) { try record([(1, 0)]) }
        #expect(throws: CambiumError.self) { try record([(2, 1), (1, 1)]) }
        #expect(throws: CambiumError.self) { try record([(1, 1), (1, 1)]) }
        #expect(throws: CambiumError.self) { try record(layers: [3, 1]) }
    }

    @Test("damaged in any byte they are refused or read as another record, never with a trap")
    func hostile() throws {
        let bytes = try record().encoded
        for count in bytes.indices {
            #expect(throws: CambiumError.self) {
                try ActivationContribution(decoding: Array(bytes[..<count]))
            }
        }
        #expect(throws: CambiumError.self) { try ActivationContribution(decoding: bytes + [0]) }
        for place in bytes.indices {
            for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff] where bytes[place] != value {
                var damaged = bytes
                damaged[place] = value
                guard let read = try? ActivationContribution(decoding: damaged) else { continue }
                #expect(read.encoded == damaged)
            }
        }
    }
}
