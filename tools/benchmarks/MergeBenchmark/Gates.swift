internal import ArgumentParser
internal import BenchmarkSupport
internal import Foundation
internal import Routing

/// How often the gate names the right one of eight domains, after some bytes of text that it never saw.
struct GateCase: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "gate")

    @Option var data: String
    @Option(help: "Bytes of training text of each domain.") var train = 900_000
    @Option(help: "Bytes of test text of each domain.") var test = 50_000
    @Option var order = 3

    func run() throws {
        let records = try domains.enumerated().map { label, domain in
            let some = try text(data, domain, "train", train)
            return try CountContribution(
                adapter: domain, label: "",
                data: [UInt8(label)] + [UInt8](repeating: 0, count: 31),
                byteCount: UInt64(some.count), counts: NGramCounts(of: some, order: order))
        }
        let (found, time) = try accuracy(records)
        try expect(
            try accuracy(records.reversed()).figures == found,
            "the order of arrival changed the gate")
        var figures = found
        figures["microseconds"] = time
        figures["records_bytes"] = Double(records.reduce(0) { $0 + $1.encoded.count })
        try say(figures)
    }

    private func accuracy(_ records: [CountContribution]) throws -> (
        figures: [String: Double], microseconds: Double
    ) {
        let classes = try CountGate.classes(of: records)
        let gate = try CountGate(classes.map(\.counts))
        let lengths = [16, 32, 64, 256]
        var right = [Int: Int]()
        var (chunks, bytes, time) = (0, 0, 0.0)
        for (label, domain) in domains.enumerated() {
            let some = try text(data, domain, "test", test)
            for start in stride(from: 0, to: some.count - 255, by: 256) {
                chunks += 1
                var state = gate.start
                time +=
                    seconds {
                        for (position, byte) in some[start..<start + 256].enumerated() {
                            gate.advance(&state, byte)
                            guard lengths.contains(position + 1) else { continue }
                            let best = gate.pick(state, count: 1).classes[0]
                            if classes[best].name == domains[label] {
                                right[position + 1, default: 0] += 1
                            }
                        }
                    }.0
                bytes += 256
            }
        }
        var figures = ["chunks": Double(chunks)]
        for length in lengths {
            figures["right_\(length)"] = Double(right[length] ?? 0) / Double(chunks)
        }
        return (figures, time / Double(bytes) * 1e6)
    }
}
