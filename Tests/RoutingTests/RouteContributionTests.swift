import Elements
import NumericSupport
import Routing
import Tensors
import Testing

@Suite("Contributions of routes")
struct RouteContributionTests {
    private func layer(
        _ number: UInt32, tokens: Int = 9, scale: Float = 2, seed: UInt64 = 1
    ) throws -> RouteContribution.Layer {
        var noise = Noise(seed: seed + UInt64(number))
        var gramSums = EntryGramSums(width: 3)
        try gramSums.add(
            (0..<tokens * 3).map { _ in Int16(noise.bits() % 200) - 100 },
            entries: (0..<tokens).map { _ in 4 * noise.float() })
        return RouteContribution.Layer(
            number: number, quantiser: try Quantiser(scales: [1, scale, 3]), gramSums: gramSums)
    }

    private func windows(_ first: UInt32) -> RouteContribution.Windows {
        RouteContribution.Windows(
            choose: [[first, 300], [1]], check: [[70_000]], report: [[2, 0, 5]])
    }

    private func record(
        label: String = "general", data: UInt8 = 7, experts: UInt32 = 16, scale: Float = 2,
        numbers: [UInt32] = [1, 3], seed: UInt64 = 1
    ) throws -> RouteContribution {
        try RouteContribution(
            label: label, data: [UInt8](repeating: data, count: 32), byteCount: 400,
            tokenCount: 16, model: [UInt8](repeating: 9, count: 32), experts: experts,
            layers: numbers.map { try layer($0, scale: scale, seed: seed) },
            windows: windows(UInt32(data)))
    }

    @Test("come back from their bytes", arguments: ["", "round 1"])
    func roundTrip(label: String) throws {
        let record = try record(label: label)
        #expect(try RouteContribution(decoding: record.encoded) == record)
    }

    @Test("have these bytes, which docs/format.md explains")
    func goldenBytes() throws {
        var gramSums = EntryGramSums(width: 1)
        try gramSums.add([2, -3], entries: [1, -0.5])
        let record = try RouteContribution(
            label: "a", data: [UInt8](repeating: 7, count: 32), byteCount: 200, tokenCount: 5,
            model: [UInt8](repeating: 9, count: 32), experts: 4,
            layers: [
                RouteContribution.Layer(
                    number: 3, quantiser: try Quantiser(scales: [0.5]), gramSums: gramSums)
            ], windows: RouteContribution.Windows(choose: [[1]], check: [[2, 128]], report: [[0]]))
        let head: [UInt8] =
            Array("CEVR".utf8) + [1, 1, 0x61] + [UInt8](repeating: 7, count: 32)
            + [0xC8, 1, 5] + [UInt8](repeating: 9, count: 32) + [4]
        let windows: [UInt8] = [1, 1, 1] + [1, 2, 2, 0x80, 1] + [1, 1, 0]
        // One layer, number 3, one feature of scale 0.5, two tokens.
        let layer: [UInt8] = [1, 3, 1, 0, 0, 0, 0x3F, 2]
        // φφ 13; 1φ -128, 11 32768; eφ 896, e1 16384, ee 81920: twice each, -1 less for what is below 0.
        let sums: [UInt8] =
            [26] + [0xFF, 1] + [0x80, 0x80, 4] + [0x80, 14] + [0x80, 0x80, 2] + [0x80, 0x80, 10]
        #expect(record.encoded == head + windows + layer + sums)
    }

    @Test("cut off anywhere are refused, and so is more behind them, or another version")
    func truncated() throws {
        let bytes = try record().encoded
        for count in 0..<bytes.count {
            #expect(throws: CambiumError.self) {
                try RouteContribution(decoding: Array(bytes[..<count]))
            }
        }
        #expect(throws: CambiumError.self) { try RouteContribution(decoding: bytes + [0]) }
        var other = bytes
        other[4] = 2
        let error = #expect(throws: CambiumError.self) { try RouteContribution(decoding: other) }
        #expect(error?.message.contains("version 2") == true)
    }

    @Test("that claim more than there is make no room for it")
    func hollow() {
        let head: [UInt8] =
            Array("CEVR".utf8) + [1, 0] + [UInt8](repeating: 7, count: 32) + [1, 1]
            + [UInt8](repeating: 9, count: 32) + [4]
        let windows: [UInt8] = [1, 1, 1, 1, 1, 2, 1, 1, 0]
        let huge: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]
        // Windows, tokens of a window, layers, features and tokens that are no number of anything here.
        for bytes in [
            head + huge, head + [1] + huge, head + windows + huge,
            head + windows + [1, 3] + huge, head + windows + [1, 3, 1, 0, 0, 0, 0x3F] + huge,
            // 65,536 features would have sums of 17 GB.
            head + windows + [1, 3, 0x80, 0x80, 4]
                + (0..<65_536).flatMap { _ in [0, 0, 0x80, 0x3F] as [UInt8] } + [2],
        ] {
            #expect(throws: CambiumError.self) { try RouteContribution(decoding: bytes) }
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
                guard let found = try? RouteContribution(decoding: changed) else { continue }
                #expect(found != record && found.encoded == changed)
            }
        }
    }

    @Test("of no layers, layers out of order, other texts or bad windows are refused")
    func limits() throws {
        let good = try record()
        func make(
            data: Int = 32, experts: UInt32 = 4, layers: [RouteContribution.Layer]? = nil,
            windows: RouteContribution.Windows? = nil, label: String = ""
        ) throws -> RouteContribution {
            try RouteContribution(
                label: label, data: [UInt8](repeating: 0, count: data), byteCount: 9,
                tokenCount: 9, model: good.model, experts: experts,
                layers: layers ?? good.layers, windows: windows ?? good.windows)
        }
        #expect(try make().layers.count == 2)
        #expect(throws: CambiumError.self) { try make(data: 31) }
        #expect(throws: CambiumError.self) { try make(experts: 0) }
        #expect(throws: CambiumError.self) { try make(layers: []) }
        #expect(throws: CambiumError.self) { try make(layers: good.layers.reversed()) }
        #expect(throws: CambiumError.self) {
            try make(layers: [self.layer(1), self.layer(2, tokens: 8)])
        }
        #expect(throws: CambiumError.self) { try make(label: "a\n") }
        let (most, longest) = (RouteContribution.Windows.most, RouteContribution.Windows.longest)
        for bad in [
            [], [[]], [[UInt32]](repeating: [1], count: most + 1),
            [[UInt32](repeating: 1, count: longest + 1)],
        ] as [[[UInt32]]] {
            #expect(throws: CambiumError.self) {
                try make(
                    windows: RouteContribution.Windows(choose: [[1]], check: bad, report: [[1]]))
            }
        }
    }

    @Test("unite to the same sums and windows in any order and however often, a text once")
    func united() throws {
        let pool = try (0..<5).map { try record(data: UInt8($0), seed: UInt64($0 + 1)) }
        let whole = try UnitedRoutes(pool)
        #expect(whole.layers[1].gramSums.count == 45 && whole.tokenCount == 80)
        #expect(whole.check.count == 5 && whole.choose.count == 10)
        var noise = Noise(seed: 51)
        for _ in 0..<50 {
            var order = pool + [pool[Int(noise.bits() % 5)]]
            for index in order.indices.dropFirst() {
                order.swapAt(index, Int(noise.bits() % UInt64(index + 1)))
            }
            let united = try UnitedRoutes(order)
            #expect(united.layers == whole.layers)
            #expect(united.choose == whole.choose && united.report == whole.report)
        }
        // Read again by the model with one expert more.
        let later = try record(data: 0, experts: 17, seed: 99)
        for order in [pool + [later], [later] + pool] {
            let united = try UnitedRoutes(order)
            #expect(united.layers != whole.layers && united.layers[0].gramSums.count == 45)
            #expect(try united.layers == UnitedRoutes([later] + pool.dropFirst()).layers)
        }
    }

    @Test("of other layers or quantisers do not unite, nor do none")
    func incompatible() throws {
        let first = try record()
        for other in try [
            record(data: 8, numbers: [1]), record(data: 8, numbers: [1, 2]),
            record(data: 8, scale: 4),
        ] {
            let error = #expect(throws: CambiumError.self) {
                try UnitedRoutes([first, other])
            }
            #expect(error?.code == .incompatible)
        }
        #expect(throws: CambiumError.self) { try UnitedRoutes([]) }
    }
}
