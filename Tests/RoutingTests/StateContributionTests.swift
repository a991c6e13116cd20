import Elements
import NumericSupport
import Routing
import Testing

@Suite("Contributions of states")
struct StateContributionTests {
    private func layer(
        _ number: UInt32, count: Int = 4, width: Int = 3
    ) -> StateContribution.Layer {
        var noise = Noise(seed: UInt64(number))
        return StateContribution.Layer(
            number: number, width: width, states: (0..<count * width).map { _ in noise.float() })
    }

    private func record(
        label: String = "general", count: Int = 4, layers: [StateContribution.Layer]? = nil,
        data: Int = 32, rows: StateContribution.Rows? = nil
    ) throws -> StateContribution {
        try StateContribution(
            label: label, data: [UInt8](repeating: 7, count: data), byteCount: 400,
            model: [UInt8](repeating: 9, count: 32), count: count,
            layers: layers ?? [layer(1), layer(3, width: 5)], rows: rows)
    }

    @Test("come back from their bytes", arguments: ["", "round 1"])
    func roundTrip(label: String) throws {
        let record = try record(label: label)
        #expect(try StateContribution(decoding: record.encoded) == record)
    }

    @Test("have these bytes, which docs/format.md explains")
    func goldenBytes() throws {
        let record = try record(
            label: "a", count: 2,
            layers: [StateContribution.Layer(number: 3, width: 1, states: [1, -0.5])])
        let head: [UInt8] =
            Array("CEVS".utf8) + [1, 1, 0x61] + [UInt8](repeating: 7, count: 32) + [0x90, 3]
            + [UInt8](repeating: 9, count: 32)
        #expect(record.encoded == head + [2, 1, 3, 1, 0x80, 0x3F, 0, 0xBF])
        let rows = StateContribution.Rows(
            router: HashRouter(orders: [1, 4], tableSize: 512), picks: [3, 0x203])
        let hashed = try self.record(label: "a", count: 1, layers: [], rows: rows)
        let start = Array(head[..<4]) + [2] + Array(head[5...])
        #expect(hashed.encoded == start + [1, 0, 2, 1, 4, 0x80, 4, 3, 0, 0, 0, 3, 2, 0, 0])
        #expect(try StateContribution(decoding: hashed.encoded) == hashed)
    }

    @Test("picks are of the rows of their orders, of every token, and of a hash that can be")
    func rows() throws {
        let router = HashRouter(orders: [1, 4], tableSize: 16)
        func record(_ picks: [UInt32], count: Int = 2) throws -> StateContribution {
            try self.record(
                count: count, layers: [layer(1, count: count)],
                rows: StateContribution.Rows(router: router, picks: picks))
        }
        let good = try record([0, 16, 15, 31])
        #expect(try StateContribution(decoding: good.encoded) == good)
        for bad in [[0, 16], [0, 15, 1, 17], [0, 32, 1, 17], []] as [[UInt32]] {
            #expect(throws: CambiumError.self) { try record(bad) }
        }
        // Behind the layers: two orders, each of them, and 16 rows of each.
        let bytes = good.encoded
        let place = bytes.count - 16 - 4
        #expect(Array(bytes[place..<place + 4]) == [2, 1, 4, 16])
        for (offset, value) in [(0, 0), (0, 9), (1, 0), (2, 9), (2, 1), (3, 15), (3, 1), (3, 0)] {
            var changed = bytes
            changed[place + offset] = UInt8(value)
            #expect(throws: CambiumError.self) { try StateContribution(decoding: changed) }
        }
        for count in place..<bytes.count {
            #expect(throws: CambiumError.self) {
                try StateContribution(decoding: Array(bytes[..<count]))
            }
        }
    }

    @Test("are rounded to the nearest, ties to even")
    func rounding() {
        let layer = StateContribution.Layer(
            number: 0, width: 1,
            states: [1 + 0x1p-8, 1 + 0x1.8p-7, 1 + 0x1.01p-8, -1 - 0x1p-8, 0x1p-130])
        #expect(layer.states == [1, 1 + 0x1p-6, 1 + 0x1p-7, -1, 0x1p-130])
    }

    @Test("cut off anywhere are refused, and so is more behind them, or another version")
    func truncated() throws {
        let bytes = try record().encoded
        for count in 0..<bytes.count {
            #expect(throws: CambiumError.self) {
                try StateContribution(decoding: Array(bytes[..<count]))
            }
        }
        #expect(throws: CambiumError.self) { try StateContribution(decoding: bytes + [0]) }
        var other = bytes
        other[4] = 3
        let error = #expect(throws: CambiumError.self) { try StateContribution(decoding: other) }
        #expect(error?.message.contains("version 3") == true)
    }

    @Test("that claim more than there is make no room for it")
    func hollow() {
        let head: [UInt8] =
            Array("CEVS".utf8) + [1, 0] + [UInt8](repeating: 7, count: 32) + [1]
            + [UInt8](repeating: 9, count: 32)
        let huge: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]
        for bytes in [
            head + huge, head + [1] + huge, head + [1, 1, 3] + huge,
            head + [40, 1, 3, 40] + [UInt8](repeating: 0, count: 60),
        ] {
            #expect(throws: CambiumError.self) { try StateContribution(decoding: bytes) }
        }
    }

    @Test("with any byte changed are refused or are another contribution, never a trap")
    func tampered() throws {
        let record = try record()
        let bytes = record.encoded
        for position in bytes.indices {
            for value in [0, 1, 0x7f, 0x80, 0xff] as [UInt8] where bytes[position] != value {
                var changed = bytes
                changed[position] = value
                guard let found = try? StateContribution(decoding: changed) else { continue }
                #expect(found != record && found.encoded == changed)
            }
        }
    }

    @Test("of no layers, layers out of order, other counts or numbers without end are refused")
    func limits() throws {
        #expect(throws: CambiumError.self) { try record(data: 31) }
        #expect(throws: CambiumError.self) { try record(label: "a\nb") }
        #expect(throws: CambiumError.self) { try record(layers: []) }
        #expect(throws: CambiumError.self) { try record(layers: [layer(3), layer(1)]) }
        #expect(throws: CambiumError.self) { try record(layers: [layer(1), layer(1)]) }
        #expect(throws: CambiumError.self) { try record(layers: [layer(1), layer(2, count: 5)]) }
        #expect(throws: CambiumError.self) { try record(count: 0, layers: [layer(1, count: 0)]) }
        for bad in [Float.infinity, .nan] {
            let layer = StateContribution.Layer(number: 1, width: 1, states: [1, bad])
            #expect(throws: CambiumError.self) { try record(count: 2, layers: [layer]) }
        }
    }
}
