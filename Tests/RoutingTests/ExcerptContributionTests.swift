import Elements
import Routing
import Testing

@Suite("Records of excerpts")
struct ExcerptContributionTests {
    private let data = [UInt8](repeating: 7, count: 32)

    private func record(
        _ windows: [(UInt64, Int)] = [(0, 3), (3, 2), (90, 10)], label: String = "old"
    ) throws -> ExcerptContribution {
        try ExcerptContribution(
            label: label, data: data, byteCount: 100,
            windows: windows.map {
                ExcerptContribution.Window(
                    start: $0.0, bytes: [UInt8](repeating: 65, count: $0.1))
            })
    }

    private func excerpts(
        _ text: [UInt8], limit: Int = 1_000, window: Int = 256
    ) throws -> ExcerptContribution {
        try ExcerptContribution(
            of: text, label: "", data: data, limit: limit, windowBytes: window)
    }

    @Test("read back as they were, and have one encoding")
    func roundTrip() throws {
        for record in [try record(), try record([(99, 1)], label: "")] {
            #expect(try ExcerptContribution(decoding: record.encoded) == record)
        }
    }

    @Test("windows that cannot be are refused")
    func impossible() throws {
        #expect(throws: CambiumError.self) { try record([]) }
        #expect(throws: CambiumError.self) { try record([(0, 0)]) }
        #expect(throws: CambiumError.self) { try record([(91, 10)]) }
        #expect(throws: CambiumError.self) { try record([(5, 3), (7, 1)]) }
        #expect(throws: CambiumError.self) { try record([(UInt64.max, 2)]) }
        #expect(throws: CambiumError.self) { try record(label: "a\nb") }
        #expect(throws: CambiumError.self) { try excerpts([]) }
        #expect(throws: CambiumError.self) { try excerpts([1], limit: 0) }
        #expect(throws: CambiumError.self) { try excerpts([1], limit: .max) }
    }

    @Test("are spread over the text, from its beginning to its end, within the limit")
    func spread() throws {
        let text = (0..<100_000).map { UInt8(33 + $0 % 90) }
        let record = try excerpts(text, limit: 10_000)
        #expect(record.windows.count == 39)
        #expect(record.windows[0].start == 0)
        #expect(record.windows[38].start + 256 == 100_000)
        let gaps = zip(record.windows.dropFirst(), record.windows).map { $0.start - $1.start }
        #expect(gaps.allSatisfy { (2_620...2_640).contains($0) })
        for window in record.windows {
            let start = Int(window.start)
            #expect(window.bytes == Array(text[start..<start + 256]))
        }
        // A text within the limit is kept whole.
        #expect(try excerpts(Array(text[..<100])).windows.map(\.bytes) == [Array(text[..<100])])
        for (count, windows) in [(257, 2), (511, 2), (512, 2), (999, 4), (1_000, 4)] {
            let whole = try excerpts(Array(text[..<count]))
            #expect(whole.windows.count == windows)
            #expect(whole.windows.flatMap(\.bytes) == Array(text[..<count]))
            #expect(whole.excerptBytes == count)
        }
        #expect(try excerpts(text, limit: 10).windows.map(\.bytes.count) == [10])
        #expect(try excerpts([65]).windows.count == 1)
    }

    @Test("begin and end between characters")
    func characters() throws {
        let text = Array(String(repeating: "aä€😀", count: 500).utf8)
        for (limit, window) in [(999, 50), (999, 13), (700, 7), (5_000, 13)] {
            let record = try excerpts(text, limit: limit, window: window)
            for window in record.windows {
                #expect(String(validating: window.bytes, as: UTF8.self) != nil)
            }
            #expect(record.excerptBytes <= limit)
        }
        // What is no UTF-8 is cut anywhere.
        let bytes = [UInt8](repeating: 0x80, count: 300)
        #expect(try excerpts(bytes, limit: 100, window: 50).windows.map(\.bytes.count) == [50, 50])
    }

    @Test("damaged in any byte they are refused or read as another record, never with a trap")
    func hostile() throws {
        let bytes = try record().encoded
        for count in bytes.indices {
            #expect(throws: CambiumError.self) {
                try ExcerptContribution(decoding: Array(bytes[..<count]))
            }
        }
        #expect(throws: CambiumError.self) { try ExcerptContribution(decoding: bytes + [0]) }
        for place in bytes.indices {
            for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff] where bytes[place] != value {
                var damaged = bytes
                damaged[place] = value
                guard let read = try? ExcerptContribution(decoding: damaged) else { continue }
                #expect(read.encoded == damaged)
            }
        }
    }
}
