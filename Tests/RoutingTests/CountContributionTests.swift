import Elements
import NumericSupport
import Routing
import Testing

@Suite("Contributions of counts")
struct CountContributionTests {
    private func record(
        _ text: String, adapter: String = "swahili", label: String = "round 1", order: Int = 3
    ) throws -> CountContribution {
        try CountContribution(
            adapter: adapter, label: label, data: [UInt8](repeating: 7, count: 32),
            byteCount: UInt64(text.utf8.count),
            counts: NGramCounts(of: Array(text.utf8), order: order))
    }

    @Test("of every order come back from their bytes", arguments: 1...8)
    func roundTrip(order: Int) throws {
        for text in ["", "a", "habari ya asubuhi, habari ya jioni", "\u{0}\u{ff}\u{ff}\u{ff}"] {
            let record = try record(text, order: order)
            #expect(try CountContribution(decoding: record.encoded) == record)
        }
    }

    @Test("have these bytes, which docs/format.md explains")
    func goldenBytes() throws {
        let record = try record("aaab", adapter: "x", label: "", order: 2)
        let names: [UInt8] = Array("CEVC".utf8) + [1, 2, 1, 0x78, 0]
        let data = [UInt8](repeating: 7, count: 32)
        // 4 bytes, 2 entries: 0x6161 twice, then 0x6162 once.
        let entries: [UInt8] = [4, 2, 0xe1, 0xc2, 0x01, 2, 1, 1]
        #expect(record.encoded == names + data + entries)
    }

    @Test("cut off anywhere are refused")
    func truncated() throws {
        let bytes = try record("habari ya asubuhi").encoded
        for count in 0..<bytes.count {
            let error = #expect(throws: CambiumError.self) {
                try CountContribution(decoding: Array(bytes[..<count]))
            }
            #expect(error?.code == .badInput)
        }
        #expect(throws: CambiumError.self) { try CountContribution(decoding: bytes + [0]) }
    }

    @Test("with any byte changed are refused or are another contribution, never a trap")
    func tampered() throws {
        let record = try record("habari ya asubuhi")
        let bytes = record.encoded
        for position in bytes.indices {
            for value in [0, 1, 0x7f, 0x80, 0xff] as [UInt8] where bytes[position] != value {
                var changed = bytes
                changed[position] = value
                guard let found = try? CountContribution(decoding: changed) else { continue }
                #expect(found != record && found.encoded == changed)
            }
        }
    }

    @Test("that claim more than their bytes hold are refused without room being made")
    func hostileCount() throws {
        let empty = try record("")
        var bytes = empty.encoded
        bytes.removeLast()
        bytes += [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
        let error = #expect(throws: CambiumError.self) { try CountContribution(decoding: bytes) }
        #expect(error?.message.contains("bytes that are left") == true)
    }

    @Test("of long n-grams tell the counts of shorter ones, but for the end of the text")
    func shortened() throws {
        let text = Array("abracadabra abracadabra".utf8)
        let long = NGramCounts(of: text, order: 5)
        #expect(long.shortened(to: 5) == long)
        for length in 1...4 {
            #expect(
                long.shortened(to: length)
                    == NGramCounts(of: Array(text.dropLast(5 - length)), order: length))
        }
    }

    @Test("with numbers longer than needed are refused: equal content has equal bytes")
    func shortestForm() throws {
        var bytes = try record("").encoded
        bytes.removeLast()
        bytes += [0x80, 0x00]
        let error = #expect(throws: CambiumError.self) { try CountContribution(decoding: bytes) }
        #expect(error?.message.contains("shortest form") == true)
    }

    @Test("need names that can be shown, a digest and no more n-grams than bytes")
    func limits() throws {
        for adapter in ["", "a\nb", String(repeating: "x", count: 256)] {
            #expect(throws: CambiumError.self) { try record("abc", adapter: adapter) }
        }
        #expect(throws: CambiumError.self) {
            try CountContribution(
                adapter: "a", label: "", data: [1], byteCount: 3,
                counts: NGramCounts(of: [1, 2, 3], order: 1))
        }
        #expect(throws: CambiumError.self) {
            try CountContribution(
                adapter: "a", label: "", data: [UInt8](repeating: 0, count: 32), byteCount: 2,
                counts: NGramCounts(of: [1, 2, 3], order: 1))
        }
        #expect(throws: CambiumError.self) {
            try NGramCounts(order: 1, entries: [.init(key: 0, count: 1 << 33)])
        }
        #expect(throws: CambiumError.self) {
            try NGramCounts(
                order: 1, entries: [.init(key: 0, count: .max), .init(key: 1, count: .max)])
        }
    }

    /// Sets of contributions on branches that merge, as the store does it: by content.
    @Test("give one gate for 200 random ways to divide, order, repeat and unite them")
    func anyWay() throws {
        var noise = Noise(seed: 31)
        func pick(_ count: Int) -> Int { Int(noise.bits() % UInt64(count)) }
        var pool: [CountContribution] = []
        for index in 0..<12 {
            let text = (0..<60).map { _ in UInt8(97 + pick(4) + index % 4) }
            pool.append(
                try CountContribution(
                    adapter: "adapter \(index % 4)", label: "\(index)",
                    data: [UInt8](repeating: UInt8(index), count: 32), byteCount: 60,
                    counts: NGramCounts(of: text, order: 3)))
        }
        func gate(_ set: some Sequence<CountContribution>) throws -> [UInt8] {
            CountGate.encoded(try CountGate.classes(of: Array(set)), .standard)
        }
        let once = try gate(pool)
        let without = try gate(pool.dropFirst())
        #expect(once != without)
        for _ in 0..<200 {
            // Branches get some of the records each, some of them twice; then they merge criss-cross.
            var branches = (0..<2 + pick(5)).map { _ in [[UInt8]: CountContribution]() }
            for record in pool {
                for _ in 0...pick(2) {
                    branches[pick(branches.count)][record.encoded] = record
                }
            }
            for _ in 0..<pick(6) {
                let (one, two) = (pick(branches.count), pick(branches.count))
                branches[one].merge(branches[two]) { first, _ in first }
            }
            var all: [[UInt8]: CountContribution] = [:]
            for branch in branches { all.merge(branch) { first, _ in first } }
            var order = Array(all.values)
            for index in order.indices.dropFirst() { order.swapAt(index, pick(index + 1)) }
            #expect(try gate(order) == once)
            #expect(try gate(order.filter { $0.label != "0" }) == without)
        }
    }
}
