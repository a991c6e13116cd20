import Synchronization
import TestSupport
import Testing

@testable import Cambium

@Suite("texts that are read part by part")
struct TextSourceTests {
    /// The ranges that were asked for.
    private final class Asked: Sendable {
        let ranges = Mutex<[Range<Int>]>([])
    }

    private func source(_ text: [UInt8], _ asked: Asked) -> TextSource {
        TextSource(count: text.count) { range in
            asked.ranges.withLock { $0.append(range) }
            return Array(text[range])
        }
    }

    @Test("give the bits of texts in memory, a few windows at a time")
    func bits() throws {
        try withScratchDirectory { directory in
            let store = try TrainTests().store(in: directory)
            let model = try store.model("main")
            let text = TrainTests.english + TrainTests.digits
            for (limit, threads) in [(nil, 1), (nil, 3), (200, 2)] as [(Int?, Int)] {
                let asked = Asked()
                let whole = try model.evaluate(text, limit: limit, threads: threads)
                let parts = try model.evaluate(
                    source(text, asked), limit: limit, threads: threads)
                #expect(whole.bitsPerByte == parts.bitsPerByte && whole.windows == parts.windows)
                let ranges = asked.ranges.withLock { $0 }
                let most = 4 * threads * model.contextLength
                #expect(ranges.allSatisfy { $0.count <= most })
                #expect(ranges.last?.upperBound ?? 0 <= limit ?? text.count)
                #expect(
                    zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
            }
            var (whole, parts): ([TokenRoute], [TokenRoute]) = ([], [])
            try model.routes(text) { route in
                whole.append(route)
                return true
            }
            let asked = Asked()
            try model.routes(source(text, asked)) { route in
                parts.append(route)
                return parts.count < 40
            }
            #expect(parts.map(\.heads.count) == whole.prefix(40).map(\.heads.count))
            #expect(
                parts.map { $0.heads[0].experts } == whole.prefix(40).map { $0.heads[0].experts })
            // One layer, 16 bytes in a window: three windows are enough.
            #expect(asked.ranges.withLock { $0 } == [0..<16, 16..<32, 32..<48])
            #expect(
                try store.profile("main", on: source(text, Asked())).experts
                    == store.profile("main", on: text).experts)
            let gate = try store.gate("main")
            let shares = try gate.shares(after: source(text, Asked())).map(\.weight)
            #expect(shares == gate.shares(after: text).map(\.weight))
        }
    }

    @Test("that become shorter are an error, and errors of reading stay what they are")
    func failing() throws {
        try withScratchDirectory { directory in
            let model = try TrainTests().store(in: directory).model("main")
            let short = TextSource(count: 1_000) { range in
                range.lowerBound < 100 ? [UInt8](repeating: 65, count: range.count) : []
            }
            let error = #expect(throws: CambiumError.self) { try model.evaluate(short) }
            #expect(error?.message.contains("became shorter") == true)
            let broken = TextSource(count: 1_000) { _ in
                throw CambiumError(.io, "the disk is gone")
            }
            let io = #expect(throws: CambiumError.self) { try model.evaluate(broken) }
            #expect(io?.code == .io && io?.message == "the disk is gone")
        }
    }
}
